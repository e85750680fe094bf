// Something simple for holes, with which a text parses if what stands around them is sound.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/hole_checker.h"
#include "grammar/outline.h"

namespace lacuna::grammar {

// What fits most holes; shorter ones first.
inline constexpr std::string_view kNeutral[] = {"",   "x",  "1",    "x;",    "{}",
                                                "x)", "()", "pass", ": pass"};

// What may be missing in a hole, the likelier first: rests of lines, as that of a call, of a declaration,
// of a loop's head, or of what has its block below. They close what is open on the hole's line; with
// `also_unlikely` in other ways, too, and there are thousands of them.
std::vector<std::string> neutral_at(std::string_view text, Span hole, bool also_unlikely);

// Finds fills for all holes of a text with the exact checker: while it looks at one hole those behind
// it are open, so that none need be guessed at the same time. Gives up once `is_over` says so, and after
// so much work. `text` must live as long.
class NeutralSearch {
 public:
  NeutralSearch(std::string_view language, std::string_view text, std::span<const Span> holes,
                std::function<bool()> is_over);

  // Calls `parses` with fills that the checker allows until it takes some, and says whether it did.
  bool run(const std::function<bool(const std::vector<std::string>&)>& parses);
  // That `parses` took.
  const std::vector<std::string>& fills() const { return fills_; }
  // What run() has found: whether the holes may become anything with which the text is a program.
  // Unknown where there is no checker for the language, and in large texts.
  Verdict verdict() const { return verdict_; }

 private:
  bool fill_from(std::size_t hole);
  Verdict ask(std::size_t known);

  std::string_view text_;
  std::vector<Span> holes_;
  std::function<bool()> is_over_;
  std::unique_ptr<HoleChecker> checker_;
  Span region_;            // that is looked at
  std::size_t steps_ = 0;  // of the checker
  bool also_unlikely_ = false;
  Verdict verdict_ = Verdict::Unknown;
  int parses_left_;
  std::vector<std::string> fills_;
  std::function<bool(const std::vector<std::string>&)> parses_;
};

}  // namespace lacuna::grammar
