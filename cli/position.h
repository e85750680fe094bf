// Places in a text as people write them: LINE:COLUMN, both from 1. Columns count Unicode code
// points, as most editors show them; a stray byte that is no UTF-8 counts as one.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "support/result.h"
#include "support/text.h"

namespace lacuna::cli {

struct Position {
  std::size_t line = 1;
  std::size_t column = 1;
};

struct Span {
  Position begin;
  Position end;  // the first place that is no longer part of it
};

// "12:5" and "12:5-14:1". InvalidInput repeats what was given.
Result<Position> parse_position(std::string_view text);
Result<Span> parse_span(std::string_view text);

// The byte at a place. The end of a line and, after a final line end, the empty last line are
// places, too. InvalidInput says how long the text or the line is.
Result<std::size_t> byte_offset(std::string_view text, const LineIndex& lines, Position position);

Position position_of(std::string_view text, const LineIndex& lines, std::size_t byte_offset);
std::string to_string(Position position);

}  // namespace lacuna::cli
