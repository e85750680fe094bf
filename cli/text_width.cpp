#include "cli/text_width.h"

#include <utf8proc.h>

#include "support/text.h"

namespace lacuna::cli {
namespace {

constexpr std::string_view kReplacement = "\uFFFD";
constexpr utf8proc_int32_t kZeroWidthJoiner = 0x200D;

}  // namespace

Glyph next_glyph(std::string_view text) {
  const std::size_t length = utf8_sequence_length(text);
  if (length == 0) return {kReplacement, 1, 1};
  utf8proc_int32_t code_point = 0;
  utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(length), &code_point);
  const utf8proc_category_t category = utf8proc_category(code_point);
  const bool hidden = category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_ZL ||
                      category == UTF8PROC_CATEGORY_ZP ||
                      (category == UTF8PROC_CATEGORY_CF && code_point != kZeroWidthJoiner);
  if (hidden) return {kReplacement, 1, length};
  return {text.substr(0, length), utf8proc_charwidth(code_point), length};
}

int display_width(std::string_view text) {
  int width = 0;
  while (!text.empty()) {
    const Glyph glyph = next_glyph(text);
    width += glyph.width;
    text.remove_prefix(glyph.length);
  }
  return width;
}

std::string fit_width(std::string_view text, int width) {
  std::string result;
  while (!text.empty()) {
    const Glyph glyph = next_glyph(text);
    width -= glyph.width;
    if (width < 0) break;
    result += glyph.text;
    text.remove_prefix(glyph.length);
  }
  return result;
}

}  // namespace lacuna::cli
