// Keeps every denoising step on the road to code that parses: introduces grammar/ to the engine.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/constraint.h"
#include "engine/hole.h"
#include "engine/model.h"
#include "grammar/gate.h"

namespace lacuna::daemon {

// What a constraint did during a fill.
struct SyntaxCounts {
  int vetted = 0;     // times that the sampler asked
  int unchecked = 0;  // of them: too little known to check anything
  int accepted = 0;   // of them: what is known and the model's best guess of the rest parses
  int vetoed = 0;     // tokens refused
  double seconds = 0;
};

// The witness: what is committed, with the proposals of a step and the model's own best token for
// every other mask, is parsed. If it parses, all proposals are good, and the whole is remembered.
// If it does not, a proposal is good that leaves the remembered whole, or the guess, parsing; others
// are refused. So from the first whole that parsed on there always is one. While more than three
// quarters are masked nothing is checked; while there was no whole that parsed, nothing is refused
// but the last token.
//
// LAVE (2602.00612) has the idea of a remembered fill.
class SyntaxConstraint : public engine::Constraint {
 public:
  // `text` and `holes` as in engine::InfillRequest; all must live as long as the constraint.
  SyntaxConstraint(const engine::Model& model, const grammar::Grammar& grammar,
                   std::string_view text, std::span<const engine::Hole> holes);

  void begin_canvas(int first_hole, std::span<const std::string> filled) override;
  void begin_step(const engine::ConstraintStep& step) override;
  void vet(std::span<const std::int32_t> canvas, std::span<const engine::Candidate> proposals,
           std::span<std::uint8_t> accepted) override;

  std::int32_t fallback(int position) const override;

  const SyntaxCounts& counts() const { return counts_; }

 private:
  using Tokens = std::vector<std::int32_t>;

  void check(std::span<const engine::Candidate> proposals, std::span<std::uint8_t> accepted);
  void check_one_by_one(std::span<const engine::Candidate> proposals,
                        std::span<std::uint8_t> accepted);
  Tokens completed(const Tokens& known, const Tokens& rest) const;
  bool parses(const Tokens& tokens);

  const engine::Model& model_;
  std::string_view region_;  // of the text: all that is parsed
  grammar::Gate gate_;       // of the region
  std::vector<std::string> fills_;

  std::size_t first_hole_ = 0;
  Tokens known_;    // the canvas
  Tokens guess_;    // for each position the model's best token, or -1
  Tokens witness_;  // for each position a token of a whole that parsed; empty: there was none
  std::vector<std::int32_t> hole_of_;
  std::int32_t mask_ = -1;
  int refused_at_end_ = 0;
  SyntaxCounts counts_;
};

}  // namespace lacuna::daemon
