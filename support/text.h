// Text as bytes: UTF-8 checks and the line index. Offsets are bytes everywhere inside Lacuna.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lacuna {

// The number of bytes of the well-formed UTF-8 sequence at the start of `text` (1 to 4), or 0 if
// there is none. Overlong forms, surrogates and values past U+10FFFF are not well formed.
std::size_t utf8_sequence_length(std::string_view text);

bool is_valid_utf8(std::string_view text);

// `text` with every byte that is not part of a well-formed sequence replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

// How many code points a person would count: well-formed sequences, and each byte that is not part
// of one.
std::size_t count_code_points(std::string_view text);

// Starts of lines. A line ends after "\n", "\r\n" or a lone "\r". Keeps no reference to the text.
class LineIndex {
 public:
  explicit LineIndex(std::string_view text);

  std::size_t line_count() const { return starts_.size(); }
  // First byte of a line, and one past its last byte without the line end. `line` < line_count().
  std::size_t line_begin(std::size_t line) const { return starts_[line]; }
  std::size_t line_end(std::size_t line) const { return ends_[line]; }
  // The line that holds a byte; an offset past the end counts to the last line.
  std::size_t line_of(std::size_t byte_offset) const;

 private:
  std::vector<std::size_t> starts_;
  std::vector<std::size_t> ends_;
};

}  // namespace lacuna
