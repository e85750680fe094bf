#include "cli/terminal.h"

#include <map>

#include <gtest/gtest.h>

#include "cli/format.h"
#include "cli/text_width.h"

namespace lacuna::cli {
namespace {

Colours colours_with(std::map<std::string, const char*> environment) {
  return colours_of([&](const char* name) -> const char* {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second;
  });
}

TEST(ColoursTest, GoByTheEnvironment) {
  EXPECT_EQ(colours_with({{"TERM", "xterm"}}), Colours::Indexed);
  EXPECT_EQ(colours_with({{"TERM", "xterm"}, {"COLORTERM", "truecolor"}}), Colours::True);
  EXPECT_EQ(colours_with({{"TERM", "xterm"}, {"COLORTERM", "24bit"}}), Colours::True);
  EXPECT_EQ(colours_with({{"TERM", "xterm"}, {"NO_COLOR", "1"}}), Colours::None);
  EXPECT_EQ(colours_with({{"TERM", "xterm"}, {"NO_COLOR", ""}}), Colours::Indexed);
  EXPECT_EQ(colours_with({{"TERM", "dumb"}, {"COLORTERM", "truecolor"}}), Colours::None);
  EXPECT_EQ(colours_with({}), Colours::None);
}

TEST(ColoursTest, RunFromRedToGreen) {
  EXPECT_EQ(start_of(sure(0), Colours::Indexed), "\x1B[0;38;5;196m");
  EXPECT_EQ(start_of(sure(1), Colours::Indexed), "\x1B[0;38;5;46m");
  EXPECT_EQ(start_of(sure(0), Colours::True), "\x1B[0;38;2;210;0;40m");
  EXPECT_EQ(start_of(sure(0.5), Colours::True), "\x1B[0;38;2;210;200;40m");
  EXPECT_EQ(start_of(sure(1), Colours::True), "\x1B[0;38;2;0;200;40m");
  EXPECT_EQ(start_of(sure(1), Colours::None), "");
  EXPECT_EQ(sure(-1).level, 0);
  EXPECT_EQ(sure(7).level, kSureLevels - 1);
  EXPECT_EQ(sure(std::stof("nan")).level, 0);
}

TEST(TextWidthTest, MeasuresCellsAndHidesWhatMovesTheCursor) {
  EXPECT_EQ(display_width("abc"), 3);
  EXPECT_EQ(display_width("\u65E5\u672C"), 4);
  EXPECT_EQ(display_width("\U0001F600"), 2);
  EXPECT_EQ(display_width("e\u0301"), 1);
  EXPECT_EQ(fit_width("\x1B[2Jx\xFF\u202Ey\x7F", 80), "\uFFFD[2Jx\uFFFD\uFFFDy\uFFFD");
  EXPECT_EQ(fit_width("a\u65E5b", 2), "a");
  EXPECT_EQ(fit_width("a\u65E5b", 3), "a\u65E5");
}

TEST(RepaintTest, GoesBackOverTheOldFrameAndClearsWhatIsLeftOfIt) {
  EXPECT_EQ(repaint(0, {"a"}), "\x1B[?2026h\x1B[?25l\x1B[?7l\ra\x1B[K\x1B[J\x1B[?7h\x1B[?2026l");
  EXPECT_EQ(repaint(3, {"a", "b"}),
            "\x1B[?2026h\x1B[?25l\x1B[?7l\x1B[2A\ra\x1B[K\r\nb\x1B[K\x1B[J\x1B[?7h\x1B[?2026l");
}

TEST(RepaintTest, CountsRowsThatANarrowerTerminalFolds) {
  const std::vector<std::string> rows = {"\x1B[0;2m12345678\x1B[0m90", "", "\u65E5\u672C"};
  EXPECT_EQ(rows_taken(rows, 80), 3);
  EXPECT_EQ(rows_taken(rows, 10), 3);
  EXPECT_EQ(rows_taken(rows, 9), 4);
  EXPECT_EQ(rows_taken(rows, 3), 7);
}

TEST(FormatTest, WritesNumbersForPeople) {
  EXPECT_EQ(fixed(1.25, 1), "1.2");
  EXPECT_EQ(fixed(-0.5, 2), "-0.50");
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(15ULL << 30), "15.0 GiB");
  EXPECT_EQ(grouped(7), "7");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(12345678), "12,345,678");
  EXPECT_EQ(pad_left("\u65E5", 4), "  \u65E5");
  EXPECT_EQ(pad_right("abc", 2), "abc");
}

}  // namespace
}  // namespace lacuna::cli
