#include "cli/option_checks.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace lacuna::cli {
namespace {

template <class T>
bool parse(const std::string& text, T& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

}  // namespace

OptionCheck whole_number(std::uint64_t low, std::uint64_t high) {
  return [low, high](const std::string& text) -> std::string {
    std::uint64_t number = 0;
    if (parse(text, number) && number >= low && number <= high) return "";
    return "'" + text + "' is not a whole number from " + std::to_string(low) + " to " +
           std::to_string(high);
  };
}

OptionCheck finite_number() {
  return [](const std::string& text) -> std::string {
    float number = 0;
    if (parse(text, number) && std::isfinite(number)) return "";
    return "'" + text + "' is not a number";
  };
}

OptionCheck one_of(std::vector<std::string> values) {
  return [values = std::move(values)](const std::string& text) -> std::string {
    if (std::find(values.begin(), values.end(), text) != values.end()) return "";
    std::string known;
    for (const std::string& value : values) known += (known.empty() ? "" : ", ") + value;
    return "'" + text + "' is none of " + known;
  };
}

}  // namespace lacuna::cli
