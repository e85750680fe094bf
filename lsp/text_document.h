// A document as an editor sends it: text, lines, and positions in three encodings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace lacuna::lsp {

// In what a Position counts characters.
enum class PositionEncoding : std::uint8_t { Utf8, Utf16, Utf32 };

std::string_view name_of(PositionEncoding encoding);  // "utf-8", "utf-16", "utf-32"
std::optional<PositionEncoding> parse_position_encoding(std::string_view name);

// How many units of an encoding a text has. Bytes that are no UTF-8 count as one unit each.
std::size_t length_in(PositionEncoding encoding, std::string_view text);

struct Position {
  std::uint32_t line = 0;
  std::uint32_t character = 0;

  friend bool operator==(const Position&, const Position&) = default;
  friend auto operator<=>(const Position&, const Position&) = default;
};

struct Range {
  Position start;
  Position end;

  friend bool operator==(const Range&, const Range&) = default;
};

// Lines end after "\n", "\r\n" or a lone "\r", as in LSP. An edit costs what it moves: the bytes and
// the line starts behind it.
class TextDocument {
 public:
  explicit TextDocument(std::string text = {});

  const std::string& text() const { return text_; }
  std::size_t line_count() const { return starts_.size(); }
  // First byte of a line, and one past its last byte without the line end. `line` < line_count().
  std::size_t line_begin(std::size_t line) const { return starts_[line]; }
  std::size_t line_end(std::size_t line) const;
  // The line that holds a byte; an offset past the end counts to the last line.
  std::size_t line_of(std::size_t offset) const;

  // A character past the end of its line means the end of the line, a line past the end of the
  // text the end of the text. Inside a character: its begin.
  std::size_t offset_of(Position position, PositionEncoding encoding) const;
  // Of a byte; inside a line end it is the end of the line.
  Position position_of(std::size_t offset, PositionEncoding encoding) const;

  // Replaces bytes [begin, end); begin <= end <= text().size().
  void replace(std::size_t begin, std::size_t end, std::string_view with);
  // InvalidInput when the range ends before it starts.
  Result<void> replace(Range range, PositionEncoding encoding, std::string_view with);

 private:
  std::string text_;
  std::vector<std::size_t> starts_;  // of lines; the first is 0
};

}  // namespace lacuna::lsp
