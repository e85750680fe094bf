// Holes: the regions of a text to fill, and the markers that stand for them in a file.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace lacuna::engine {

// Bytes [begin, end) of a text are to be replaced by a fill; begin == end inserts.
struct Hole {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::optional<int> tokens;  // length of the canvas for this hole; none: the engine's default
  std::string hint;           // what should stand here, in words; may be empty
};

// The markers in a text: `⟦?⟧`, `⟦?: hint⟧`, `⟦?N⟧` with a length in tokens, `⟦?N: hint⟧`. The hole
// spans the marker itself. InvalidInput, with line and column, for a marker that is not closed on
// its line (and before the next one) or whose length is not a number in [1, max_tokens]. Text like
// `⟦x⟧` is not a marker.
Result<std::vector<Hole>> find_markers(std::string_view text, int max_tokens);

// Checks holes that came from outside and sorts them by place. InvalidInput for holes past the
// end of the text, overlapping ones (two insertions at one place count as such), an end before its
// begin, a border inside a UTF-8 sequence or between the bytes of a CRLF. Holes may touch.
Result<void> check_and_sort(std::string_view text, std::vector<Hole>& holes);

}  // namespace lacuna::engine
