#include "lsp/text_document.h"

#include <algorithm>

#include "support/text.h"

namespace lacuna::lsp {
namespace {

// Starts of lines after line ends that lie in [begin, end) of the text.
void append_starts(std::string_view text, std::size_t begin, std::size_t end,
                   std::vector<std::size_t>& starts) {
  for (std::size_t i = begin; i < end; ++i) {
    if (text[i] == '\n') starts.push_back(i + 1);
    if (text[i] != '\r') continue;
    if (i + 1 < text.size() && text[i + 1] == '\n') continue;  // the "\n" counts
    starts.push_back(i + 1);
  }
}

// A character at the start of a text: its bytes, and its units in an encoding.
struct Character {
  std::size_t bytes;
  std::size_t units;
};

Character first_character(std::string_view text, PositionEncoding encoding) {
  const std::size_t bytes = std::max<std::size_t>(1, utf8_sequence_length(text));
  switch (encoding) {
    case PositionEncoding::Utf8:
      return {bytes, bytes};
    case PositionEncoding::Utf16:
      return {bytes, bytes == 4 ? std::size_t{2} : std::size_t{1}};
    case PositionEncoding::Utf32:
      break;
  }
  return {bytes, 1};
}

}  // namespace

std::string_view name_of(PositionEncoding encoding) {
  switch (encoding) {
    case PositionEncoding::Utf8:
      return "utf-8";
    case PositionEncoding::Utf16:
      return "utf-16";
    case PositionEncoding::Utf32:
      break;
  }
  return "utf-32";
}

std::optional<PositionEncoding> parse_position_encoding(std::string_view name) {
  for (const PositionEncoding encoding :
       {PositionEncoding::Utf8, PositionEncoding::Utf16, PositionEncoding::Utf32}) {
    if (name == name_of(encoding)) return encoding;
  }
  return std::nullopt;
}

std::size_t length_in(PositionEncoding encoding, std::string_view text) {
  if (encoding == PositionEncoding::Utf8) return text.size();
  std::size_t units = 0;
  while (!text.empty()) {
    const Character character = first_character(text, encoding);
    units += character.units;
    text.remove_prefix(character.bytes);
  }
  return units;
}

TextDocument::TextDocument(std::string text) : text_(std::move(text)), starts_{0} {
  append_starts(text_, 0, text_.size(), starts_);
}

std::size_t TextDocument::line_end(std::size_t line) const {
  std::size_t end = line + 1 < starts_.size() ? starts_[line + 1] : text_.size();
  const std::size_t begin = starts_[line];
  if (line + 1 == starts_.size()) return end;
  if (end > begin && text_[end - 1] == '\n') --end;
  if (end > begin && text_[end - 1] == '\r') --end;
  return end;
}

std::size_t TextDocument::line_of(std::size_t offset) const {
  const auto after = std::upper_bound(starts_.begin(), starts_.end(), offset);
  return static_cast<std::size_t>(after - starts_.begin()) - 1;
}

std::size_t TextDocument::offset_of(Position position, PositionEncoding encoding) const {
  if (position.line >= starts_.size()) return text_.size();
  const std::size_t begin = starts_[position.line];
  const std::size_t end = line_end(position.line);
  std::size_t units = position.character;
  std::size_t at = begin;
  while (at < end) {
    const Character character =
        first_character(std::string_view(text_).substr(at, end - at), encoding);
    if (units < character.units) break;
    units -= character.units;
    at += character.bytes;
  }
  return at;
}

Position TextDocument::position_of(std::size_t offset, PositionEncoding encoding) const {
  offset = std::min(offset, text_.size());
  const std::size_t line = line_of(offset);
  const std::size_t begin = starts_[line];
  const std::size_t end = std::min(offset, line_end(line));
  const std::size_t units = length_in(encoding, std::string_view(text_).substr(begin, end - begin));
  return {static_cast<std::uint32_t>(line), static_cast<std::uint32_t>(units)};
}

void TextDocument::replace(std::size_t begin, std::size_t end, std::string_view with) {
  // A line end that touches the edit may change its meaning: "\r" before it, "\n" after it. So all
  // starts from begin on and up to one past the end are found anew.
  const std::size_t scan_begin = begin == 0 ? 0 : begin - 1;
  const auto first = std::upper_bound(starts_.begin(), starts_.end(), scan_begin);
  const std::size_t scan_end = std::min(end + 1, text_.size());
  const auto last = std::upper_bound(first, starts_.end(), scan_end);
  text_.replace(begin, end - begin, with);
  std::vector<std::size_t> fresh;
  append_starts(text_, scan_begin, scan_end - end + begin + with.size(), fresh);
  for (auto it = last; it != starts_.end(); ++it) *it = *it - end + begin + with.size();
  const auto at = starts_.erase(first, last);
  starts_.insert(at, fresh.begin(), fresh.end());
}

Result<void> TextDocument::replace(Range range, PositionEncoding encoding, std::string_view with) {
  if (range.end < range.start) {
    return fail(ErrorCode::InvalidInput, "a range ends before it starts");
  }
  replace(offset_of(range.start, encoding), offset_of(range.end, encoding), with);
  return {};
}

}  // namespace lacuna::lsp
