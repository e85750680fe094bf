#include "cli/format.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "cli/text_width.h"

namespace lacuna::cli {
namespace {

std::string spaces_up_to(std::string_view text, int width) {
  return std::string(static_cast<std::size_t>(std::max(0, width - display_width(text))), ' ');
}

}  // namespace

std::string fixed(double number, int digits) {
  std::array<char, 400> buffer;  // a double has at most 309 digits before the point
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number,
                                          std::chars_format::fixed, digits);
  return error == std::errc() ? std::string(buffer.data(), end) : "?";
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto number = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (number >= 1024 && unit + 1 < kUnits.size()) {
    number /= 1024;
    ++unit;
  }
  return fixed(number, unit == 0 ? 0 : 1) + " " + std::string(kUnits[unit]);
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t place = 3; place < digits.size(); place += 4) {
    digits.insert(digits.size() - place, ",");
  }
  return digits;
}

std::string pad_right(std::string_view text, int width) {
  return std::string(text) + spaces_up_to(text, width);
}

std::string pad_left(std::string_view text, int width) {
  return spaces_up_to(text, width) + std::string(text);
}

}  // namespace lacuna::cli
