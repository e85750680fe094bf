// The tokens that may come next at a place of a text with holes.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "grammar/checker/token_automaton.h"

namespace lacuna::grammar {

// A text with holes as one sequence: its bytes, and kHole where some bytes are not known yet.
inline constexpr std::uint16_t kHole = 256;
using PartialText = std::vector<std::uint16_t>;

// A token from one place to another. One that ends in a hole has the hole's place as its end.
struct Lexeme {
  std::uint16_t terminal;
  bool after_line_end;  // a line ended between the place asked about and the token
  std::uint32_t end;
};

// Where a line begins after the place asked about.
struct LineStart {
  std::uint32_t at;     // its first token
  std::int32_t column;  // -1: unknown
};

// What may follow a place: spaces, comments and line ends are behind it.
struct Gap {
  std::vector<Lexeme> lexemes;
  std::vector<LineStart> lines;
  std::vector<std::uint32_t> holes;  // that nothing but space and comments lies before
  bool at_end = false;               // or the end of the text
  bool after_line_end = false;
  std::uint16_t next = 0;        // first byte of the last place where a token may begin
  std::uint32_t seen_up_to = 0;  // the answer depends on the text before this place only

  void clear() {
    lexemes.clear();
    lines.clear();
    holes.clear();
    at_end = after_line_end = false;
    next = 0;
    seen_up_to = 0;
  }
};

class Lexer {
 public:
  // `blocks`: comments and strings of several lines may begin in a hole and end after it.
  Lexer(const GrammarTables& tables, TokenAutomaton& automaton, bool blocks);

  // Terminals to be looked for only where they are expected.
  std::span<const std::uint16_t> broad() const { return automaton_.broad(); }
  // Fills `gap` for the place `at` of `text`; after a hole, `at` is the hole. `expected`: which of
  // broad() may be there, as bits.
  void gap_at(const PartialText& text, std::uint32_t at, unsigned expected, Gap& gap);
  // The tokens that begin exactly at `at`, which is no hole.
  void tokens_at(const PartialText& text, std::uint32_t at, Gap& gap);

 private:
  struct Start {
    std::uint32_t at;
    bool after_line_end;
    std::int32_t column;
    bool tight;  // the place asked about, or the end of a comment
  };
  struct Accept {
    std::uint16_t pattern;
    std::uint32_t end;
  };

  void run(std::uint32_t at, std::uint32_t begin, TokenAutomaton::State state, bool in_hole);
  void accept(std::uint16_t state, std::uint32_t end, bool crossed);
  void flush();
  void emit(std::uint16_t pattern, std::uint32_t end);
  void reach_hole(std::uint32_t at, TokenAutomaton::State state);
  bool grows(std::uint16_t state, std::uint32_t at);
  void push_start(std::uint32_t at, bool after_line_end, std::int32_t column, bool tight);
  void skip_space(const Start& from);
  bool continues_word(std::uint32_t at) const {
    return at < text_->size() && (*text_)[at] < 128 && word_bytes_[(*text_)[at]];
  }
  bool wide_at(std::uint32_t at) const {
    return at < text_->size() && (*text_)[at] >= 128 && (*text_)[at] != kHole;
  }

  const GrammarTables& tables_;
  TokenAutomaton& automaton_;
  bool blocks_;
  std::bitset<256> word_bytes_;  // that a name goes on with
  bool space_tokens_ = false;    // some token begins with a line end
  const PartialText* text_ = nullptr;
  Gap* gap_ = nullptr;
  std::vector<Start> starts_;
  std::size_t current_ = 0;
  bool extra_here_ = false;
  std::vector<Accept> accepts_;
};

}  // namespace lacuna::grammar
