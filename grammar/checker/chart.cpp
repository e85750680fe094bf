#include "grammar/checker/chart.h"

#include <algorithm>
#include <cstring>

namespace lacuna::grammar {
namespace {

constexpr std::int16_t kDeepest = 1000;

// Where the scanners of JavaScript and TypeScript do not end a statement at a line end.
bool continues_statement(std::uint16_t next) {
  return next > 0 && next < 128 && std::strchr(",;*%>=?^|&:", static_cast<int>(next)) != nullptr;
}

}  // namespace

Chart::Chart(const ItemMasks& masks, Lexer& lexer)
    : masks_(masks), memo_(masks), tables_(masks.tables()), lexer_(lexer), words_(masks.set_words()) {
  for (std::uint16_t t = 0; t < tables_.terminals; ++t) {
    switch (static_cast<VirtualToken>(tables_.virtual_tokens[t])) {
      case VirtualToken::Semicolon:
        semicolon_ = t;
        break;
      case VirtualToken::Newline:
        newline_ = t;
        break;
      case VirtualToken::Indent:
        indent_ = t;
        break;
      case VirtualToken::Dedent:
        dedent_ = t;
        break;
      case VirtualToken::EndOfFile:
        end_of_file_ = t;
        break;
      case VirtualToken::None:
        break;
    }
  }
  bracket_.assign(tables_.terminals, 0);
  for (std::uint16_t i = 0; i < tables_.pattern_count; ++i) {
    const TokenPattern& pattern = tables_.patterns[i];
    const TokenState& first = tables_.states[pattern.first_state];
    if (pattern.states != 2 || first.moves != 1) continue;
    const TokenMove& move = tables_.moves[first.first_move];
    if (move.low != move.high || move.low == 0) continue;
    if (std::strchr("([{", move.low) != nullptr) bracket_[pattern.terminal] = 1;
    if (std::strchr(")]}", move.low) != nullptr) bracket_[pattern.terminal] = -1;
  }
  heads_.resize(masks.head_words());
  done_heads_.resize(masks.head_words());
}

Chart::Result Chart::run(const PartialText& text, std::size_t budget) {
  note_change(text);
  const std::uint32_t cut = keep_common(text);
  steps_ = 0;
  accepted_ = -1;
  if (places_.empty()) {
    const Kind kind = !text_.empty() && text_[0] == kHole ? Kind::Hole : Kind::Plain;
    Waiting& start = waiting_at({0, kind, {0, false, 0}});
    start.entries.push_back({0, static_cast<std::uint32_t>(waiting_items_.size())});
    waiting_items_.insert(waiting_items_.end(), masks_.start(), masks_.start() + words_);
  }
  std::size_t longest = 0;
  for (const Ending& ending : endings_) longest = std::max<std::size_t>(longest, ending.behind);
  for (std::uint32_t at = cut; at <= text_.size(); ++at) {
    for (std::size_t i = 0; at + longest >= text_.size() && i < endings_.size(); ++i) {
      if (text_.size() - at != endings_[i].behind || !reaches_ending(endings_[i])) continue;
      std::rotate(endings_.begin(), endings_.begin() + static_cast<std::ptrdiff_t>(i),
                  endings_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      return Result::Accepted;
    }
    for (std::int32_t i = first_here_[at]; i >= 0; i = waiting_[i].next_here) {
      work_off(i);
      if (steps_ > budget) return Result::OutOfBudget;
    }
  }
  if (accepted_ < 0) return Result::Rejected;
  remember_ending();
  return Result::Accepted;
}

// Drops every place from the first on that looked at changed text, and sends what the kept ones
// have for the places after them. Returns the offset where work goes on.
std::uint32_t Chart::keep_common(const PartialText& text) {
  const auto differ = std::mismatch(text_.begin(), text_.end(), text.begin(), text.end());
  const auto same = static_cast<std::uint32_t>(differ.first - text_.begin());
  const auto changed = std::find_if(places_.begin(), places_.end(),
                                    [&](const Place& place) { return place.seen_up_to > same; });
  // The last run may have ended after any place.
  const std::uint32_t cut = places_.empty()            ? 0
                            : changed == places_.end() ? places_.back().site.at
                                                       : changed->site.at;
  const auto first = std::find_if(places_.begin(), changed,
                                  [&](const Place& place) { return place.site.at >= cut; });
  places_.erase(first, places_.end());
  kept_ = places_.size();
  text_ = text;
  waiting_count_ = 0;
  waiting_items_.clear();
  first_here_.assign(text_.size() + 1, -1);
  last_here_.assign(text_.size() + 1, -1);
  entries_.resize(kept_ == 0 ? 0 : places_.back().last_entry);
  sparse_.resize(entries_.empty() ? 0 : entries_.back().last);
  edges_.resize(kept_ == 0 ? 0 : places_.back().last_edge);
  done_.resize(kept_ == 0 ? 0 : places_.back().last_done);
  all_heads_.resize(done_.size() * heads_.size());
  for (Rank rank = 0; rank < kept_; ++rank) {
    if (places_[rank].farthest >= cut) scan(rank, cut, nullptr);
  }
  return cut;
}

Chart::Waiting& Chart::waiting_at(const Site& site) {
  for (std::int32_t i = first_here_[site.at]; i >= 0; i = waiting_[i].next_here) {
    if (waiting_[i].site == site) return waiting_[i];
  }
  if (waiting_count_ == waiting_.size()) waiting_.resize(waiting_.size() * 2 + 64);
  const auto index = static_cast<std::int32_t>(waiting_count_++);
  Waiting& waiting = waiting_[index];
  waiting.site = site;
  waiting.next_here = -1;
  waiting.entries.clear();
  if (first_here_[site.at] < 0) {
    first_here_[site.at] = index;
  } else {
    waiting_[last_here_[site.at]].next_here = index;
  }
  last_here_[site.at] = index;
  return waiting;
}

void Chart::work_off(std::int32_t index) {
  const Site site = waiting_[index].site;
  rank_ = static_cast<Rank>(places_.size());
  Place place{};
  place.site = site;
  place.first_edge = static_cast<std::uint32_t>(edges_.size());
  place.first_entry = static_cast<std::uint32_t>(entries_.size());
  place.first_done = static_cast<std::uint32_t>(done_.size());
  find_edges(site, expected_at(waiting_[index]));
  place.seen_up_to = gap_.seen_up_to;
  place.farthest = site.at;
  for (std::size_t i = place.first_edge; i < edges_.size(); ++i) {
    place.farthest = std::max(place.farthest, edges_[i].target.at);
  }
  work_.clear();
  work_items_.clear();
  for (const Entry& entry : waiting_[index].entries) {
    const std::size_t at = work_entry(entry.origin);
    masks_.unite(waiting_items_.data() + entry.items, work_at(at));
  }
  if (site.kind == Kind::Hole) join_holes();
  close(site);
  store();
  place.last_entry = static_cast<std::uint32_t>(entries_.size());
  place.last_edge = static_cast<std::uint32_t>(edges_.size());
  place.last_done = static_cast<std::uint32_t>(done_.size());
  places_.push_back(place);
  scan(rank_, 0, all_.data());
}

// From the second hole on: what began since the first one counts as begun in this one, and what
// waited for it waits here. A hole can end whatever is open before it and begin it again, so this
// hardly accepts more; and there is one place where rules began in holes, instead of one for each
// hole and each place between them.
void Chart::join_holes() {
  const auto is_hole = [](const Place& place) { return place.site.kind == Kind::Hole; };
  const auto found = std::find_if(places_.begin(), places_.end(), is_hole);
  if (found == places_.end()) return;
  // The start stays what it is.
  const auto first = std::max(static_cast<Rank>(found - places_.begin()), Rank{1});
  const std::size_t own = work_entry(rank_);  // the latest, so it stays the first
  for (std::size_t i = 1; i < work_.size() && work_[i].origin >= first; ++i) {
    masks_.unite(work_at(i), work_at(own));
  }
  std::erase_if(work_, [&](const Entry& entry) {
    return entry.origin >= first && entry.origin != rank_;
  });
  Rank since = rank_ - 1;
  while (!is_hole(places_[since])) --since;
  for (std::uint32_t e = places_[since].first_entry; e < entries_.size(); ++e) {
    const KeptEntry& kept = entries_[e];
    Word* const to = work_at(kept.origin >= first ? own : work_entry(kept.origin));
    add(kept, to);
  }
}

// ------------------------------------------------------------------------------------------ edges

void Chart::add_edge(std::int32_t terminal, const Site& target) {
  if (terminal >= 0) {
    const auto symbol = static_cast<std::uint16_t>(terminal);
    if (std::find(out_.begin(), out_.end(), symbol) == out_.end()) out_.push_back(symbol);
  } else {
    open_ = true;
  }
  edges_.push_back({terminal, target});
}

void Chart::add_token_edge(std::uint16_t terminal, std::uint32_t end, Context context) {
  if (end < text_.size() && text_[end] == kHole) {
    add_edge(terminal, {end, Kind::Hole, {}});
    return;
  }
  if (!tables_.layout) {
    add_edge(terminal, {end, Kind::Plain, {}});
    return;
  }
  if (bracket_[terminal] > 0) {
    if (context.depth < kDeepest) ++context.depth;
  } else if (bracket_[terminal] < 0) {
    if (context.depth == 0) return;  // nothing is open
    if (context.depth == 1 && context.more) {
      add_edge(terminal, {end, Kind::Plain, context});
      context.more = false;
    }
    --context.depth;
  }
  add_edge(terminal, {end, Kind::Plain, context});
}

void Chart::lexeme_edges(Context context) {
  const bool lines_matter = tables_.layout && context.depth == 0;
  for (const Lexeme& lexeme : gap_.lexemes) {
    if (lines_matter && lexeme.after_line_end) continue;
    add_token_edge(lexeme.terminal, lexeme.end, context);
  }
}

// The ends of a line outside brackets: a newline, or an indent, and then a line that begins in a
// known column. After a hole, which of them it was is in the hole.
void Chart::line_edges(Context context, bool hole) {
  for (const LineStart& line : gap_.lines) {
    const Site target{line.at, Kind::LineStart, {0, false, line.column}};
    add_edge(hole ? -1 : newline_, target);
    const bool deeper = line.column != 0 && (line.column < 0 || line.column > context.column);
    if (deeper && !hole) add_edge(indent_, target);
  }
  if (gap_.at_end) {
    const auto end = static_cast<std::uint32_t>(text_.size());
    add_edge(hole ? -1 : newline_, {end, Kind::LineStart, {0, false, 0}});
  }
}

// Which of the lexer's broad terminals some rule may go on with.
unsigned Chart::expected_at(const Waiting& waiting) const {
  unsigned expected = 0;
  for (std::size_t i = 0; i < lexer_.broad().size(); ++i) {
    const Word* const wanted = masks_.viable(lexer_.broad()[i]);
    const bool some = waiting.site.kind == Kind::Hole ||
                      std::any_of(waiting.entries.begin(), waiting.entries.end(),
                                  [&](const Entry& entry) {
                                    return masks_.meet(waiting_items_.data() + entry.items, wanted);
                                  });
    if (some) expected |= 1U << i;
  }
  return expected;
}

void Chart::find_edges(const Site& site, unsigned expected) {
  const bool layout = tables_.layout;
  const bool first = rank_ == 0;
  out_.clear();
  open_ = site.kind == Kind::Hole;
  gap_.clear();
  if (site.kind == Kind::LineStart) {
    lexer_.tokens_at(text_, site.at, gap_);
  } else {
    lexer_.gap_at(text_, site.at, expected, gap_);
  }
  at_end_ = gap_.at_end && (!layout || site.kind != Kind::Plain || first);
  if (at_end_) open_ = true;

  if (layout && site.kind == Kind::Hole) {
    lexeme_edges({0, false, -1});
    lexeme_edges({1, true, -1});
    line_edges({}, true);
  } else {
    lexeme_edges(site.context);
    if (layout && site.kind == Kind::Plain && site.context.depth == 0) {
      line_edges(site.context, first);
    }
  }
  for (const std::uint32_t hole : gap_.holes) {
    if (hole != site.at) add_edge(-1, {hole, Kind::Hole, {}});
  }
  if (site.kind != Kind::Plain) return;
  const bool statement_end =
      gap_.at_end || gap_.next == '}' || (gap_.after_line_end && !continues_statement(gap_.next));
  if (semicolon_ >= 0 && statement_end) {
    add_edge(semicolon_, {site.at, Kind::AfterVirtual, site.context});
  }
  if (end_of_file_ >= 0 && gap_.at_end) {
    add_edge(end_of_file_, {site.at, Kind::AfterVirtual, site.context});
  }
}

// ------------------------------------------------------------------------------------------ items

// The entry of an origin among those in work, made where there is none. Later origins come first.
std::size_t Chart::work_entry(Rank origin) {
  std::size_t i = 0;
  while (i < work_.size() && work_[i].origin > origin) ++i;
  if (i < work_.size() && work_[i].origin == origin) return i;
  const auto offset = static_cast<std::uint32_t>(work_items_.size());
  work_.insert(work_.begin() + static_cast<std::ptrdiff_t>(i), Entry{origin, offset});
  work_items_.resize(offset + words_, 0);
  return i;
}

bool Chart::meets(const KeptEntry& entry, const Word* symbols) const {
  for (std::uint32_t i = entry.first; i < entry.last; ++i) {
    if ((sparse_[i].word & symbols[sparse_[i].index]) != 0) return true;
  }
  return false;
}

void Chart::add(const KeptEntry& entry, Word* to) const {
  for (std::uint32_t i = entry.first; i < entry.last; ++i) {
    to[sparse_[i].index] |= sparse_[i].word;
    masks_.mark(to, sparse_[i].index);
  }
}

bool Chart::advance(const KeptEntry& entry, const Word* symbols, Word* to) const {
  bool any = false;
  for (std::uint32_t i = entry.first; i < entry.last; ++i) {
    const Word moved = sparse_[i].word & symbols[sparse_[i].index];
    if (moved == 0) continue;
    any = true;
    masks_.advance_word(sparse_[i].index, moved, to);
  }
  return any;
}

// Keeps what some token after this place goes on with.
void Chart::prune(Word* items) const {
  if (!open_) masks_.intersect(items, viable_.data());
}

void Chart::close(const Site& site) {
  viable_.assign(words_, 0);
  if (!open_) {
    for (const std::uint16_t terminal : out_) {
      masks_.unite(masks_.viable(terminal), viable_.data());
    }
  }
  // Completing adds to earlier origins only, which come later.
  for (std::size_t i = 0; i < work_.size(); ++i) settle(site, work_[i].origin, i);
  predict(site);
}

// The column in which the line of a place begins, where it is the first thing on it.
std::int32_t Chart::column_of(Rank origin) const {
  const Site& site = origin < places_.size() ? places_[origin].site : Site{};
  if (origin == 0) return site.kind == Kind::Hole ? -1 : 0;
  return site.kind == Kind::LineStart ? site.context.column : -1;
}

// Adds what follows a dedent before this line to the rules that began at `origin`.
void Chart::end_block(const Site& site, Rank origin, Word* items) {
  const std::int32_t column = site.context.column;
  if (column >= 0 && origin < rank_) {
    // A block begins at its first line; the list of cases of a match on the line of `match`.
    const std::int32_t began = column_of(origin);
    const std::int32_t line = places_[origin].site.context.column;
    if (began >= 0 ? column >= began : line >= 0 && column > line) return;
  }
  masks_.advance(items, masks_.before(static_cast<std::uint16_t>(dedent_)), items);
  ++steps_;
}

// Everything that one entry completes.
void Chart::settle(const Site& site, Rank origin, std::size_t index) {
  std::fill(done_heads_.begin(), done_heads_.end(), 0);
  const bool line_start = site.kind == Kind::LineStart;
  for (;;) {
    if (site.kind == Kind::Hole) masks_.through_hole(work_at(index));
    if (line_start) {
      end_block(site, origin, work_at(index));
    } else {
      prune(work_at(index));
    }
    if (at_end_ && origin == 0 && masks_.meet(work_at(index), masks_.whole())) accepted_ = rank_;
    // What is complete where it began was stepped over.
    if (origin == rank_ || !complete(site, origin, index)) break;
  }
  if (std::any_of(done_heads_.begin(), done_heads_.end(), [](Word word) { return word != 0; })) {
    done_.push_back({origin, static_cast<std::uint32_t>(all_heads_.size())});
    all_heads_.insert(all_heads_.end(), done_heads_.begin(), done_heads_.end());
  }
  if (!line_start) return;
  const std::int32_t began = column_of(origin);
  if (began >= 0 && site.context.column >= 0 && began != site.context.column) {
    masks_.realign(work_at(index));
  }
  prune(work_at(index));
}

// Moves the rules that waited at `origin` for what the entry completes. True when the entry itself
// has grown.
bool Chart::complete(const Site& site, Rank origin, std::size_t index) {
  std::fill(heads_.begin(), heads_.end(), 0);
  const bool in_hole = site.kind == Kind::Hole;
  const bool from_hole = places_[origin].site.kind == Kind::Hole;
  if (!masks_.completed(work_at(index), from_hole, in_hole, heads_.data())) return false;
  Word fresh = 0;
  for (std::size_t i = 0; i < heads_.size(); ++i) {
    heads_[i] &= ~done_heads_[i];
    done_heads_[i] |= heads_[i];
    fresh |= heads_[i];
  }
  if (fresh == 0) return false;
  const Word* const wanted = memo_.before(heads_);
  const Place& place = places_[origin];
  bool grown = false;
  for (std::uint32_t e = place.first_entry; e < place.last_entry; ++e) {
    ++steps_;
    const KeptEntry& waiting = entries_[e];
    if (!meets(waiting, wanted)) continue;
    const Rank began = waiting.origin;
    const std::size_t target = began == origin ? index : work_entry(began);
    grown |= advance(waiting, wanted, work_at(target)) && began == origin;
  }
  return grown;
}

void Chart::predict(const Site& site) {
  const auto offset = static_cast<std::uint32_t>(work_items_.size());
  work_items_.resize(offset + words_, 0);
  Word* const begun = work_items_.data() + offset;
  for (const Entry& entry : work_) {
    const Word* const items = work_items_.data() + entry.items;
    if (site.kind == Kind::Hole) {
      masks_.universe(items, begun);
    } else {
      masks_.predict(items, begun);
    }
  }
  prune(begun);
  if (!work_.empty() && work_.front().origin == rank_) {  // the start
    masks_.unite(begun, work_at(0));
  } else {
    work_.insert(work_.begin(), Entry{rank_, offset});
  }
}

void Chart::store() {
  all_.assign(words_, 0);
  for (const Entry& entry : work_) {
    const Word* const items = work_items_.data() + entry.items;
    const auto first = static_cast<std::uint32_t>(sparse_.size());
    masks_.for_each_word(items, [&](std::size_t i) {
      sparse_.push_back({static_cast<std::uint32_t>(i), items[i]});
    });
    masks_.unite(items, all_.data());
    const auto last = static_cast<std::uint32_t>(sparse_.size());
    if (first != last) entries_.push_back({entry.origin, first, last});
  }
}

// Sends what the place has along its edges to places at `from` and after. `all`: the union of its
// sets, where it is known.
void Chart::scan(Rank rank, std::uint32_t from, const Word* all) {
  const Place place = places_[rank];
  for (std::uint32_t k = place.first_edge; k < place.last_edge; ++k) {
    const Edge& edge = edges_[k];
    if (edge.target.at < from) continue;
    const Word* const symbols =
        edge.terminal < 0 ? nullptr : masks_.before(static_cast<std::uint16_t>(edge.terminal));
    if (all != nullptr && symbols != nullptr && !masks_.meet(all, symbols)) continue;
    for (std::uint32_t e = place.first_entry; e < place.last_entry; ++e) {
      ++steps_;
      const KeptEntry& kept = entries_[e];
      if (symbols != nullptr && !meets(kept, symbols)) continue;
      Waiting& target = waiting_at(edge.target);
      const Rank origin = kept.origin;
      auto entry = std::find_if(target.entries.begin(), target.entries.end(),
                                [&](const Entry& known) { return known.origin == origin; });
      if (entry == target.entries.end()) {
        const auto offset = static_cast<std::uint32_t>(waiting_items_.size());
        waiting_items_.resize(offset + words_, 0);
        entry = target.entries.insert(entry, {origin, offset});
      }
      Word* const to = waiting_items_.data() + entry->items;
      if (symbols == nullptr) {
        add(kept, to);
      } else {
        advance(kept, symbols, to);
      }
    }
  }
}

}  // namespace lacuna::grammar
