// All token patterns of a language as one automaton, made deterministic where it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <vector>

#include "grammar/checker/tables.h"

namespace lacuna::grammar {

// A state stands for a set of states of the patterns: what may have been read so far. State 0 is
// the empty set. Reading a hole is one more step: the set of all states that some bytes lead to.
class TokenAutomaton {
 public:
  using State = std::int32_t;

  explicit TokenAutomaton(const GrammarTables& tables);

  // Terminals that most text could be, as the text between tags: to look for them everywhere is
  // dear, and they are rarely expected.
  std::span<const std::uint16_t> broad() const { return broad_; }
  // `tight`: with the tokens that must begin where the one before ended. `expected`: with those of
  // broad() whose bits are set.
  State start(bool tight, unsigned expected) {
    const State known = starts_[tight ? 1 : 0][expected];
    return known >= 0 ? known : make_start(tight, expected);
  }
  State step(State state, std::uint8_t byte) {
    const State known = nodes_[state].next[byte];
    return known >= 0 ? known : make_step(state, byte);
  }
  // After a hole of any length that the token was begun before.
  State through_hole(State state);
  // After the last of one or more bytes in a hole. `blocks`: with tokens that may span lines.
  State begun_in_hole(bool blocks) const { return blocks ? begun_any_ : begun_line_; }
  // The set of this state of a pattern alone.
  State only(std::uint16_t token_state) { return intern({token_state}); }

  std::span<const std::uint16_t> states(State state) const { return nodes_[state].set; }
  std::span<const std::uint16_t> accepting(State state) const { return nodes_[state].accepting; }
  std::size_t size() const { return nodes_.size(); }

 private:
  struct Node {
    std::vector<std::uint16_t> set;        // sorted
    std::vector<std::uint16_t> accepting;  // those of `set` that accept
    std::vector<State> next;               // -1: not made yet
    State through_hole = -1;
  };

  State intern(std::vector<std::uint16_t> set);
  bool is_broad(const TokenPattern& pattern) const;
  State make_start(bool tight, unsigned expected);
  State make_step(State state, std::uint8_t byte);

  const GrammarTables& tables_;
  std::vector<std::vector<std::uint16_t>> reachable_;  // by any bytes, itself included
  std::deque<Node> nodes_;                             // references stay valid
  std::map<std::vector<std::uint16_t>, State> known_;
  std::vector<std::uint16_t> broad_;
  std::vector<State> starts_[2];  // by `expected`, -1: not made yet; index tight
  State begun_any_ = 0, begun_line_ = 0;
};

}  // namespace lacuna::grammar
