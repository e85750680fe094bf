#include "grammar/checker/token_automaton.h"

#include <algorithm>
#include <utility>

namespace lacuna::grammar {
namespace {

constexpr std::size_t kMostBroad = 6;

void sort_unique(std::vector<std::uint16_t>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

std::span<const TokenMove> moves_of(const GrammarTables& tables, std::uint16_t state) {
  const TokenState& row = tables.states[state];
  return {tables.moves + row.first_move, row.moves};
}

}  // namespace

TokenAutomaton::TokenAutomaton(const GrammarTables& tables) : tables_(tables) {
  reachable_.resize(tables.state_count);
  for (std::uint16_t state = 0; state < tables.state_count; ++state) {
    std::vector<std::uint16_t>& found = reachable_[state];
    std::vector<bool> seen(tables.state_count, false);
    found.push_back(state);
    seen[state] = true;
    for (std::size_t i = 0; i < found.size(); ++i) {
      for (const TokenMove& move : moves_of(tables, found[i])) {
        if (!seen[move.target]) found.push_back(move.target);
        seen[move.target] = true;
      }
    }
    std::sort(found.begin(), found.end());
  }
  intern({});
  std::vector<std::uint16_t> begun_any, begun_line;
  for (std::uint16_t i = 0; i < tables.pattern_count; ++i) {
    const TokenPattern& pattern = tables.patterns[i];
    if (is_broad(pattern) && broad_.size() < kMostBroad &&
        std::find(broad_.begin(), broad_.end(), pattern.terminal) == broad_.end()) {
      broad_.push_back(pattern.terminal);
    }
    for (const TokenMove& move : moves_of(tables, pattern.first_state)) {
      const auto& after = reachable_[move.target];
      begun_any.insert(begun_any.end(), after.begin(), after.end());
      if ((pattern.flags & Block) == 0) {
        begun_line.insert(begun_line.end(), after.begin(), after.end());
      }
    }
  }
  sort_unique(begun_any);
  sort_unique(begun_line);
  for (std::vector<State>& starts : starts_) starts.assign(std::size_t{1} << broad_.size(), -1);
  begun_any_ = intern(std::move(begun_any));
  begun_line_ = intern(std::move(begun_line));
}

bool TokenAutomaton::is_broad(const TokenPattern& pattern) const {
  int begins = 0;  // characters of ASCII that it begins with; a name has 53
  for (const TokenMove& move : moves_of(tables_, pattern.first_state)) {
    begins += std::max(0, std::min(int{move.high}, 127) + 1 - int{move.low});
  }
  return begins > 80 && (pattern.flags & Extra) == 0;
}

TokenAutomaton::State TokenAutomaton::make_start(bool tight, unsigned expected) {
  std::vector<std::uint16_t> set;
  for (std::uint16_t i = 0; i < tables_.pattern_count; ++i) {
    const TokenPattern& pattern = tables_.patterns[i];
    if (!tight && (pattern.flags & Tight) != 0) continue;
    const auto broad = std::find(broad_.begin(), broad_.end(), pattern.terminal);
    if (broad != broad_.end() && (expected >> (broad - broad_.begin()) & 1U) == 0) continue;
    set.push_back(pattern.first_state);
  }
  return starts_[tight ? 1 : 0][expected] = intern(std::move(set));
}

TokenAutomaton::State TokenAutomaton::intern(std::vector<std::uint16_t> set) {
  const auto [entry, is_new] = known_.try_emplace(set, static_cast<State>(nodes_.size()));
  if (is_new) {
    Node node;
    for (const std::uint16_t state : set) {
      if (tables_.states[state].accepting != 0) node.accepting.push_back(state);
    }
    node.set = std::move(set);
    node.next.assign(256, node.set.empty() ? 0 : -1);
    nodes_.push_back(std::move(node));
  }
  return entry->second;
}

TokenAutomaton::State TokenAutomaton::make_step(State state, std::uint8_t byte) {
  std::vector<std::uint16_t> after;
  for (const std::uint16_t from : nodes_[state].set) {
    for (const TokenMove& move : moves_of(tables_, from)) {
      if (move.low <= byte && byte <= move.high) after.push_back(move.target);
    }
  }
  sort_unique(after);
  const State target = intern(std::move(after));
  nodes_[state].next[byte] = target;
  return target;
}

TokenAutomaton::State TokenAutomaton::through_hole(State state) {
  if (nodes_[state].through_hole < 0) {
    std::vector<std::uint16_t> after;
    for (const std::uint16_t from : nodes_[state].set) {
      after.insert(after.end(), reachable_[from].begin(), reachable_[from].end());
    }
    sort_unique(after);
    const State target = intern(std::move(after));
    nodes_[state].through_hole = target;
  }
  return nodes_[state].through_hole;
}

}  // namespace lacuna::grammar
