#include "cli/colours.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace lacuna::cli {
namespace {

// Red to green over yellow in the 6x6x6 cube of xterm's 256 colours.
constexpr std::array<int, kSureLevels> kIndexedRamp = {196, 202, 208, 214, 220, 226,
                                                       190, 154, 118, 82,  46};

std::string_view value_or_empty(const char* value) { return value == nullptr ? "" : value; }

}  // namespace

Colours colours_of(const std::function<const char*(const char*)>& variable) {
  const std::string_view term = value_or_empty(variable("TERM"));
  if (!value_or_empty(variable("NO_COLOR")).empty()) return Colours::None;
  if (term.empty() || term == "dumb") return Colours::None;
  const std::string_view depth = value_or_empty(variable("COLORTERM"));
  return depth == "truecolor" || depth == "24bit" ? Colours::True : Colours::Indexed;
}

Style sure(float probability) {
  const float level = std::round(probability * (kSureLevels - 1));
  // Written so that a NaN becomes 0.
  const float bounded = level > 0 ? std::min<float>(level, kSureLevels - 1) : 0;
  return {Style::Kind::Sure, static_cast<std::uint8_t>(bounded)};
}

std::string start_of(Style style, Colours colours) {
  if (colours == Colours::None) return "";
  switch (style.kind) {
    case Style::Kind::Plain:
      return "\x1B[0m";
    case Style::Kind::Faint:
      return "\x1B[0;2m";
    case Style::Kind::Mask:
      return "\x1B[0;38;5;244m";
    case Style::Kind::Sure:
      break;
  }
  if (colours == Colours::Indexed) {
    return "\x1B[0;38;5;" + std::to_string(kIndexedRamp[style.level]) + "m";
  }
  // Full red and growing green up to the middle, then full green and shrinking red; darkened a
  // little so that it can be read on white, too.
  const int step = style.level * 2 * 210 / (kSureLevels - 1);
  const int red = std::min(210, 2 * 210 - step);
  const int green = std::min(200, step);
  return "\x1B[0;38;2;" + std::to_string(red) + ";" + std::to_string(green) + ";40m";
}

}  // namespace lacuna::cli
