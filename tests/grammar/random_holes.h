// Holes at random places of a program that parses, for the tests and the benchmark of the checker.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include <tree_sitter/api.h>

#include "grammar/hole_checker.h"
#include "grammar/syntax_tree.h"

namespace lacuna::grammar {

struct ByteRange {
  std::size_t begin;
  std::size_t end;
};

struct ProgramRanges {
  std::vector<ByteRange> tokens;
  std::vector<ByteRange> blocks;  // comments, and strings of several lines
};

inline void add_ranges(TSNode node, ProgramRanges& found) {
  const ByteRange range{ts_node_start_byte(node), ts_node_end_byte(node)};
  const std::string_view type = ts_node_type(node);
  const bool comment = type.find("comment") != std::string_view::npos;
  const bool text = type.find("string") != std::string_view::npos ||
                    type.find("template") != std::string_view::npos || type == "jsx_text";
  const bool spans_lines = ts_node_start_point(node).row != ts_node_end_point(node).row;
  if (comment || (text && spans_lines)) found.blocks.push_back(range);
  const std::uint32_t children = ts_node_child_count(node);
  if (children == 0 && range.begin < range.end) found.tokens.push_back(range);
  for (std::uint32_t i = 0; i < children; ++i) add_ranges(ts_node_child(node, i), found);
}

inline ProgramRanges ranges_of(const SyntaxTree& tree) {
  ProgramRanges found;
  add_ranges(ts_tree_root_node(tree.get()), found);
  return found;
}

// Some tokens of a region, spans of bytes anywhere, or pieces of a few bytes as a tokenizer makes
// them. Holes do not touch.
inline std::vector<ByteRange> random_holes(std::string_view text, const ProgramRanges& ranges,
                                           std::mt19937& random) {
  const auto below = [&](std::size_t bound) { return random() % bound; };
  std::vector<ByteRange> holes;
  const std::size_t first = below(ranges.tokens.size());
  const std::size_t percent = 10 + below(91);
  switch (below(4)) {
    case 0:
    case 1: {
      const std::size_t last = std::min(ranges.tokens.size(), first + 1 + below(40));
      for (std::size_t i = first; i < last; ++i) {
        if (below(100) < percent) holes.push_back(ranges.tokens[i]);
      }
      break;
    }
    case 2:
      for (std::size_t i = below(4) + 1; i > 0; --i) {
        const std::size_t begin = below(text.size());
        holes.push_back({begin, std::min(text.size(), begin + 1 + below(20))});
      }
      break;
    default: {
      std::size_t begin = ranges.tokens[first].begin;
      for (int i = 0; i < 24 && begin < text.size(); ++i) {
        const std::size_t end = std::min(text.size(), begin + 1 + below(6));
        if (below(100) < percent) holes.push_back({begin, end});
        begin = end;
      }
    }
  }
  std::sort(holes.begin(), holes.end(),
            [](const ByteRange& a, const ByteRange& b) { return a.begin < b.begin; });
  std::vector<ByteRange> joined;
  for (const ByteRange& hole : holes) {
    if (!joined.empty() && hole.begin <= joined.back().end) {
      joined.back().end = std::max(joined.back().end, hole.end);
    } else {
      joined.push_back(hole);
    }
  }
  return joined;
}

// Whether the program keeps the promise of HoleMode::Closed for these holes.
inline bool is_closed(const ProgramRanges& ranges, const std::vector<ByteRange>& holes) {
  for (const ByteRange& block : ranges.blocks) {
    for (const ByteRange& hole : holes) {
      if (hole.begin <= block.begin && block.begin < hole.end && hole.end < block.end) return false;
    }
  }
  return true;
}

inline std::vector<Piece> pieces_of(std::string_view text, const std::vector<ByteRange>& holes) {
  std::vector<Piece> pieces;
  std::size_t at = 0;
  for (const ByteRange& hole : holes) {
    if (hole.begin > at) pieces.push_back({text.substr(at, hole.begin - at), false});
    pieces.push_back({{}, true});
    at = hole.end;
  }
  if (at < text.size()) pieces.push_back({text.substr(at), false});
  return pieces;
}

}  // namespace lacuna::grammar
