// Colours of terminal output: what the terminal can do, and the ramp that shows how sure a token is.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace lacuna::cli {

enum class Colours : std::uint8_t { None, Indexed, True };

// Goes by NO_COLOR, TERM and COLORTERM. `variable` looks one up and returns null if it is unset.
Colours colours_of(const std::function<const char*(const char*)>& variable);

// How a cell is drawn. `Sure` has a level from 0 (red: a guess) to kSureLevels - 1 (green).
struct Style {
  enum class Kind : std::uint8_t { Plain, Faint, Mask, Sure };
  Kind kind = Kind::Plain;
  std::uint8_t level = 0;

  bool operator==(const Style&) const = default;
};

inline constexpr int kSureLevels = 11;
Style sure(float probability);

// The escape sequence that switches to a style from any other; empty without colours.
std::string start_of(Style style, Colours colours);

}  // namespace lacuna::cli
