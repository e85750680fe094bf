// Ways through the text behind the changes that led to acceptance.
//
// What the rest of a text makes of the chart before it depends on single stacks of rules: the one
// that is begun, the one that waits for it where it began, and so on. After a run over all of the
// text one stack that is accepted is found by going back from the end. When a later state has that
// stack at the same place, it is accepted as well, and the text behind need not be looked at.
#include <algorithm>
#include <cstdint>
#include <unordered_set>
#include <utility>

#include "grammar/checker/chart.h"

namespace lacuna::grammar {
namespace {

constexpr std::size_t kMostEndings = 8;
constexpr std::size_t kMostNodes = 20'000;  // of one search
constexpr std::int64_t kNone = -1;
constexpr std::size_t kUnknown = SIZE_MAX;

}  // namespace

// A rule at a place behind the cut that began before it, on the way back from the end.
struct Chart::Unwound {
  std::uint32_t item;
  Rank origin;
  Rank at;
  std::int64_t parent;   // in the list of all
  std::int64_t waiting;  // the item that waits for it at `origin`, if the parent is of another rule
};

// An edge to a place behind the cut.
struct Chart::Incoming {
  Rank to, from;
  std::int32_t terminal;
};

struct Chart::Search {
  std::uint32_t cut;
  Rank first_hole;
  std::vector<Incoming> incoming;  // by place
  std::vector<Unwound> nodes;
  std::vector<std::size_t> todo;  // the last is looked at first
  std::unordered_set<std::uint64_t> known;

  void add(const Unwound& node) {
    const std::uint64_t key = std::uint64_t{node.item} << 44U | std::uint64_t{node.origin} << 22U |
                              std::uint64_t{node.at};
    if (!known.insert(key).second) return;
    todo.push_back(nodes.size());
    nodes.push_back(node);
  }
};

const Chart::KeptEntry* Chart::kept_entry(Rank rank, Rank origin) const {
  const auto begin = entries_.begin() + places_[rank].first_entry;
  const auto end = entries_.begin() + places_[rank].last_entry;
  const auto found = std::lower_bound(
      begin, end, origin, [](const KeptEntry& entry, Rank value) { return entry.origin > value; });
  return found == end || found->origin != origin ? nullptr : &*found;
}

bool Chart::has_item(Rank rank, Rank origin, std::uint32_t item) const {
  const KeptEntry* const entry = kept_entry(rank, origin);
  if (entry == nullptr) return false;
  const auto begin = sparse_.begin() + entry->first, end = sparse_.begin() + entry->last;
  const auto found =
      std::lower_bound(begin, end, item / 64,
                       [](const SparseWord& word, std::uint32_t at) { return word.index < at; });
  return found != end && found->index == item / 64 && (found->word >> (item % 64) & 1U) != 0;
}

// Keeps what is known of the text behind the changes as long as it is the same text.
void Chart::note_change(const PartialText& text) {
  const auto ends = std::mismatch(text_.rbegin(), text_.rend(), text.rbegin(), text.rend());
  const auto same = static_cast<std::size_t>(ends.first - text_.rbegin());
  const auto begins = std::mismatch(text_.begin(), text_.end(), text.begin(), text.end());
  const auto same_before = static_cast<std::size_t>(begins.first - text_.begin());
  if (same == text.size() && same == text_.size()) return;
  if (same + same_before < text.size() / 2) {  // another text
    const auto hole = std::find(text.rbegin(), text.rend(), kHole);
    recent_.fill(hole == text.rend() ? kUnknown : static_cast<std::size_t>(hole - text.rbegin()));
    endings_.clear();
    behind_ = kUnknown;
  } else {
    recent_[change_++ % recent_.size()] = same;
    std::erase_if(endings_, [&](const Ending& ending) { return ending.behind > same; });
  }
  const std::size_t least = *std::min_element(recent_.begin(), recent_.end());
  is_new_ = endings_.empty() && least < std::exchange(behind_, least);
}

// Whether the chart up to the cut has the stack.
bool Chart::reaches_ending(const Ending& ending) {
  Site site = ending.site;
  site.at += static_cast<std::uint32_t>(text_.size()) - ending.behind;
  if (site.at > text_.size()) return false;
  std::vector<Rank> origins, next;
  for (std::int32_t i = first_here_[site.at]; i >= 0; i = waiting_[i].next_here) {
    if (!(waiting_[i].site == site)) continue;
    for (const Entry& entry : waiting_[i].entries) {
      const Word* const items = waiting_items_.data() + entry.items;
      if ((items[ending.item / 64] >> (ending.item % 64) & 1U) != 0)
        origins.push_back(entry.origin);
    }
  }
  for (const Ending::Level& level : ending.levels) {
    next.clear();
    for (const Rank origin : origins) {
      ++steps_;
      if (tables_.layout &&
          (level.began != column_of(origin) || level.line != places_[origin].site.context.column)) {
        continue;
      }
      for (std::uint32_t e = places_[origin].first_entry; e < places_[origin].last_entry; ++e) {
        if (has_item(origin, entries_[e].origin, level.item)) next.push_back(entries_[e].origin);
      }
    }
    std::sort(next.begin(), next.end());
    next.erase(std::unique(next.begin(), next.end()), next.end());
    std::swap(origins, next);
    if (origins.empty()) return false;
  }
  return std::find(origins.begin(), origins.end(), Rank{0}) != origins.end();
}

void Chart::keep_ending(const std::vector<Unwound>& nodes, std::int64_t last) {
  Ending ending;
  ending.behind = static_cast<std::uint32_t>(behind_);
  ending.site = places_[nodes[last].at].site;
  ending.site.at -= static_cast<std::uint32_t>(text_.size() - behind_);
  ending.item = nodes[last].item;
  for (std::int64_t i = last; i != kNone; i = nodes[i].parent) {
    if (nodes[i].waiting == kNone) continue;
    const Rank where = nodes[i].origin;
    ending.levels.push_back({static_cast<std::uint32_t>(nodes[i].waiting), column_of(where),
                             places_[where].site.context.column});
  }
  if (endings_.size() == kMostEndings) endings_.pop_back();
  endings_.insert(endings_.begin(), std::move(ending));
}

std::vector<Chart::Incoming> Chart::edges_behind(std::uint32_t cut) const {
  std::vector<Incoming> incoming;
  for (Rank from = 0; from < places_.size(); ++from) {
    if (places_[from].farthest < cut) continue;
    for (std::uint32_t e = places_[from].first_edge; e < places_[from].last_edge; ++e) {
      const Site& target = edges_[e].target;
      if (target.at < cut) continue;
      auto place =
          std::lower_bound(places_.begin(), places_.end(), target.at,
                           [](const Place& one, std::uint32_t at) { return one.site.at < at; });
      while (place != places_.end() && place->site.at == target.at && !(place->site == target)) {
        ++place;
      }
      if (place == places_.end() || place->site.at != target.at) continue;
      incoming.push_back({static_cast<Rank>(place - places_.begin()), from, edges_[e].terminal});
    }
  }
  std::sort(incoming.begin(), incoming.end(),
            [](const Incoming& a, const Incoming& b) { return a.to < b.to; });
  return incoming;
}

// Goes back from the end of the text to the places before the cut.
void Chart::remember_ending() {
  if (behind_ == 0 || behind_ > text_.size()) return;
  Search search;
  search.cut = static_cast<std::uint32_t>(text_.size() - behind_);
  const auto accepted = static_cast<Rank>(accepted_);
  if (places_[accepted].site.at < search.cut || places_[0].site.at >= search.cut) return;
  search.incoming = edges_behind(search.cut);
  const auto hole = std::find_if(places_.begin(), places_.end(),
                                 [](const Place& place) { return place.site.kind == Kind::Hole; });
  search.first_hole = static_cast<Rank>(hole - places_.begin());
  add_rules(search, tables_.start, {0, 0, accepted, kNone, kNone});
  while (!search.todo.empty() && search.nodes.size() < kMostNodes) {
    const auto idx = static_cast<std::int64_t>(search.todo.back());
    search.todo.pop_back();
    if (!go_back(search, idx)) continue;
    keep_ending(search.nodes, idx);
    return;
  }
}

// All complete rules of a nonterminal; the rest as in `node`.
void Chart::add_rules(Search& search, std::uint16_t head, Unwound node) const {
  for (std::uint32_t item : masks_.rules_of(head)) {
    while (masks_.next(item) != ItemMasks::kEnd) ++item;
    node.item = item;
    search.add(node);
  }
}

// Adds what a node may have come from. True when that was before the cut.
bool Chart::go_back(Search& search, std::int64_t idx) const {
  const Unwound node = search.nodes[idx];
  const bool begins = masks_.begins(node.item);
  const std::uint32_t before = begins ? node.item : node.item - 1;
  const std::uint16_t symbol = begins ? ItemMasks::kEnd : masks_.next(before);
  const auto first = std::lower_bound(search.incoming.begin(), search.incoming.end(), node.at,
                                      [](const Incoming& one, Rank to) { return one.to < to; });
  for (auto edge = first; edge != search.incoming.end() && edge->to == node.at; ++edge) {
    if (edge->terminal >= 0 && edge->terminal != symbol) continue;
    const std::uint32_t item = edge->terminal < 0 ? node.item : before;
    if (!has_item(edge->from, node.origin, item)) continue;
    if (places_[edge->from].site.at < search.cut) return true;
    search.add({item, node.origin, edge->from, idx, kNone});
  }
  if (begins) return false;
  const Site& site = places_[node.at].site;
  const bool in_place = site.kind == Kind::Hole
                            ? has_item(node.at, node.origin, before)
                            : (site.kind == Kind::LineStart && symbol == dedent_) ||
                                  (masks_.is_nonterminal(symbol) && masks_.may_be_empty(symbol));
  if (in_place) search.add({before, node.origin, node.at, idx, kNone});
  if (!masks_.is_nonterminal(symbol)) return false;
  // Looked at first: what began behind the cut, then what began before all holes.
  const std::size_t head = symbol - tables_.terminals;
  for (int round = 0; round < 3; ++round) {
    for (std::uint32_t d = places_[node.at].first_done; d < places_[node.at].last_done; ++d) {
      const Rank origin = done_[d].origin;
      const bool behind = places_[origin].site.at >= search.cut;
      if (round != (behind ? 2 : origin < search.first_hole ? 1 : 0)) continue;
      const Word heads = all_heads_[done_[d].heads + head / 64];
      if ((heads >> (head % 64) & 1U) == 0 || !has_item(origin, node.origin, before)) continue;
      if (behind) {
        search.add({before, node.origin, origin, idx, kNone});
      } else {
        add_rules(search, symbol, {0, origin, node.at, idx, before});
      }
    }
  }
  return false;
}

}  // namespace lacuna::grammar
