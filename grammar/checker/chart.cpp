#include "grammar/checker/chart.h"

#include <algorithm>
#include <cstring>

namespace lacuna::grammar {
namespace {

constexpr std::int16_t kDeepest = 1000;

// Places where the scanner of JavaScript does not end a statement at a line end.
bool continues_statement(std::uint16_t next) {
  return next < 128 && next != 0 &&
         std::strchr(",;*%>=?^|&/:", static_cast<int>(next)) != nullptr && next != '/';
}

}  // namespace

Chart::Chart(const GrammarFacts& facts, ItemSets& sets, Lexer& lexer)
    : facts_(facts), sets_(sets), lexer_(lexer) {
  const GrammarTables& tables = facts.tables;
  for (std::uint16_t t = 0; t < tables.terminals; ++t) {
    switch (static_cast<VirtualToken>(tables.virtual_tokens[t])) {
      case VirtualToken::semicolon: semicolon_ = t; break;
      case VirtualToken::newline: newline_ = t; break;
      case VirtualToken::indent: indent_ = t; break;
      case VirtualToken::dedent: dedent_ = t; break;
      case VirtualToken::end_of_file: end_of_file_ = t; break;
      case VirtualToken::none: break;
    }
  }
  bracket_.assign(tables.terminals, 0);
  for (std::uint16_t i = 0; i < tables.pattern_count; ++i) {
    const TokenPattern& pattern = tables.patterns[i];
    const TokenState& first = tables.states[pattern.first_state];
    if (pattern.states != 2 || first.moves != 1) continue;
    const TokenMove& move = tables.moves[first.first_move];
    if (move.low != move.high) continue;
    if (std::strchr("([{", move.low) != nullptr) bracket_[pattern.terminal] = 1;
    if (std::strchr(")]}", move.low) != nullptr) bracket_[pattern.terminal] = -1;
  }
}

void Chart::forget() {
  nodes_.clear();
  pairs_.clear();
  incoming_.clear();
  text_.clear();
}

Chart::NodeId Chart::node_at(std::uint32_t at, Kind kind, Context context) {
  for (NodeId id = first_here_[at]; id >= 0; id = nodes_[id].next_here) {
    if (nodes_[id].kind == kind && nodes_[id].context == context) return id;
  }
  const auto id = static_cast<NodeId>(nodes_.size());
  Node node;
  node.at = at;
  node.kind = kind;
  node.context = context;
  nodes_.push_back(node);
  if (first_here_[at] < 0) {
    first_here_[at] = id;
  } else {
    nodes_[last_here_[at]].next_here = id;
  }
  last_here_[at] = id;
  return id;
}

Chart::Result Chart::run(const PartialText& text, std::size_t budget) {
  forget();
  text_ = text;
  accepted_ = false;
  made_ = 0;
  first_here_.assign(text.size() + 1, -1);
  last_here_.assign(text.size() + 1, -1);
  const bool hole_first = !text.empty() && text[0] == kHole;
  const NodeId start = node_at(0, hole_first ? Kind::hole : Kind::plain, {0, false, 0});
  send(start, {sets_.start(), start});
  for (std::uint32_t at = 0; at <= text.size(); ++at) {
    for (NodeId id = first_here_[at]; id >= 0; id = nodes_[id].next_here) {
      process(id);
      if (made_ > budget) return Result::out_of_budget;
    }
  }
  return accepted_ ? Result::accepted : Result::rejected;
}

void Chart::process(NodeId id) {
  find_edges(id);
  stamps_.clear();
  work_.clear();
  for (std::int32_t i = nodes_[id].incoming; i >= 0; i = incoming_[i].next) {
    push(id, incoming_[i].pair);
  }
  close(id);
  scan();
}

// ------------------------------------------------------------------------------------------ edges

void Chart::add_edge(std::int32_t terminal, NodeId target) {
  if (terminal >= 0) {
    out_.set(static_cast<std::size_t>(terminal));
  } else {
    open_ = true;
  }
  edges_.push_back({terminal, target});
}

void Chart::add_token_edge(std::uint16_t terminal, std::uint32_t end, Context context) {
  if (end < text_.size() && text_[end] == kHole) {
    add_edge(terminal, node_at(end, Kind::hole, {}));
    return;
  }
  if (!facts_.tables.layout) {
    add_edge(terminal, node_at(end, Kind::plain, {}));
    return;
  }
  if (bracket_[terminal] > 0) {
    if (context.depth < kDeepest) ++context.depth;
  } else if (bracket_[terminal] < 0) {
    if (context.depth == 0) return;  // nothing is open
    if (context.depth == 1 && context.more) {
      add_edge(terminal, node_at(end, Kind::plain, context));
      context.more = false;
    }
    --context.depth;
  }
  add_edge(terminal, node_at(end, Kind::plain, context));
}

void Chart::lexeme_edges(const Gap& gap, Context context) {
  const bool lines_matter = facts_.tables.layout && context.depth == 0;
  for (const Lexeme& lexeme : gap.lexemes) {
    if (lines_matter && lexeme.after_line_end) continue;
    add_token_edge(lexeme.terminal, lexeme.end, context);
  }
}

// The ends of a line outside brackets: a newline, or an indent, and then a line that begins in a
// known column.
void Chart::line_edges(const Gap& gap, Context context, bool hole) {
  for (const LineStart& line : gap.lines) {
    const NodeId target = node_at(line.at, Kind::line_start, {0, false, line.column});
    if (hole) {  // which of them it was is in the hole
      add_edge(-1, target);
      continue;
    }
    add_edge(newline_, target);
    const bool deeper = line.column < 0 || context.column < 0 || line.column > context.column;
    if (deeper) add_edge(indent_, target);
  }
  if (gap.at_end) {
    const NodeId target =
        node_at(static_cast<std::uint32_t>(text_.size()), Kind::line_start, {0, false, 0});
    add_edge(hole ? -1 : newline_, target);
  }
}

void Chart::find_edges(NodeId id) {
  const Node node = nodes_[id];
  const bool layout = facts_.tables.layout;
  edges_.clear();
  out_.reset();
  open_ = node.kind == Kind::hole;
  gap_.lexemes.clear();
  gap_.lines.clear();
  gap_.holes.clear();
  gap_.at_end = gap_.after_line_end = false;
  gap_.next = 0;
  if (node.kind == Kind::line_start) {
    lexer_.tokens_at(text_, node.at, gap_);
    if (dedent_ >= 0) out_.set(static_cast<std::size_t>(dedent_));
  } else {
    lexer_.gap_at(text_, node.at, gap_);
  }
  nodes_[id].seen_up_to = gap_.seen_up_to;
  at_end_ = gap_.at_end && (!layout || node.kind != Kind::plain || id == 0);
  if (at_end_) open_ = true;

  if (layout && node.kind == Kind::hole) {
    lexeme_edges(gap_, {0, false, -1});
    lexeme_edges(gap_, {1, true, -1});
    line_edges(gap_, {}, true);
  } else {
    lexeme_edges(gap_, node.context);
    const bool ends_line = layout && node.kind == Kind::plain && node.context.depth == 0;
    if (ends_line) line_edges(gap_, node.context, id == 0);
  }
  for (const Gap::Hole& hole : gap_.holes) {
    if (hole.at != node.at) add_edge(-1, node_at(hole.at, Kind::hole, {}));
  }
  if (node.kind != Kind::plain) return;
  const bool statement_end =
      gap_.at_end || gap_.next == '}' || (gap_.after_line_end && !continues_statement(gap_.next));
  if (semicolon_ >= 0 && statement_end) {
    add_edge(semicolon_, node_at(node.at, Kind::after_virtual, node.context));
  }
  if (end_of_file_ >= 0 && gap_.at_end) {
    add_edge(end_of_file_, node_at(node.at, Kind::after_virtual, node.context));
  }
}

// ------------------------------------------------------------------------------------------ items

void Chart::send(NodeId target, Pair pair) {
  incoming_.push_back({pair, nodes_[target].incoming});
  nodes_[target].incoming = static_cast<std::int32_t>(incoming_.size()) - 1;
}

bool Chart::useful(ItemSets::State state) const {
  const ItemSets::Set& set = sets_[state];
  return open_ || ((set.first | set.follow) & out_).any();
}

// The column in which the line of a node begins, where it is the first thing on it.
std::int32_t Chart::column_of(NodeId origin) const {
  const Node& node = nodes_[origin];
  if (origin == 0) return node.kind == Kind::hole ? -1 : 0;
  return node.kind == Kind::line_start ? node.context.column : -1;
}

void Chart::push(NodeId id, Pair pair) {
  const Node& node = nodes_[id];
  if (node.kind == Kind::hole) pair.state = sets_.through_hole(pair.state);
  const std::uint64_t key =
      static_cast<std::uint64_t>(pair.origin) << 32U | static_cast<std::uint32_t>(pair.state);
  std::int32_t& seen = stamps_[key];
  if (seen == 1) return;
  seen = 1;
  ++made_;
  if (node.kind == Kind::line_start && node.context.column >= 0) {
    const std::int32_t began = column_of(pair.origin);
    const Node& origin = nodes_[pair.origin];
    // A block begins at its first line; the list of cases of a match begins on the line of `match`.
    const bool may_end =
        began >= 0 ? node.context.column < began
                   : origin.context.column < 0 || node.context.column <= origin.context.column;
    if (dedent_ >= 0 && may_end) {
      const auto after = sets_.after(pair.state, static_cast<std::uint16_t>(dedent_));
      if (after >= 0) push(id, {after, pair.origin});
    }
    if (began >= 0 && began != node.context.column) pair.state = sets_.realigned(pair.state);
  } else if (node.kind == Kind::line_start && dedent_ >= 0) {
    const auto after = sets_.after(pair.state, static_cast<std::uint16_t>(dedent_));
    if (after >= 0) push(id, {after, pair.origin});
  }
  if (pair.state >= 0 && useful(pair.state)) work_.push_back(pair);
}

void Chart::complete(NodeId id, const Pair& pair) {
  if (pair.origin == id) return;  // what is complete where it began was stepped over
  const ItemSets::Set& set = sets_[pair.state];
  for (std::size_t i = 0; i < set.completed.size(); ++i) {
    const std::uint16_t head = sets_[pair.state].completed[i];
    if (!open_ && (facts_.follow[head - facts_.tables.terminals] & out_).none()) continue;
    const std::uint64_t key = std::uint64_t{1} << 62U |
                              static_cast<std::uint64_t>(pair.origin) << 16U | head;
    std::int32_t& seen = stamps_[key];
    if (seen == 1) continue;
    seen = 1;
    const Node& origin = nodes_[pair.origin];
    for (std::uint32_t k = origin.first_pair; k < origin.last_pair; ++k) {
      const Pair waiting = pairs_[k];
      const auto after = sets_.after(waiting.state, head);
      ++made_;
      if (after >= 0) push(id, {after, waiting.origin});
    }
  }
}

void Chart::close(NodeId id) {
  for (std::size_t i = 0; i < work_.size(); ++i) {
    const Pair pair = work_[i];
    const auto& completed = sets_[pair.state].completed;
    if (at_end_ && pair.origin == 0 &&
        std::binary_search(completed.begin(), completed.end(), facts_.tables.start)) {
      accepted_ = true;
    }
    complete(id, pair);
  }
  predict(id);
  nodes_[id].first_pair = static_cast<std::uint32_t>(pairs_.size());
  pairs_.insert(pairs_.end(), work_.begin(), work_.end());
  nodes_[id].last_pair = static_cast<std::uint32_t>(pairs_.size());
}

void Chart::predict(NodeId id) {
  ItemSets::State begun = -1;
  if (nodes_[id].kind == Kind::hole) {
    needs_.assign(facts_.reach_words(), 0);
    for (const Pair& pair : work_) sets_.add_needs(pair.state, needs_);
    begun = sets_.universe(needs_);
  } else {
    for (const Pair& pair : work_) begun = sets_.merged(begun, sets_.predicted(pair.state));
  }
  if (begun >= 0 && useful(begun)) work_.push_back({begun, id});
}

void Chart::scan() {
  for (const Edge& edge : edges_) {
    for (const Pair& pair : work_) {
      if (edge.terminal < 0) {
        send(edge.target, pair);
        continue;
      }
      const auto terminal = static_cast<std::size_t>(edge.terminal);
      if (!sets_[pair.state].first.test(terminal)) continue;
      const auto after = sets_.after(pair.state, static_cast<std::uint16_t>(terminal));
      if (after >= 0) send(edge.target, {after, pair.origin});
    }
  }
}

}  // namespace lacuna::grammar
