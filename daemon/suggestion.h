// What a suggestion at a cursor is: the hole to fill, and what of the fill is shown.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/hole.h"
#include "engine/infill.h"

namespace lacuna::daemon {

// The place in a text where a suggestion is wanted.
struct Cursor {
  std::string_view text;
  std::size_t offset = 0;

  std::string_view line_before() const;  // of its line, before the cursor
  std::string_view line_after() const;   // and behind it, without the line end
};

// The hole for a cursor: an insertion at it, up to the end of a line.
engine::Hole hole_at(const Cursor& cursor);

// What is shown of a fill, or why nothing is.
struct Suggestion {
  std::string text;         // to insert at the cursor; empty: nothing is shown
  std::string why_nothing;  // a clause; empty when something is shown
};

// Cuts what stands behind the cursor already, closers without an opener that are there, white space
// at the end, and everything from the first line end on, or, with `several_lines`, from the end of
// the block on. Refuses fills that are empty, unfinished, repeat what follows, or whose mean
// probability is below `min_confidence`.
Suggestion suggestion_of(const Cursor& cursor, const engine::HoleFill& fill, double min_confidence,
                         bool several_lines = false);

// Suggestions of one document that may still be right after more typing: the text around the
// cursor is what it was, and what was typed since is the begin of the suggestion. Backspace brings
// back what was typed through.
class SuggestionCache {
 public:
  static constexpr std::size_t kMaxEntries = 64;

  struct Found {
    std::vector<std::string> texts;  // what is left of each suggestion, best first; not empty ones
    float confidence = 0;
  };

  // `texts` are suggestions at the cursor, best first. None: nothing is to be suggested there,
  // which is remembered as well.
  void add(const Cursor& cursor, std::vector<std::string> texts, float confidence);
  std::optional<Found> find(const Cursor& cursor) const;
  void clear() { entries_.clear(); }

 private:
  struct Entry {
    std::size_t before_size, before_hash;
    std::size_t after_size, after_hash;
    std::vector<std::string> texts;
    float confidence;
  };

  std::deque<Entry> entries_;  // newest first
};

}  // namespace lacuna::daemon
