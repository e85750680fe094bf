#include "cli/json_numbers.h"

#include <array>
#include <charconv>
#include <cmath>

namespace lacuna::cli {

double as_json(float number) {
  const std::string text = json_text(number);
  double result = 0;
  std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}

std::string json_text(float number) {
  if (!std::isfinite(number)) return "null";
  std::array<char, 32> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  return {buffer.data(), end};
}

}  // namespace lacuna::cli
