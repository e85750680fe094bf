// May a text with holes still become a program of the language?
//
// An Earley recogniser over the graph of all tokens that the known text may be cut into. A hole may
// become anything, so a rule may be left off before it and gone on with after it at any place. The
// grammar is the tree-sitter package's own, without its precedences, with models of its hand-written
// scanners (cmake/grammar_languages.py). docs/grammar.md has what that accepts too much.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace lacuna::grammar {

// Impossible is certain: no bytes in the holes make the text a program. Unknown: not decided within
// the budget; treat it as Possible.
enum class Verdict : std::uint8_t { Possible, Impossible, Unknown };

// Some bytes, or, with `hole`, a place that may become any bytes or none.
struct Piece {
  std::string_view text;
  bool hole = false;
};

enum class HoleMode : std::uint8_t {
  // A hole may open a comment or a string of several lines that ends after it and hides the text
  // between, so that with two holes hardly anything is impossible.
  Open,
  // Whoever fills the holes sees to it that no comment, and no string that spans lines, begins in a
  // hole and ends outside it.
  Closed,
};

// Checks the states of one text, one after the other: an enclosing item with what it needs around it
// to be a whole program. What two states have in common at their beginning is not done again, nor, for
// most states that are possible, what they have in common at their end. Bytes need not be whole
// characters at the edge of a hole. One thread at a time.
class HoleChecker {
 public:
  struct Options {
    HoleMode mode = HoleMode::Closed;
    std::size_t budget = 40'000;  // steps of the recogniser; eight times as many for a new text
  };

  // Null when there is no grammar for the language ("python", "cpp", "typescript", ...).
  static std::unique_ptr<HoleChecker> make(std::string_view language, Options options);
  static std::unique_ptr<HoleChecker> make(std::string_view language) { return make(language, {}); }

  ~HoleChecker();
  HoleChecker(const HoleChecker&) = delete;
  HoleChecker& operator=(const HoleChecker&) = delete;

  Verdict check(std::span<const Piece> pieces);

  // Of the last check: steps of the recogniser, places of the text, and how many of them were kept.
  struct Work {
    std::size_t steps = 0;
    std::size_t places = 0;
    std::size_t kept_places = 0;
  };
  Work work() const;

 private:
  struct State;
  explicit HoleChecker(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace lacuna::grammar
