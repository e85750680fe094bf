#include "grammar/checker/item_sets.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace lacuna::grammar {
namespace {

void sort_unique(std::vector<std::uint32_t>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

void set_bit(std::vector<std::uint64_t>& bits, std::size_t at) {
  bits[at / 64] |= std::uint64_t{1} << (at % 64);
}
bool has_bit(const std::vector<std::uint64_t>& bits, std::size_t at) {
  return (bits[at / 64] >> (at % 64) & 1U) != 0;
}

// FIRST and nullable of the nonterminals, to the fixed point.
void find_first(GrammarFacts& facts) {
  const GrammarTables& tables = facts.tables;
  for (bool changed = true; changed;) {
    changed = false;
    for (std::uint32_t p = 0; p < tables.productions; ++p) {
      const std::size_t head = tables.heads[p] - tables.terminals;
      Terminals first = facts.first[head];
      bool nullable = true;
      for (std::uint32_t i = tables.bodies[p]; nullable && i < tables.bodies[p + 1]; ++i) {
        const std::uint16_t symbol = tables.symbols[i];
        if (facts.is_nonterminal(symbol)) {
          first |= facts.first[symbol - tables.terminals];
          nullable = facts.nullable[symbol - tables.terminals];
        } else {
          first.set(symbol);
          nullable = false;
        }
      }
      changed |= first != facts.first[head] || (nullable && !facts.nullable[head]);
      facts.first[head] = first;
      if (nullable) facts.nullable[head] = true;
    }
  }
}

void find_follow(GrammarFacts& facts) {
  const GrammarTables& tables = facts.tables;
  for (bool changed = true; changed;) {
    changed = false;
    for (std::uint32_t p = 0; p < tables.productions; ++p) {
      Terminals after = facts.follow[tables.heads[p] - tables.terminals];
      for (std::uint32_t i = tables.bodies[p + 1]; i-- > tables.bodies[p];) {
        const std::uint16_t symbol = tables.symbols[i];
        if (!facts.is_nonterminal(symbol)) {
          after.reset();
          after.set(symbol);
          continue;
        }
        const std::size_t n = symbol - tables.terminals;
        const Terminals all = facts.follow[n] | after;
        changed |= all != facts.follow[n];
        facts.follow[n] = all;
        after = facts.nullable[n] ? after | facts.first[n] : facts.first[n];
      }
    }
  }
}

}  // namespace

GrammarFacts::GrammarFacts(const GrammarTables& grammar) : tables(grammar) {
  rules.resize(tables.nonterminals);
  nullable.assign(tables.nonterminals, false);
  first.resize(tables.nonterminals);
  follow.resize(tables.nonterminals);
  for (std::uint32_t p = 0; p < tables.productions; ++p) {
    rules[tables.heads[p] - tables.terminals].push_back(static_cast<std::uint32_t>(next.size()));
    for (std::uint32_t i = tables.bodies[p]; i < tables.bodies[p + 1]; ++i) {
      next.push_back(tables.symbols[i]);
      head.push_back(tables.heads[p]);
    }
    next.push_back(kEnd);
    head.push_back(tables.heads[p]);
  }
  find_first(*this);
  find_follow(*this);
  reach.assign(tables.nonterminals, std::vector<std::uint64_t>(reach_words(), 0));
  for (std::size_t from = 0; from < tables.nonterminals; ++from) {
    std::vector<std::size_t> todo{from};
    set_bit(reach[from], from);
    while (!todo.empty()) {
      const std::size_t n = todo.back();
      todo.pop_back();
      for (const std::uint32_t rule : rules[n]) {
        for (std::uint32_t item = rule; next[item] != kEnd; ++item) {
          if (!is_nonterminal(next[item])) continue;
          const std::size_t inner = next[item] - tables.terminals;
          if (has_bit(reach[from], inner)) continue;
          set_bit(reach[from], inner);
          todo.push_back(inner);
        }
      }
    }
  }
}

ItemSets::ItemSets(const GrammarFacts& facts) : facts_(facts) {
  for (std::uint16_t t = 0; t < facts.tables.terminals; ++t) {
    if (facts.tables.virtual_tokens[t] == static_cast<std::uint8_t>(VirtualToken::dedent)) dedent_ = t;
  }
  const auto& rules = facts.rules[facts.tables.start - facts.tables.terminals];
  std::vector<std::uint32_t> items(rules.begin(), rules.end());
  advance_over_nullable(items);
  const State kernel = intern(std::move(items));
  const State begun = predicted(kernel);
  start_ = begun < 0 ? kernel : merged(kernel, begun);
}

ItemSets::State ItemSets::intern(std::vector<std::uint32_t> items) {
  if (items.empty()) return -1;
  const auto [entry, is_new] = known_.try_emplace(items, static_cast<State>(sets_.size()));
  if (!is_new) return entry->second;
  Set set;
  for (const std::uint32_t item : items) {
    const std::uint16_t symbol = facts_.next[item];
    if (symbol == GrammarFacts::kEnd) {
      set.completed.push_back(facts_.head[item]);
      set.follow |= facts_.follow[facts_.head[item] - facts_.tables.terminals];
    } else if (facts_.is_nonterminal(symbol)) {
      set.first |= facts_.first[symbol - facts_.tables.terminals];
    } else {
      set.first.set(symbol);
    }
  }
  std::sort(set.completed.begin(), set.completed.end());
  set.completed.erase(std::unique(set.completed.begin(), set.completed.end()), set.completed.end());
  set.items = std::move(items);
  sets_.push_back(std::move(set));
  return entry->second;
}

void ItemSets::advance_over_nullable(std::vector<std::uint32_t>& items) const {
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::uint16_t symbol = facts_.next[items[i]];
    if (symbol != GrammarFacts::kEnd && facts_.is_nonterminal(symbol) &&
        facts_.nullable[symbol - facts_.tables.terminals]) {
      items.push_back(items[i] + 1);
    }
  }
  sort_unique(items);
}

ItemSets::State ItemSets::make_after(State state, std::uint16_t symbol) {
  std::vector<std::uint32_t> items;
  for (const std::uint32_t item : sets_[state].items) {
    if (facts_.next[item] == symbol) items.push_back(item + 1);
  }
  advance_over_nullable(items);
  const State target = intern(std::move(items));
  after_[static_cast<std::uint64_t>(state) << 16U | symbol] = target;
  return target;
}

ItemSets::State ItemSets::predicted(State state) {
  if (sets_[state].predicted != -2) return sets_[state].predicted;
  std::vector<bool> seen(facts_.tables.nonterminals, false);
  std::vector<std::uint32_t> items;
  const auto predict = [&](std::uint32_t item) {
    const std::uint16_t symbol = facts_.next[item];
    if (symbol == GrammarFacts::kEnd || !facts_.is_nonterminal(symbol)) return;
    const std::size_t n = symbol - facts_.tables.terminals;
    if (seen[n]) return;
    seen[n] = true;
    for (std::uint32_t rule : facts_.rules[n]) {
      items.push_back(rule);
      while (facts_.next[rule] != GrammarFacts::kEnd && facts_.is_nonterminal(facts_.next[rule]) &&
             facts_.nullable[facts_.next[rule] - facts_.tables.terminals]) {
        items.push_back(++rule);
      }
    }
  };
  for (const std::uint32_t item : sets_[state].items) predict(item);
  for (std::size_t i = 0; i < items.size(); ++i) predict(items[i]);
  sort_unique(items);
  const State target = intern(std::move(items));
  sets_[state].predicted = target;
  return target;
}

ItemSets::State ItemSets::merged(State a, State b) {
  if (a == b || b < 0) return a;
  if (a < 0) return b;
  if (a > b) std::swap(a, b);
  const std::uint64_t key = static_cast<std::uint64_t>(a) << 32U | static_cast<std::uint32_t>(b);
  const State known = merged_[key];
  if (known != -2) return known;
  std::vector<std::uint32_t> items;
  std::set_union(sets_[a].items.begin(), sets_[a].items.end(), sets_[b].items.begin(),
                 sets_[b].items.end(), std::back_inserter(items));
  const State target = intern(std::move(items));
  merged_[key] = target;
  return target;
}

ItemSets::State ItemSets::through_hole(State state) {
  if (sets_[state].through_hole != -2) return sets_[state].through_hole;
  std::vector<std::uint32_t> items;
  for (std::uint32_t item : sets_[state].items) {
    items.push_back(item);
    while (facts_.next[item] != GrammarFacts::kEnd) items.push_back(++item);
  }
  sort_unique(items);
  const State target = intern(std::move(items));
  sets_[state].through_hole = target;
  return target;
}

void ItemSets::add_needs(State state, std::vector<std::uint64_t>& bits) {
  if (sets_[state].needs < 0) {
    std::vector<std::uint64_t> found(facts_.reach_words(), 0);
    for (const std::uint32_t item : sets_[state].items) {
      const std::uint16_t symbol = facts_.next[item];
      if (symbol == GrammarFacts::kEnd || !facts_.is_nonterminal(symbol)) continue;
      const auto& reach = facts_.reach[symbol - facts_.tables.terminals];
      for (std::size_t i = 0; i < found.size(); ++i) found[i] |= reach[i];
    }
    sets_[state].needs = static_cast<std::int32_t>(needs_.size());
    needs_.push_back(std::move(found));
  }
  const auto& needs = needs_[sets_[state].needs];
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] |= needs[i];
}

ItemSets::State ItemSets::universe(const std::vector<std::uint64_t>& bits) {
  const auto known = universes_.find(bits);
  if (known != universes_.end()) return known->second;
  std::vector<std::uint32_t> items;
  for (std::size_t n = 0; n < facts_.tables.nonterminals; ++n) {
    if (!has_bit(bits, n)) continue;
    for (std::uint32_t item : facts_.rules[n]) {
      items.push_back(item);
      while (facts_.next[item] != GrammarFacts::kEnd) items.push_back(++item);
    }
  }
  sort_unique(items);
  const State target = intern(std::move(items));
  universes_.emplace(bits, target);
  return target;
}

ItemSets::State ItemSets::realigned(State state) {
  if (sets_[state].realigned != -2) return sets_[state].realigned;
  std::vector<std::uint32_t> items;
  for (const std::uint32_t item : sets_[state].items) {
    const bool ends = facts_.next[item] == GrammarFacts::kEnd || facts_.next[item] == dedent_;
    if (ends || facts_.tables.aligned[facts_.head[item] - facts_.tables.terminals] == 0) {
      items.push_back(item);
    }
  }
  const State target = intern(std::move(items));
  sets_[state].realigned = target;
  return target;
}

}  // namespace lacuna::grammar
