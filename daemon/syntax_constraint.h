// Keeps every denoising step on the road to code that parses: introduces grammar/ to the engine.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/constraint.h"
#include "engine/model.h"
#include "grammar/gate.h"
#include "grammar/hole_checker.h"

namespace lacuna::daemon {

// What a constraint did during a fill.
struct SyntaxCounts {
  int vetted = 0;      // times that the sampler asked
  int unchecked = 0;   // of them: too little known to check anything
  int accepted = 0;    // of them: what is known and the model's best guess of the rest parses
  int exact = 0;       // questions to the exact checker
  int vetoed = 0;      // tokens refused
  double seconds = 0;  // of processor time
};

// For each hole a whole fill is remembered with which the text parses, whatever else happens; at
// first something neutral. A hole's proposals are judged with the remembered wholes in the other
// holes, so that one hole that goes wrong does not concern the others.
//
// The witness: what is committed in a hole, with the proposals of a step, and for every other mask
// the model's own best token, or the token of the remembered whole, or nothing but closing brackets.
// If one of these parses, the proposals are good and it is remembered. If none does, the exact checker
// is asked whether anything would: proposals that leave the hole without hope are refused, others
// are taken, and the hole has no witness until a guess parses again. When little is left to decide
// a hole that has a witness keeps it: what neither guess nor witness can complete is refused. While
// more than three quarters of a hole are masked nothing is checked.
//
// That anything completes a hole does not mean that the masks it has left are enough, so a hole may
// still end badly. With Keep::Always no hole gives its witness up, from the first token on: less that
// the model wants is taken, but what comes out parses, if only the neutral fill fitted the hole.
//
// LAVE (2602.00612) has the idea of a remembered fill.
class SyntaxConstraint : public engine::Constraint {
 public:
  enum class Keep : std::uint8_t { WhenLittleIsLeft, Always };

  // Of the text and the holes of `gate`, which is needed only here; the text must live as long as the
  // constraint. Once `stop` is requested it takes everything.
  SyntaxConstraint(const engine::Model& model, const grammar::Grammar& grammar,
                   const grammar::Gate& gate, std::stop_token stop = {},
                   Keep keep = Keep::WhenLittleIsLeft);

  void begin_canvas(int first_hole, std::span<const std::string> filled) override;
  void begin_step(const engine::ConstraintStep& step) override;
  void vet(std::span<const std::int32_t> canvas, std::span<const engine::Candidate> proposals,
           std::span<std::uint8_t> accepted) override;

  std::int32_t fallback(int position) const override;

  const SyntaxCounts& counts() const { return counts_; }

 private:
  using Tokens = std::vector<std::int32_t>;
  struct Proposal {
    std::size_t idx;  // in the list that is vetted
    std::size_t at;   // in its hole
    std::int32_t token;
  };
  // Asks about one hole: what stands around it; other holes are open.
  struct ExactCheck {
    std::unique_ptr<grammar::HoleChecker> checker;  // null: it cannot tell anything
    std::vector<grammar::Piece> before, after;
  };
  // A token of a witness, and whether the canvas has it already.
  struct WitnessToken {
    std::int32_t token;
    bool committed;
  };
  struct HoleState {
    std::string whole;      // with the wholes of the others it parses
    std::size_t begin = 0;  // its first position in the canvas
    Tokens known;           // its part of the canvas
    Tokens guess;           // for each position the model's best token, or -1
    Tokens witness;         // the tokens of `whole`, if they complete `known`; or none
    int refused_at_end = 0;
    std::unique_ptr<ExactCheck> exact;  // made when first needed
  };

  void begin_with_neutral(std::size_t idx);
  void check(std::span<const engine::Candidate> proposals, std::span<std::uint8_t> accepted);
  void check_hole(std::size_t idx, std::span<const Proposal> proposals,
                  std::span<std::uint8_t> accepted);
  bool is_good(std::size_t idx, const Tokens& trial, std::span<const Proposal> proposals);
  bool witness_fits(std::size_t idx, const Tokens& trial);
  bool closing_fits(std::size_t idx, const Tokens& trial);
  bool remember(std::size_t idx, Tokens tokens);
  bool guess_parses(const std::vector<std::vector<Proposal>>& of_hole);
  Tokens with_guess(const HoleState& hole, std::span<const Proposal> proposals) const;
  Tokens closed(const Tokens& trial, std::string_view tail) const;
  Tokens placed(std::span<const WitnessToken> witness, const Tokens& known) const;
  grammar::Verdict ask_exactly(std::size_t idx, const Tokens& known);
  grammar::Verdict verdict_of(std::size_t idx, const Tokens& known) const;
  std::unique_ptr<ExactCheck> make_exact(std::size_t idx) const;
  std::size_t masks_in(const Tokens& tokens) const;
  bool is_text(std::int32_t token) const;
  std::string text_of(const Tokens& tokens) const;

  const engine::Model& model_;
  const grammar::Grammar& grammar_;
  Keep keep_;
  grammar::Gate gate_;  // of the part of the text that is parsed
  std::int32_t mask_;
  std::int32_t filler_;  // a token that adds nothing, or a blank; or -1

  std::size_t first_hole_ = 0;    // of the canvas
  std::vector<HoleState> holes_;  // of the request
  SyntaxCounts counts_;
};

}  // namespace lacuna::daemon
