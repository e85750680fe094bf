// Numbers for people. C++20 has std::format only from GCC 13 on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lacuna::cli {

// With a fixed number of digits after the point.
std::string fixed(double number, int digits);

// "12.5 MiB".
std::string human_bytes(std::uint64_t bytes);

// "1,234,567".
std::string grouped(std::uint64_t number);

// `text` in at least `width` cells: spaces after it, or before it.
std::string pad_right(std::string_view text, int width);
std::string pad_left(std::string_view text, int width);

}  // namespace lacuna::cli
