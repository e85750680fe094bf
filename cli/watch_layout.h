// Text folded into terminal rows: line numbers in a gutter, tabs and wide characters measured,
// styles switched. A helper of cli/watch_view.cpp.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cli/colours.h"
#include "support/text.h"

namespace lacuna::cli {

inline constexpr std::size_t kNoOffset = static_cast<std::size_t>(-1);

// A part of a file in which holes are replaced by their present state. The first three grow
// together.
struct StyledText {
  std::string bytes;
  std::vector<Style> styles;         // of each byte
  std::vector<std::size_t> offsets;  // of each byte in the file; kNoOffset inside a hole
  std::vector<std::size_t> holes;    // where in `bytes` a hole begins, also one that has no bytes

  void append(std::string_view text, Style style, std::size_t offset);
};

struct Row {
  std::string text;
  bool has_mask = false;
};

class RowFolder {
 public:
  // Rows of at most `width` cells, of which the gutter takes room for `max_line`. A screen too
  // narrow for both gets no gutter.
  RowFolder(int width, std::size_t max_line, Colours colours);

  // Adds a text that begins with line `line` (from 1) of the file.
  void add(const StyledText& text, std::size_t line, const LineIndex& lines);
  // Adds a row that stands for lines left out.
  void add_gap() { rows_.push_back({gap_row(), false}); }

  std::string gap_row() const;
  std::vector<Row> take() { return std::move(rows_); }

 private:
  void put(std::string_view glyph, int width, Style style, bool in_hole);
  void finish_row();

  int digits_ = 0;  // 0: no gutter
  int body_width_ = 0;
  Colours colours_;
  std::vector<Row> rows_;

  // The row being built.
  std::string body_;
  int used_ = 0;
  std::size_t number_ = 0;  // 0: none
  Style style_;
  bool in_hole_ = false;
  bool has_mask_ = false;
};

}  // namespace lacuna::cli
