#include "cli/position.h"

#include <algorithm>
#include <charconv>

namespace lacuna::cli {
namespace {

// Reads a number from 1 on at the start of `text` and removes it; 0 if there is none.
std::size_t take_number(std::string_view& text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), number);
  if (error != std::errc()) return 0;
  text.remove_prefix(static_cast<std::size_t>(end - text.begin()));
  return number;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

bool take_position(std::string_view& text, Position& position) {
  position.line = take_number(text);
  if (position.line == 0 || !take(text, ':')) return false;
  position.column = take_number(text);
  return position.column != 0;
}

}  // namespace

Result<Position> parse_position(std::string_view text) {
  Position position;
  std::string_view rest = text;
  if (take_position(rest, position) && rest.empty()) return position;
  return fail(
      ErrorCode::InvalidInput,
      "'" + std::string(text) + "' is not a place: write LINE:COL, both from 1, as in 12:5");
}

Result<Span> parse_span(std::string_view text) {
  Span span;
  std::string_view rest = text;
  if (take_position(rest, span.begin) && take(rest, '-') && take_position(rest, span.end) &&
      rest.empty()) {
    return span;
  }
  return fail(ErrorCode::InvalidInput, "'" + std::string(text) +
                                           "' is not a span: write LINE:COL-LINE:COL, as in "
                                           "12:5-14:1");
}

Result<std::size_t> byte_offset(std::string_view text, const LineIndex& lines, Position position) {
  if (position.line > lines.line_count()) {
    return fail(ErrorCode::InvalidInput, "line " + std::to_string(position.line) +
                                             " is past the end: the text has " +
                                             std::to_string(lines.line_count()) + " lines");
  }
  std::size_t offset = lines.line_begin(position.line - 1);
  const std::size_t end = lines.line_end(position.line - 1);
  if (offset == 0 && text.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
    offset = kByteOrderMark.size();
  }
  for (std::size_t column = 1; column < position.column; ++column) {
    if (offset >= end) {
      return fail(ErrorCode::InvalidInput,
                  "column " + std::to_string(position.column) + " is past the end of line " +
                      std::to_string(position.line) + ", whose last place is column " +
                      std::to_string(column));
    }
    offset += std::max<std::size_t>(1, utf8_sequence_length(text.substr(offset)));
  }
  return offset;
}

Position position_of(std::string_view text, const LineIndex& lines, std::size_t byte_offset) {
  const std::size_t line = lines.line_of(byte_offset);
  return {line + 1, column_of(text, lines.line_begin(line), byte_offset)};
}

std::string to_string(Position position) {
  return std::to_string(position.line) + ":" + std::to_string(position.column);
}

}  // namespace lacuna::cli
