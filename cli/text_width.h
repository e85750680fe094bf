// How text looks in a terminal: which glyph each piece of it becomes and how many cells that takes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lacuna::cli {

struct Glyph {
  std::string_view text;  // what to print: the bytes themselves or a stand-in for them
  int width;              // cells: 0 (combining), 1 or 2
  std::size_t length;     // bytes of the input that it stands for
};

// The glyph at the start of `text`, which is not empty. Stray bytes, control characters and those
// that turn the direction of writing become U+FFFD, so no text can move the cursor or restyle the
// terminal. Tabs and line ends are the caller's business: they too become U+FFFD here.
Glyph next_glyph(std::string_view text);

// Cells of a text without line ends, a tab counted as one.
int display_width(std::string_view text);

// `text` made printable and cut to at most `width` cells.
std::string fit_width(std::string_view text, int width);

}  // namespace lacuna::cli
