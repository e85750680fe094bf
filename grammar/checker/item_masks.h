// Sets of dotted rules as bits, and what the recogniser asks about them.
#pragma once

#include <algorithm>
#include <bit>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "grammar/checker/tables.h"

namespace lacuna::grammar {

using Terminals = std::bitset<256>;
using Word = std::uint64_t;

// Made once for a language and then only read, by any thread. A set of dotted rules is set_words()
// words: words() of bits, and one that says which of these may not be zero, since mostly few are. The
// dotted rules of a production follow each other, so that moving the dot is a shift by one bit.
class ItemMasks {
 public:
  explicit ItemMasks(const GrammarTables& tables);

  static constexpr std::uint16_t kEnd = 0xFFFF;

  const GrammarTables& tables() const { return tables_; }
  std::size_t words() const { return words_; }
  std::size_t set_words() const { return words_ + 1; }
  std::size_t head_words() const { return head_words_; }
  bool is_nonterminal(std::uint16_t symbol) const { return symbol >= tables_.terminals; }

  // The symbol after the dot, or kEnd.
  std::uint16_t next(std::size_t item) const { return next_[item]; }
  // Whether the dot is before all symbols.
  bool begins(std::size_t item) const { return item == 0 || next_[item - 1] == kEnd; }
  bool may_be_empty(std::uint16_t nonterminal) const {
    return nullable_[nonterminal - tables_.terminals];
  }
  // Rules of a nonterminal with the dot before all symbols.
  const std::vector<std::uint32_t>& rules_of(std::uint16_t nonterminal) const {
    return rules_[nonterminal - tables_.terminals];
  }

  // Calls function(index) for each word of the set that is not zero.
  template <typename Function>
  void for_each_word(const Word* set, Function function) const {
    for (Word some = set[words_]; some != 0; some &= some - 1) {
      const std::size_t first = static_cast<std::size_t>(std::countr_zero(some)) << shift_;
      const std::size_t last = std::min(first + (std::size_t{1} << shift_), words_);
      for (std::size_t i = first; i < last; ++i) {
        if (set[i] != 0) function(i);
      }
    }
  }
  // Says that word `i` of the set may not be zero.
  void mark(Word* set, std::size_t i) const { set[words_] |= Word{1} << (i >> shift_); }
  void unite(const Word* from, Word* to) const {
    for_each_word(from, [&](std::size_t i) { to[i] |= from[i]; });
    to[words_] |= from[words_];
  }
  void intersect(Word* set, const Word* with) const {
    for_each_word(set, [&](std::size_t i) { set[i] &= with[i]; });
  }
  bool meet(const Word* a, const Word* b) const {
    Word common = 0;
    for_each_word(a, [&](std::size_t i) { common |= a[i] & b[i]; });
    return common != 0;
  }

  // Rules of the start symbol and what they begin with, as predicted() gives them.
  const Word* start() const { return row(predicted_, start_); }
  // Complete rules of the start symbol.
  const Word* whole() const { return whole_.data(); }
  // Rules with the dot before the symbol.
  const Word* before(std::uint16_t symbol) const { return row(before_, symbol); }
  // Rules that go on with the terminal, or that it may follow.
  const Word* viable(std::uint16_t terminal) const { return row(viable_, terminal); }

  // to |= the rules of `from` after one of `symbols` (a set of dotted rules with the dot before it).
  // Symbols that may be empty are stepped over too. False when that is none.
  bool advance(const Word* from, const Word* symbols, Word* to) const;
  // The same for one word: to |= what `moved`, rules of word `i`, become with the dot moved.
  void advance_word(std::size_t i, Word moved, Word* to) const {
    Word carry = moved >> 63U;
    moved <<= 1U;
    for (Word skipped = moved & skips_[i]; skipped != 0; skipped &= skips_[i]) {
      carry |= skipped >> 63U;
      skipped = skipped << 1U & ~moved;
      moved |= skipped;
    }
    to[i] |= moved;
    mark(to, i);
    while (carry != 0) {  // into the next word, of the same production
      to[++i] |= Word{1};
      mark(to, i);
      Word low = 1;
      carry = 0;
      for (Word skipped = low & skips_[i]; skipped != 0; skipped &= skips_[i]) {
        carry |= skipped >> 63U;
        skipped = skipped << 1U & ~low;
        low |= skipped;
      }
      to[i] |= low;
    }
  }
  // Adds every rule with its dot further on: a hole.
  void through_hole(Word* items) const;
  // to |= the rules that may begin where a symbol of `items` begins.
  void predict(const Word* items, Word* to) const;
  // to |= all dotted rules that a hole may be inside of, where a symbol of `items` is expected.
  void universe(const Word* items, Word* to) const;
  // heads |= the nonterminals that `items` completes, and those that these complete in turn where
  // nothing else is needed: all of a rule before the nonterminal is missing and in a hole
  // (`any_before`), or all of it after (`any_after`), or empty. False when there is none.
  bool completed(const Word* items, bool any_before, bool any_after, Word* heads) const;
  // to |= the rules with the dot before one of the nonterminals.
  void before_heads(const Word* heads, Word* to) const;
  // Keeps the rules of lines that begin in one column only where they end or a block ends.
  void realign(Word* items) const;

 private:
  const Word* row(const std::vector<Word>& rows, std::size_t index) const {
    return rows.data() + index * set_words();
  }
  std::vector<Word> rows(std::size_t count) const {
    return std::vector<Word>(count * set_words(), 0);
  }
  void mark_all(std::vector<Word>& rows) const;
  void find_first();
  void find_follow();
  void find_predicted();
  void find_universe();
  void find_wrappers();

  const GrammarTables& tables_;
  std::size_t words_ = 0, head_words_ = 0, start_ = 0;
  unsigned shift_ = 0;  // a bit of the last word of a set stands for 1 << shift_ words
  std::vector<std::uint16_t> next_, head_;         // of each dotted rule
  std::vector<std::vector<std::uint32_t>> rules_;  // of each nonterminal, dot first
  std::vector<bool> nullable_;                     // by nonterminal
  std::vector<Terminals> first_, follow_;          // by nonterminal
  std::vector<Word> before_, viable_;              // by symbol, by terminal
  std::vector<Word> predicted_, universe_;         // by nonterminal
  std::vector<Word> ends_, skips_, nonterminals_, whole_, unaligned_;
  std::vector<Word> wrappers_[4];  // by nonterminal: heads; index any_before + 2 * any_after
};

}  // namespace lacuna::grammar
