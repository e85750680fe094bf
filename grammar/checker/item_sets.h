// Sets of dotted rules, the states of the Earley recogniser: made where they are needed and kept.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "grammar/checker/flat_map.h"
#include "grammar/checker/tables.h"

namespace lacuna::grammar {

using Terminals = std::bitset<256>;

// Facts of a grammar that do not depend on a text.
struct GrammarFacts {
  explicit GrammarFacts(const GrammarTables& tables);

  static constexpr std::uint16_t kEnd = 0xFFFF;

  const GrammarTables& tables;
  // Of each dotted rule: the symbol after the dot or kEnd, and the head. The dotted rules of a
  // production follow each other.
  std::vector<std::uint16_t> next;
  std::vector<std::uint16_t> head;
  std::vector<std::vector<std::uint32_t>> rules;  // of each nonterminal: its rules, dot first
  std::vector<bool> nullable;                     // by nonterminal
  std::vector<Terminals> first;                   // by nonterminal
  std::vector<Terminals> follow;                  // by nonterminal
  std::vector<std::vector<std::uint64_t>> reach;  // by nonterminal: bits of those in its derivations

  std::size_t reach_words() const { return (tables.nonterminals + 63U) / 64U; }
  bool is_nonterminal(std::uint16_t symbol) const { return symbol >= tables.terminals; }
};

// States are sets as in an LR(0) automaton; what belongs to one set has one origin (Aycock and
// Horspool, "Practical Earley Parsing", 2002; without their split of the sets). -1: no such state.
class ItemSets {
 public:
  using State = std::int32_t;

  struct Set {
    std::vector<std::uint32_t> items;      // dotted rules, sorted
    std::vector<std::uint16_t> completed;  // heads of the complete ones (symbol numbers)
    Terminals first;                       // terminals that may come next
    Terminals follow;                      // terminals that may follow what is complete
    State predicted = -2;                  // -2: not made yet
    State through_hole = -2;
    State realigned = -2;
    std::int32_t needs = -1;  // index of the set of nonterminals that a hole here may derive from
  };

  explicit ItemSets(const GrammarFacts& facts);

  const Set& operator[](State state) const { return sets_[state]; }
  std::size_t size() const { return sets_.size(); }

  // Rules of the start symbol and what they begin with.
  State start() const { return start_; }
  // After one more symbol.
  State after(State state, std::uint16_t symbol) {
    std::int32_t& known = after_[static_cast<std::uint64_t>(state) << 16U | symbol];
    return known != -2 ? known : make_after(state, symbol);
  }
  // Rules that may begin after the state.
  State predicted(State state);
  // Both.
  State merged(State a, State b);
  // After any number of any symbols: a hole.
  State through_hole(State state);
  // Adds the nonterminals that a hole in `state` may stand in the middle of to `bits`.
  void add_needs(State state, std::vector<std::uint64_t>& bits);
  // All dotted rules of these nonterminals.
  State universe(const std::vector<std::uint64_t>& bits);
  // Without the rules that would go on in another column than they began in (but a dedent may come).
  State realigned(State state);

 private:
  State intern(std::vector<std::uint32_t> items);
  State make_after(State state, std::uint16_t symbol);
  void advance_over_nullable(std::vector<std::uint32_t>& items) const;

  const GrammarFacts& facts_;
  std::vector<Set> sets_;
  std::map<std::vector<std::uint32_t>, State> known_;
  std::map<std::vector<std::uint64_t>, State> universes_;
  std::vector<std::vector<std::uint64_t>> needs_;
  FlatMap after_, merged_;
  std::uint16_t dedent_ = GrammarFacts::kEnd;
  State start_ = -1;
};

}  // namespace lacuna::grammar
