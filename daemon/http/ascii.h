// ASCII letters of header names and host names: independent of the locale.
#pragma once

#include <algorithm>
#include <string_view>

namespace lacuna::daemon::http {

inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

inline bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace lacuna::daemon::http
