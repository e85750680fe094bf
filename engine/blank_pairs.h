// Tokens that differ by a blank in front.
//
// A blank belongs to the word behind it: "x = name" ends with the token " name". Where a hole begins
// behind the blank, the canvas has a token of the blank alone and wants "name". Who compares tokens of
// a canvas with those of a whole text must know that the two are the same.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/tokenizer/tokenizer.h"

namespace lacuna::engine {

struct BlankPairs {
  static constexpr std::int32_t kNone = -1;     // there is no such token
  static constexpr std::int32_t kNothing = -2;  // the token is one blank

  // For each vocabulary row the token with its text less the blank in front, and the one with its
  // text and one more blank in front. kNone for tokens that are no text.
  std::vector<std::int32_t> without;
  std::vector<std::int32_t> with;
  // 1 for tokens of nothing but blanks that lose their last one to a word behind them, if there is
  // a token for the others. A tokenizer whose indentation is a piece of its own has only the single
  // blank here.
  std::vector<std::uint8_t> joins;

  std::int32_t without_blank(std::int32_t token) const { return at(without, token); }
  std::int32_t with_blank(std::int32_t token) const { return at(with, token); }
  bool is_joined(std::int32_t token) const {
    return token >= 0 && static_cast<std::size_t>(token) < joins.size() &&
           joins[static_cast<std::size_t>(token)] != 0;
  }

 private:
  static std::int32_t at(const std::vector<std::int32_t>& row, std::int32_t token) {
    if (token < 0 || static_cast<std::size_t>(token) >= row.size()) return kNone;
    return row[static_cast<std::size_t>(token)];
  }
};

// `text` has one byte for each vocabulary row, 1 for tokens of text. Where several tokens have the
// same text, the first stands for it.
BlankPairs blank_pairs_of(const Tokenizer& tokenizer, std::span<const std::uint8_t> text);

}  // namespace lacuna::engine
