// Checks of option values, to be given to CLI11's check(): each returns what is wrong with a
// value, or nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lacuna::cli {

using OptionCheck = std::function<std::string(const std::string&)>;

OptionCheck whole_number(std::uint64_t low, std::uint64_t high);
OptionCheck finite_number();
OptionCheck one_of(std::vector<std::string> values);

}  // namespace lacuna::cli
