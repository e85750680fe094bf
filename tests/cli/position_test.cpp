#include "cli/position.h"

#include <gtest/gtest.h>

namespace lacuna::cli {
namespace {

// The byte at "LINE:COL" and the place of that byte again, or the error.
std::string at(std::string_view text, std::string_view place) {
  const auto position = parse_position(place);
  if (!position) return "error: " + position.error().message;
  const LineIndex lines(text);
  const auto offset = byte_offset(text, lines, *position);
  if (!offset) return "error: " + offset.error().message;
  return std::to_string(*offset) + " = " + to_string(position_of(text, lines, *offset));
}

TEST(PositionTest, CountsCodePointsFromOne) {
  EXPECT_EQ(at("abc", "1:1"), "0 = 1:1");
  EXPECT_EQ(at("abc", "1:4"), "3 = 1:4");
  EXPECT_EQ(at("\u00E9\U0001F600x", "1:3"), "6 = 1:3");
  EXPECT_EQ(at("a\r\nbc\n", "2:3"), "5 = 2:3");
  EXPECT_EQ(at("a\n", "2:1"), "2 = 2:1");
  EXPECT_EQ(at("", "1:1"), "0 = 1:1");
  EXPECT_EQ(at("\xE9\xFFx", "1:3"), "2 = 1:3");
}

TEST(PositionTest, DoesNotCountAByteOrderMark) {
  EXPECT_EQ(at("\xEF\xBB\xBFxy\nz", "1:2"), "4 = 1:2");
  EXPECT_EQ(at("\xEF\xBB\xBFxy\nz", "1:1"), "3 = 1:1");
  EXPECT_EQ(at("\xEF\xBB\xBFxy\nz", "2:1"), "6 = 2:1");
}

TEST(PositionTest, SaysWhatIsPastTheEnd) {
  EXPECT_EQ(at("a\nb", "3:1"), "error: line 3 is past the end: the text has 2 lines");
  EXPECT_EQ(at("ab\r\nc", "1:4"),
            "error: column 4 is past the end of line 1, whose last place is column 3");
  EXPECT_EQ(at("ab", "1:99999999999999"),
            "error: column 99999999999999 is past the end of line 1, whose last place is column 3");
}

TEST(PositionTest, RefusesWhatIsNoPlace) {
  for (const char* text : {"", "5", "5:", ":5", "0:1", "1:0", "-1:1", "1:-1", "1:1:1", "1:1 ",
                           " 1:1", "a:b", "99999999999999999999999:1"}) {
    EXPECT_FALSE(parse_position(text).has_value()) << text;
  }
  EXPECT_EQ(parse_position("x").error().message,
            "'x' is not a place: write LINE:COL, both from 1, as in 12:5");
}

TEST(PositionTest, ReadsSpans) {
  const auto span = parse_span("3:1-14:20");
  ASSERT_TRUE(span.has_value());
  EXPECT_EQ(to_string(span->begin), "3:1");
  EXPECT_EQ(to_string(span->end), "14:20");
  for (const char* text : {"3:1", "3:1-", "3-4", "3:1-4", "3:1-4:5-6:7", "3:1--4:5"}) {
    EXPECT_FALSE(parse_span(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace lacuna::cli
