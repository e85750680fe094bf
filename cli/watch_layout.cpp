#include "cli/watch_layout.h"

#include <algorithm>

#include "cli/format.h"
#include "cli/text_width.h"

namespace lacuna::cli {
namespace {

constexpr int kTabWidth = 4;
constexpr int kMinBodyWidth = 8;  // wider than any glyph, so folding always makes progress
constexpr int kBarWidth = 3;      // " | " between number and text
constexpr Style kFaint = {Style::Kind::Faint, 0};

}  // namespace

void StyledText::append(std::string_view text, Style style, std::size_t offset) {
  bytes += text;
  for (std::size_t i = 0; i < text.size(); ++i) {
    styles.push_back(style);
    offsets.push_back(offset == kNoOffset ? kNoOffset : offset + i);
  }
}

RowFolder::RowFolder(int width, std::size_t max_line, Colours colours) : colours_(colours) {
  const int digits = static_cast<int>(std::to_string(max_line).size());
  if (width - digits - kBarWidth >= 2 * kMinBodyWidth) digits_ = digits;
  body_width_ = std::max(kMinBodyWidth, digits_ == 0 ? width : width - digits_ - kBarWidth);
}

void RowFolder::add(const StyledText& text, std::size_t line, const LineIndex& lines) {
  number_ = line;
  const std::string_view bytes = text.bytes;
  auto hole = text.holes.begin();
  const auto mark_hole_at = [&](std::size_t at) {
    for (; hole != text.holes.end() && *hole <= at; ++hole) in_hole_ = true;
  };
  for (std::size_t i = 0; i < bytes.size();) {
    mark_hole_at(i);
    const bool in_hole = text.offsets[i] == kNoOffset;
    if (bytes[i] == '\n' || bytes[i] == '\r') {
      const bool both = bytes.substr(i, 2) == "\r\n";
      in_hole_ = in_hole_ || in_hole;
      finish_row();
      i += both ? 2 : 1;
      // A line that begins inside a fill has no number in the file.
      number_ = in_hole ? 0 : lines.line_of(text.offsets[i - 1] + 1) + 1;
    } else if (bytes[i] == '\t') {
      const int width = kTabWidth - used_ % kTabWidth;
      for (int k = 0; k < width; ++k) put(" ", 1, text.styles[i], in_hole);
      ++i;
    } else {
      const Glyph glyph = next_glyph(bytes.substr(i));
      put(glyph.text, glyph.width, text.styles[i], in_hole);
      i += glyph.length;
    }
  }
  mark_hole_at(bytes.size());
  finish_row();
}

std::string RowFolder::gap_row() const {
  const std::string dots =
      std::string(static_cast<std::size_t>(digits_ == 0 ? 0 : digits_ + 1), ' ') + "\u22EF";
  return start_of(kFaint, colours_) + dots + start_of({}, colours_);
}

void RowFolder::put(std::string_view glyph, int width, Style style, bool in_hole) {
  if (used_ + width > body_width_) {
    finish_row();
    number_ = 0;
  }
  if (style != style_) body_ += start_of(style, colours_);
  style_ = style;
  body_ += glyph;
  used_ += width;
  in_hole_ = in_hole_ || in_hole;
  has_mask_ = has_mask_ || style.kind == Style::Kind::Mask;
}

void RowFolder::finish_row() {
  std::string text;
  if (digits_ > 0) {
    const std::string number = number_ == 0 ? "" : std::to_string(number_);
    text = start_of(kFaint, colours_) + pad_left(number, digits_) +
           (in_hole_ ? " \u258C " : " \u2502 ") + start_of({}, colours_);
  }
  text += body_;
  if (style_ != Style{}) text += start_of({}, colours_);
  rows_.push_back({std::move(text), has_mask_});
  body_.clear();
  used_ = 0;
  style_ = {};
  in_hole_ = has_mask_ = false;
}

}  // namespace lacuna::cli
