// Plots as SVG text, to stand in a page or in a file of their own. Colours follow the reader's
// light or dark setting; nothing is loaded from anywhere.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lacuna::cli {

// Text between tags or in a quoted attribute. Control characters and stray bytes become U+FFFD.
std::string escape_markup(std::string_view text);

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;
  bool dashed = false;
};

struct LineChart {
  std::string title;  // for screen readers, too
  std::string x_label;
  std::vector<Series> series;  // at most 6 look different
  std::vector<double> x_ticks;
  int x_digits = 0;
};

// Values in [0, 1]; the vertical axis goes from 0 to the first of 1/8, 1/4, 1/2 and 1 that holds all.
// One point at least.
std::string draw(const LineChart& chart);

struct HeatMap {
  struct Cell {
    int row;
    int column;
    double value;  // in [0, 1]
    bool marked;
  };
  std::string title;
  std::string x_label;
  std::string y_label;
  int rows = 0;
  int columns = 0;
  std::vector<std::string> column_names;  // drawn where they fit; may be empty
  std::vector<Cell> cells;
};

// Maps of more than kMaxHeatCells rows or columns are drawn coarser: each cell the mean of several.
inline constexpr int kMaxHeatCells = 96;
std::string draw(const HeatMap& map);

}  // namespace lacuna::cli
