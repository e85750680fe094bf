#include "grammar/checker/item_masks.h"

#include <algorithm>
#include <bit>

namespace lacuna::grammar {
namespace {

void set_bit(Word* bits, std::size_t at) { bits[at / 64] |= Word{1} << (at % 64); }
bool has_bit(const Word* bits, std::size_t at) { return (bits[at / 64] >> (at % 64) & 1U) != 0; }

template <typename Function>
void for_each_bit(Word word, std::size_t base, Function function) {
  for (; word != 0; word &= word - 1) {
    function(base + static_cast<std::size_t>(std::countr_zero(word)));
  }
}

}  // namespace

ItemMasks::ItemMasks(const GrammarTables& tables) : tables_(tables) {
  rules_.resize(tables.nonterminals);
  for (std::uint32_t p = 0; p < tables.productions; ++p) {
    rules_[tables.heads[p] - tables.terminals].push_back(static_cast<std::uint32_t>(next_.size()));
    for (std::uint32_t i = tables.bodies[p]; i < tables.bodies[p + 1]; ++i) {
      next_.push_back(tables.symbols[i]);
      head_.push_back(tables.heads[p]);
    }
    next_.push_back(kEnd);
    head_.push_back(tables.heads[p]);
  }
  words_ = (next_.size() + 63) / 64;
  while ((words_ - 1) >> shift_ >= 64) ++shift_;
  head_words_ = (tables.nonterminals + 63U) / 64U;
  start_ = tables.start - tables.terminals;
  find_first();
  find_follow();
  before_ = rows(tables.terminals + tables.nonterminals);
  viable_ = rows(tables.terminals);
  ends_ = skips_ = nonterminals_ = whole_ = unaligned_ = rows(1);
  for (std::size_t item = 0; item < next_.size(); ++item) {
    const std::uint16_t symbol = next_[item];
    const std::size_t head = head_[item] - tables.terminals;
    bool ends = symbol == kEnd;
    if (symbol == kEnd) {
      set_bit(ends_.data(), item);
      if (head == start_) set_bit(whole_.data(), item);
    } else {
      set_bit(before_.data() + symbol * set_words(), item);
      if (is_nonterminal(symbol)) {
        set_bit(nonterminals_.data(), item);
        if (nullable_[symbol - tables.terminals]) set_bit(skips_.data(), item);
      } else {
        const auto kind = static_cast<VirtualToken>(tables.virtual_tokens[symbol]);
        ends = kind == VirtualToken::Dedent;
      }
    }
    if (ends || tables.aligned[head] == 0) set_bit(unaligned_.data(), item);
    for (std::uint16_t t = 0; t < tables.terminals; ++t) {
      const bool goes_on = symbol == kEnd           ? follow_[head].test(t)
                           : is_nonterminal(symbol) ? first_[symbol - tables.terminals].test(t)
                                                    : symbol == t;
      if (goes_on) set_bit(viable_.data() + t * set_words(), item);
    }
  }
  find_predicted();
  find_universe();
  find_wrappers();
  for (std::vector<Word>* const all :
       {&before_, &viable_, &predicted_, &universe_, &ends_, &nonterminals_, &whole_}) {
    mark_all(*all);
  }
}

void ItemMasks::mark_all(std::vector<Word>& rows) const {
  for (std::size_t first = 0; first < rows.size(); first += set_words()) {
    for (std::size_t i = 0; i < words_; ++i) {
      if (rows[first + i] != 0) mark(rows.data() + first, i);
    }
  }
}

// FIRST and which nonterminals may be empty, to the fixed point.
void ItemMasks::find_first() {
  nullable_.assign(tables_.nonterminals, false);
  first_.resize(tables_.nonterminals);
  for (bool changed = true; changed;) {
    changed = false;
    for (std::uint32_t p = 0; p < tables_.productions; ++p) {
      const std::size_t head = tables_.heads[p] - tables_.terminals;
      Terminals first = first_[head];
      bool nullable = true;
      for (std::uint32_t i = tables_.bodies[p]; nullable && i < tables_.bodies[p + 1]; ++i) {
        const std::uint16_t symbol = tables_.symbols[i];
        if (is_nonterminal(symbol)) {
          first |= first_[symbol - tables_.terminals];
          nullable = nullable_[symbol - tables_.terminals];
        } else {
          first.set(symbol);
          nullable = false;
        }
      }
      changed |= first != first_[head] || (nullable && !nullable_[head]);
      first_[head] = first;
      if (nullable) nullable_[head] = true;
    }
  }
}

void ItemMasks::find_follow() {
  follow_.resize(tables_.nonterminals);
  for (bool changed = true; changed;) {
    changed = false;
    for (std::uint32_t p = 0; p < tables_.productions; ++p) {
      Terminals after = follow_[tables_.heads[p] - tables_.terminals];
      for (std::uint32_t i = tables_.bodies[p + 1]; i-- > tables_.bodies[p];) {
        const std::uint16_t symbol = tables_.symbols[i];
        if (!is_nonterminal(symbol)) {
          after.reset();
          after.set(symbol);
          continue;
        }
        const std::size_t n = symbol - tables_.terminals;
        const Terminals all = follow_[n] | after;
        changed |= all != follow_[n];
        follow_[n] = all;
        after = nullable_[n] ? after | first_[n] : first_[n];
      }
    }
  }
}

void ItemMasks::find_predicted() {
  predicted_ = rows(tables_.nonterminals);
  for (std::size_t from = 0; from < tables_.nonterminals; ++from) {
    Word* const found = predicted_.data() + from * set_words();
    std::vector<bool> seen(tables_.nonterminals, false);
    std::vector<std::size_t> todo{from};
    seen[from] = true;
    while (!todo.empty()) {
      const std::size_t n = todo.back();
      todo.pop_back();
      for (std::uint32_t item : rules_[n]) {
        for (;; ++item) {
          set_bit(found, item);
          if (next_[item] == kEnd || !is_nonterminal(next_[item])) break;
          const std::size_t inner = next_[item] - tables_.terminals;
          if (!seen[inner]) todo.push_back(inner);
          seen[inner] = true;
          if (!nullable_[inner]) break;
        }
      }
    }
  }
}

void ItemMasks::find_universe() {
  universe_ = rows(tables_.nonterminals);
  for (std::size_t from = 0; from < tables_.nonterminals; ++from) {
    Word* const found = universe_.data() + from * set_words();
    std::vector<std::size_t> todo{from};
    while (!todo.empty()) {
      const std::size_t n = todo.back();
      todo.pop_back();
      if (has_bit(found, rules_[n].front())) continue;
      for (std::uint32_t item : rules_[n]) {
        set_bit(found, item);
        for (; next_[item] != kEnd; ++item) {
          set_bit(found, item + 1);
          if (is_nonterminal(next_[item])) todo.push_back(next_[item] - tables_.terminals);
        }
      }
    }
  }
}

void ItemMasks::find_wrappers() {
  for (std::size_t kind = 0; kind < 4; ++kind) {
    std::vector<Word>& wrappers = wrappers_[kind];
    wrappers.assign(tables_.nonterminals * head_words_, 0);
    std::vector<std::vector<std::size_t>> direct(tables_.nonterminals);
    const auto fits = [&](std::uint32_t from, std::uint32_t to) {
      for (std::uint32_t i = from; i < to; ++i) {
        const std::uint16_t symbol = tables_.symbols[i];
        if (!is_nonterminal(symbol) || !nullable_[symbol - tables_.terminals]) return false;
      }
      return true;
    };
    for (std::uint32_t p = 0; p < tables_.productions; ++p) {
      const std::uint32_t first = tables_.bodies[p], last = tables_.bodies[p + 1];
      for (std::uint32_t i = first; i < last; ++i) {
        if (!is_nonterminal(tables_.symbols[i])) continue;
        if ((kind & 1U) == 0 && !fits(first, i)) continue;
        if ((kind & 2U) == 0 && !fits(i + 1, last)) continue;
        direct[tables_.symbols[i] - tables_.terminals].push_back(tables_.heads[p] -
                                                                 tables_.terminals);
      }
    }
    for (std::size_t n = 0; n < tables_.nonterminals; ++n) {
      Word* const found = wrappers.data() + n * head_words_;
      std::vector<std::size_t> todo{n};
      set_bit(found, n);
      while (!todo.empty()) {
        const std::size_t inner = todo.back();
        todo.pop_back();
        for (const std::size_t head : direct[inner]) {
          if (!has_bit(found, head)) todo.push_back(head);
          set_bit(found, head);
        }
      }
    }
  }
}

bool ItemMasks::advance(const Word* from, const Word* symbols, Word* to) const {
  bool any = false;
  for_each_word(from, [&](std::size_t i) {
    const Word moved = from[i] & symbols[i];
    if (moved == 0) return;
    any = true;
    advance_word(i, moved, to);
  });
  return any;
}

void ItemMasks::through_hole(Word* items) const {
  // All bits from each item up to the end of its production: adding fills a run of ones upwards.
  Word carry = 0;
  for (std::size_t i = 0; i < words_; ++i) {
    Word filled = items[i] | carry;
    const Word ends = ends_[i];
    for (Word more = filled & ~ends; more != 0;) {
      more = (more << 1U) & ~filled;
      filled |= more;
      more &= ~ends;
    }
    carry = (filled & ~ends) >> 63U;
    items[i] = filled;
    if (filled != 0) mark(items, i);
  }
}

void ItemMasks::predict(const Word* items, Word* to) const {
  for_each_word(items, [&](std::size_t i) {
    for_each_bit(items[i] & nonterminals_[i], i * 64, [&](std::size_t item) {
      const std::size_t n = next_[item] - tables_.terminals;
      if (!has_bit(to, rules_[n].front())) unite(row(predicted_, n), to);
    });
  });
}

void ItemMasks::universe(const Word* items, Word* to) const {
  for_each_word(items, [&](std::size_t i) {
    for_each_bit(items[i] & nonterminals_[i], i * 64, [&](std::size_t item) {
      const std::size_t n = next_[item] - tables_.terminals;
      if (!has_bit(to, rules_[n].front())) unite(row(universe_, n), to);
    });
  });
}

bool ItemMasks::completed(const Word* items, bool any_before, bool any_after, Word* heads) const {
  const Word* const wrappers = wrappers_[(any_before ? 1 : 0) + (any_after ? 2 : 0)].data();
  bool any = false;
  for_each_word(items, [&](std::size_t i) {
    for_each_bit(items[i] & ends_[i], i * 64, [&](std::size_t item) {
      const std::size_t head = head_[item] - tables_.terminals;
      any = true;
      if (has_bit(heads, head)) return;
      const Word* const more = wrappers + head * head_words_;
      for (std::size_t k = 0; k < head_words_; ++k) heads[k] |= more[k];
    });
  });
  return any;
}

void ItemMasks::before_heads(const Word* heads, Word* to) const {
  for (std::size_t i = 0; i < head_words_; ++i) {
    for_each_bit(heads[i], i * 64, [&](std::size_t n) {
      unite(before(static_cast<std::uint16_t>(n + tables_.terminals)), to);
    });
  }
}

void ItemMasks::realign(Word* items) const {
  intersect(items, unaligned_.data());
}

}  // namespace lacuna::grammar
