#include "cli/watch_view.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "cli/text_width.h"

namespace lacuna::cli {
namespace {

using engine::Hole;
using engine::HoleToken;

HoleToken mask() { return {true, "", 0}; }
HoleToken token(std::string text, float probability = 1) {
  return {false, std::move(text), probability};
}

struct Scene {
  std::string text;
  std::vector<std::vector<HoleToken>> tokens;  // for the markers in the text, in order
  ProgressState progress = {};
};

std::vector<std::string> rows_of(const Scene& scene, const Viewport& viewport) {
  const auto holes = engine::find_markers(scene.text, 100);
  EXPECT_TRUE(holes.has_value());
  WatchState state;
  state.text = scene.text;
  state.holes = *holes;
  state.tokens = scene.tokens;
  state.progress = scene.progress;
  return draw_watch(state, viewport);
}

// The rows without the line of progress, each ended by "\n".
std::string code_of(const Scene& scene, const Viewport& viewport) {
  std::vector<std::string> rows = rows_of(scene, viewport);
  rows.pop_back();
  std::string all;
  for (const std::string& row : rows) all += row + "\n";
  return all;
}

TEST(WatchViewTest, ShowsAHoleInItsLines) {
  EXPECT_EQ(code_of({"def add(a, b):\n    return ⟦?⟧\n\nprint(add(1, 2))\n",
                     {{token("a"), token(" +"), mask()}}},
                    {60, 24, Colours::None}),
            "1 │ def add(a, b):\n"
            "2 ▌     return a +░\n"
            "3 │ \n"
            "4 │ print(add(1, 2))\n"
            "5 │ \n");
}

TEST(WatchViewTest, MarksTheLineOfAHoleThatStaysEmpty) {
  EXPECT_EQ(code_of({"a\nf(⟦?⟧)\n⟦?⟧", {{token("")}, {token("")}}}, {60, 24, Colours::None}),
            "1 │ a\n"
            "2 ▌ f()\n"
            "3 ▌ \n");
}

TEST(WatchViewTest, LeavesOutLinesFarFromHoles) {
  std::string text;
  for (int i = 1; i <= 30; ++i) text += i == 5 || i == 25 ? "⟦?⟧\n" : "line\n";
  EXPECT_EQ(code_of({text, {{mask(), mask()}, {mask()}}}, {60, 13, Colours::None}),
            " 3 │ line\n"
            " 4 │ line\n"
            " 5 ▌ ░░\n"
            " 6 │ line\n"
            " 7 │ line\n"
            "   ⋯\n"
            "23 │ line\n"
            "24 │ line\n"
            "25 ▌ ░\n"
            "26 │ line\n"
            "27 │ line\n");
}

TEST(WatchViewTest, NumbersTheLinesOfTheFileOnly) {
  EXPECT_EQ(code_of({"a\r\n⟦?⟧;\r\nb", {{token("if x:\n"), token("  y"), token("\n"), mask()}}},
                    {60, 24, Colours::None}),
            "1 │ a\n"
            "2 ▌ if x:\n"
            "  ▌   y\n"
            "  ▌ ░;\n"
            "3 │ b\n");
}

TEST(WatchViewTest, FoldsLongLinesTabsAndWideCharacters) {
  EXPECT_EQ(
      code_of({"\tabcdefghijklmnop⟦?⟧\n\u65E5\u672C\u8A9E\u65E5\u672C\u8A9E\u65E5\u672C\u8A9E",
               {{token("qrstu"), mask()}}},
              {21, 24, Colours::None}),
      "1 │     abcdefghijklm\n"
      "  ▌ nopqrstu░\n"
      "2 │ \u65E5\u672C\u8A9E\u65E5\u672C\u8A9E\u65E5\u672C\n"
      "  │ \u8A9E\n");
}

TEST(WatchViewTest, JoinsCharactersThatTokensCut) {
  EXPECT_EQ(code_of({"⟦?⟧", {{token("\xC3"), token("\xA9"), token("\xC3"), mask()}}},
                    {60, 24, Colours::None}),
            "1 ▌ \u00E9\uFFFD░\n");
}

TEST(WatchViewTest, MakesControlCharactersHarmless) {
  EXPECT_EQ(
      code_of({"\xEF\xBB\xBF\x1B[31m⟦?⟧", {{token("\x1B]0;x\x07")}}}, {60, 24, Colours::None}),
      "1 ▌ \uFFFD[31m\uFFFD]0;x\uFFFD\n");
}

TEST(WatchViewTest, ShowsRowsAroundTheFirstMaskWhenNotAllFit) {
  std::vector<HoleToken> tokens;
  for (int i = 0; i < 40; ++i) tokens.push_back(token("row " + std::to_string(i) + "\n"));
  tokens[30] = mask();
  EXPECT_EQ(code_of({"⟦?⟧", {tokens}}, {60, 8, Colours::None}),
            "  ⋯\n"
            "  ▌ row 28\n"
            "  ▌ row 29\n"
            "  ▌ ░row 31\n"
            "  ▌ row 32\n"
            "  ⋯\n");
}

TEST(WatchViewTest, ColoursBySureness) {
  EXPECT_EQ(
      code_of({"x ⟦?⟧", {{token("a", 0), token("b", 1), mask()}}}, {60, 24, Colours::Indexed}),
      "\x1B[0;2m1 ▌ \x1B[0mx \x1B[0;38;5;196ma\x1B[0;38;5;46mb\x1B[0;38;5;244m░\x1B[0m\n");
}

TEST(WatchViewTest, NeverLeavesTheScreen) {
  std::string text =
      "\t\u65E5" + std::string(300, 'x') + "⟦?⟧\n⟦?⟧" + std::string(40, '\n') + "⟦?⟧";
  for (const int width : {1, 7, 8, 20, 80}) {
    for (const int height : {1, 2, 3, 5, 24}) {
      const auto rows = rows_of({text, {{mask()}, {token("\u65E5\n\n"), mask()}, {}}},
                                {width, height, Colours::None});
      EXPECT_LE(rows.size(), static_cast<std::size_t>(std::max(2, height - 1)));
      for (const std::string& row : rows) EXPECT_LE(display_width(row), std::max(8, width)) << row;
    }
  }
}

TEST(ProgressTest, ShowsWhatFits) {
  const ProgressState progress = {.step = 3,
                                  .steps = 12,
                                  .masks_left = 9,
                                  .masks_total = 12,
                                  .holes_done = 1,
                                  .n_holes = 5,
                                  .seconds = 0.5};
  EXPECT_EQ(draw_progress(progress, {80, 24, Colours::None}),
            "━━━━━───────────────  step 3/12  9 tokens left  6.0 tokens/s  1 of 5 holes done");
  EXPECT_EQ(draw_progress(progress, {40, 24, Colours::None}),
            "━━────────  step 3/12  9 tokens left");
  EXPECT_EQ(draw_progress(progress, {10, 24, Colours::None}), "━───");
  EXPECT_EQ(log_progress(progress), "1 of 5 holes done, step 3/12: 3 of 12 tokens, 6.0 tokens/s");
}

TEST(ProgressTest, StartsEmptyAndWithoutSpeed) {
  EXPECT_EQ(draw_progress({.masks_left = 4, .masks_total = 4}, {40, 24, Colours::None}),
            "──────────  4 tokens left");
}

}  // namespace
}  // namespace lacuna::cli
