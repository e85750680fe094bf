#include "engine/hole.h"

#include <gtest/gtest.h>

namespace lacuna::engine {
namespace {

// The holes as text: "begin-end", then ":tokens" and "'hint'" where there are any; or the error.
std::string markers(std::string_view text) {
  const auto holes = find_markers(text, 100);
  if (!holes) return "error: " + holes.error().message;
  std::string found;
  for (const Hole& hole : *holes) {
    if (!found.empty()) found += ' ';
    found += std::to_string(hole.begin) + "-" + std::to_string(hole.end);
    if (hole.tokens) found += ":" + std::to_string(*hole.tokens);
    if (!hole.hint.empty()) found += "'" + hole.hint + "'";
  }
  return found;
}

std::string checked(std::string_view text, std::vector<Hole> holes) {
  if (const auto ok = check_and_sort(text, holes); !ok) return "error: " + ok.error().message;
  std::string sorted;
  for (const Hole& hole : holes) {
    sorted += "[" + std::to_string(hole.begin) + "," + std::to_string(hole.end) + ")";
  }
  return sorted;
}

TEST(FindMarkersTest, KnowsAllForms) {
  EXPECT_EQ(markers("x = ⟦?⟧\n"), "4-11");
  EXPECT_EQ(markers("⟦?:  sum of a and b ⟧"), "0-25'sum of a and b'");
  EXPECT_EQ(markers("⟦?12⟧"), "0-9:12");
  EXPECT_EQ(markers("⟦?12: a: b⟧"), "0-15:12'a: b'");
  EXPECT_EQ(markers("⟦?:⟧"), "0-8");
}

TEST(FindMarkersTest, FindsSeveralAndAdjacentOnesFromFirstToLastByte) {
  EXPECT_EQ(markers("⟦?⟧⟦?3⟧ + ⟦?⟧"), "0-7 7-15:3 18-25");
}

TEST(FindMarkersTest, LeavesOtherTextAlone) {
  EXPECT_EQ(markers(""), "");
  EXPECT_EQ(markers("⟦x⟧ ⟧ ⟦ ⟦⟧ [?]"), "");
  EXPECT_EQ(markers("\xE9 \xE2\x9F ⟦?⟧"), "5-12");
}

TEST(FindMarkersTest, SaysWhereAMarkerIsNotClosed) {
  const std::string missing = " is not closed on its line: ⟧ is missing";
  EXPECT_EQ(markers("⟦?"), "error: the marker at 1:1" + missing);
  EXPECT_EQ(markers("a\r\né = ⟦?: hint\r\n⟧"), "error: the marker at 2:5" + missing);
  EXPECT_EQ(markers("⟦?⟧ ⟦?: a ⟦?⟧"), "error: the marker at 1:5" + missing);
}

TEST(FindMarkersTest, RefusesLengthsOutOfBounds) {
  for (const char* text :
       {"⟦?0⟧", "⟦?101⟧", "⟦?-3⟧", "⟦? 3⟧", "⟦?x⟧", "⟦?3.5⟧", "⟦??⟧", "⟦?99999999999999999999⟧"}) {
    EXPECT_EQ(markers(text),
              "error: the marker at 1:1 is none of ⟦?⟧, ⟦?: hint⟧ and ⟦?N⟧ with N from 1 to 100")
        << text;
  }
  EXPECT_EQ(markers("⟦?100⟧"), "0-10:100");
}

TEST(CheckHolesTest, SortsByPlace) {
  EXPECT_EQ(checked("abcdef", {{4, 5, {}, ""}, {0, 2, {}, ""}, {2, 4, {}, ""}}), "[0,2)[2,4)[4,5)");
  EXPECT_EQ(checked("abcdef", {{2, 4, {}, ""}, {2, 2, {}, ""}, {6, 6, {}, ""}}), "[2,2)[2,4)[6,6)");
}

TEST(CheckHolesTest, RefusesWhatCannotBeFilled) {
  EXPECT_EQ(checked("abc", {{2, 4, {}, ""}}),
            "error: a hole ends at byte 4, but the text has only 3 bytes");
  EXPECT_EQ(checked("abc", {{2, 1, {}, ""}}),
            "error: a hole ends at byte 1, before its begin at byte 2");
  EXPECT_EQ(checked("a\nbcd", {{2, 4, {}, ""}, {3, 5, {}, ""}}), "error: two holes overlap at 2:2");
  EXPECT_EQ(checked("abc", {{1, 1, {}, ""}, {1, 1, {}, ""}}), "error: two holes overlap at 1:2");
  EXPECT_EQ(checked("abcd", {{0, 4, {}, ""}, {2, 2, {}, ""}}), "error: two holes overlap at 1:3");
}

TEST(CheckHolesTest, RefusesToCutCharactersAndLineEnds) {
  const std::string text = "a\u00E9\U0001F600\r\nb\xE9";
  for (const std::size_t inside : {2U, 4U, 5U, 6U, 8U}) {
    EXPECT_EQ(checked(text, {{inside, inside, {}, ""}}),
              "error: a hole may not begin or end inside a character (byte " +
                  std::to_string(inside) + ")");
  }
  // A byte that belongs to no character has borders on both sides.
  EXPECT_EQ(checked(text, {{10, 11, {}, ""}}), "[10,11)");
  EXPECT_EQ(checked(text, {{7, 9, {}, ""}}), "[7,9)");
}

}  // namespace
}  // namespace lacuna::engine
