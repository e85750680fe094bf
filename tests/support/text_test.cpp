#include "support/text.h"

#include <gtest/gtest.h>

namespace lacuna {
namespace {

TEST(Utf8Test, AcceptsEveryLengthAndRefusesWhatTheStandardRefuses) {
  EXPECT_EQ(utf8_sequence_length("a"), 1U);
  EXPECT_EQ(utf8_sequence_length("\u00e9"), 2U);
  EXPECT_EQ(utf8_sequence_length("\u20ac"), 3U);
  EXPECT_EQ(utf8_sequence_length("\U0001F600"), 4U);
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xC3", "\xE2\x82", "\xF0\x9F\x98"}) {
    EXPECT_EQ(utf8_sequence_length(bad), 0U) << bad;
  }
  EXPECT_EQ(utf8_sequence_length(""), 0U);
}

TEST(Utf8Test, ReplacesEachByteThatDoesNotBelong) {
  EXPECT_EQ(replace_invalid_utf8("a\xFF\xC3z"), "a\uFFFD\uFFFDz");
  EXPECT_TRUE(is_valid_utf8("na\u00efve"));
  EXPECT_FALSE(is_valid_utf8("na\xEFve"));
}

TEST(Utf8Test, CountsCodePointsAndStrayBytes) {
  EXPECT_EQ(count_code_points(""), 0U);
  EXPECT_EQ(count_code_points("na\u00efve"), 5U);
  EXPECT_EQ(count_code_points("\U0001F600\u20ac"), 2U);
  EXPECT_EQ(count_code_points("a\xFF\xC3z"), 4U);
}

TEST(LineIndexTest, KnowsAllThreeLineEnds) {
  const LineIndex lines("one\ntwo\r\n\rfour");
  ASSERT_EQ(lines.line_count(), 4U);
  EXPECT_EQ(lines.line_begin(1), 4U);
  EXPECT_EQ(lines.line_end(1), 7U);
  EXPECT_EQ(lines.line_begin(2), 9U);
  EXPECT_EQ(lines.line_end(2), 9U);
  EXPECT_EQ(lines.line_begin(3), 10U);
  EXPECT_EQ(lines.line_end(3), 14U);
}

TEST(LineIndexTest, FindsTheLineOfAByte) {
  const LineIndex lines("ab\ncd\n");
  EXPECT_EQ(lines.line_of(0), 0U);
  EXPECT_EQ(lines.line_of(2), 0U);
  EXPECT_EQ(lines.line_of(3), 1U);
  EXPECT_EQ(lines.line_of(6), 2U);
  EXPECT_EQ(lines.line_of(99), 2U);
}

}  // namespace
}  // namespace lacuna
