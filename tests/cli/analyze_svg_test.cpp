#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/analyze/svg.h"

namespace lacuna::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

int count(const std::string& text, const std::string& part) {
  int n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(EscapeMarkup, LeavesNothingThatIsMarkup) {
  EXPECT_EQ(escape_markup("a < b && c > \"d\"\n\te"),
            "a &lt; b &amp;&amp; c &gt; &quot;d&quot;\n\te");
  EXPECT_EQ(escape_markup("\u00E9\u4E2D"), "\u00E9\u4E2D");
  EXPECT_EQ(escape_markup(std::string("\0\x1B\xFF", 3)), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(escape_markup("</script>"), "&lt;/script&gt;");
}

LineChart two_lines() {
  return {.title = "a < b",
          .x_label = "x",
          .series = {{"up", {{0, 0}, {1, 0.4}}}, {"down", {{0, 0.3}, {1, 0.1}}, true}},
          .x_ticks = {0, 1}};
}

TEST(LineChart, DrawsEverySeriesAndNamesIt) {
  const std::string svg = draw(two_lines());
  EXPECT_EQ(count(svg, "<polyline"), 2);
  EXPECT_EQ(count(svg, "<circle"), 4);
  EXPECT_EQ(count(svg, "<polyline class=\"line s1 dashed\""), 1);
  EXPECT_THAT(svg, HasSubstr(">up</text>"));
  EXPECT_THAT(svg, HasSubstr("<title>a &lt; b</title>"));
  EXPECT_THAT(svg, HasSubstr("up: 0.400"));
}

TEST(LineChart, ChoosesTheAxisByTheLargestValue) {
  LineChart chart = two_lines();
  EXPECT_THAT(draw(chart), HasSubstr(">0.500</text>"));
  chart.series[0].points.back().second = 0.9;
  EXPECT_THAT(draw(chart), HasSubstr(">1.00</text>"));
  chart.series = {{"zero", {{3, 0}}}};  // one point, no width, no height
  EXPECT_THAT(draw(chart), HasSubstr(">0.125</text>"));
  EXPECT_THAT(draw(chart), Not(HasSubstr("nan")));
}

TEST(LineChart, StandsAlone) {
  const std::string svg = draw(two_lines());
  EXPECT_EQ(svg.find("<svg "), 0U);
  EXPECT_THAT(svg, HasSubstr("prefers-color-scheme:dark"));
  EXPECT_EQ(count(svg, "http"), 1);  // the name space
  EXPECT_THAT(svg, Not(HasSubstr("<script")));
}

HeatMap full_map(int rows, int columns) {
  HeatMap map = {.title = "map",
                 .x_label = "x",
                 .y_label = "y",
                 .rows = rows,
                 .columns = columns,
                 .column_names = {},
                 .cells = {}};
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) map.cells.push_back({row, column, 1, false});
  }
  return map;
}

constexpr int kRampParts = 24;

TEST(HeatMap, DrawsCellsMarksAndNames) {
  HeatMap map = full_map(2, 3);
  map.cells[1].value = 0;
  map.cells[4].marked = true;
  map.column_names = {"a", "<b>", "c"};
  const std::string svg = draw(map);
  EXPECT_EQ(count(svg, "<rect"), 6 + kRampParts);
  EXPECT_EQ(count(svg, "class=\"mark\""), 1);
  EXPECT_EQ(count(svg, "#fde725"), 5);  // value 1: yellow
  EXPECT_EQ(count(svg, "#440154"), 1);  // value 0: violet
  EXPECT_THAT(svg, HasSubstr("&lt;b&gt;"));
}

TEST(HeatMap, IsCoarserWhenItIsLarge) {
  HeatMap map = full_map(2 * kMaxHeatCells, 3 * kMaxHeatCells);
  for (HeatMap::Cell& cell : map.cells) cell.value = cell.row % 2;
  const std::string svg = draw(map);
  EXPECT_EQ(count(svg, "<rect"), kMaxHeatCells * kMaxHeatCells + kRampParts);
  EXPECT_EQ(count(svg, "#21918c"), kMaxHeatCells * kMaxHeatCells);  // all of them 0.5
  EXPECT_THAT(svg, HasSubstr(">192</text>"));
}

TEST(HeatMap, MayBeEmpty) { EXPECT_EQ(count(draw(full_map(0, 0)), "<rect"), kRampParts); }

}  // namespace
}  // namespace lacuna::cli
