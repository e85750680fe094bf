#include "lsp/text_document.h"

#include <random>

#include <gtest/gtest.h>

#include "support/text.h"

namespace lacuna::lsp {
namespace {

using enum PositionEncoding;

struct Place {
  std::uint32_t line;
  std::uint32_t utf8, utf16, utf32;
};

// The place of the `^` in a text, without it.
void check_place(std::string_view marked, Place place) {
  const std::size_t offset = marked.find('^');
  ASSERT_NE(offset, std::string_view::npos);
  std::string text(marked);
  text.erase(offset, 1);
  const TextDocument document(text);
  const std::pair<PositionEncoding, std::uint32_t> columns[] = {
      {Utf8, place.utf8}, {Utf16, place.utf16}, {Utf32, place.utf32}};
  for (const auto& [encoding, column] : columns) {
    const Position position = {place.line, column};
    EXPECT_EQ(document.position_of(offset, encoding), position)
        << name_of(encoding) << " " << document.position_of(offset, encoding).character;
    EXPECT_EQ(document.offset_of(position, encoding), offset) << name_of(encoding);
  }
}

TEST(TextDocumentTest, PositionsCountUnitsOfTheEncoding) {
  check_place("^", {0, 0, 0, 0});
  check_place("abc^", {0, 3, 3, 3});
  check_place("a\n^b", {1, 0, 0, 0});
  check_place("\t\tx^y", {0, 3, 3, 3});
  check_place("\u00e9^x", {0, 2, 1, 1});
  check_place("\u6f22\u5b57^x", {0, 6, 2, 2});
  check_place("\U0001F600^x", {0, 4, 2, 1});
  check_place("x\U0001F468\u200d\U0001F469^y", {0, 12, 6, 4});  // a family, of three code points
  check_place("e\u0301^x", {0, 3, 2, 2});                       // a combining accent
  check_place("a\r\n\u00e9^\r\n", {1, 2, 1, 1});
  check_place("a\rb^\rc", {1, 1, 1, 1});
  check_place("last line without end^", {0, 21, 21, 21});
  check_place("ends with a line end\n^", {1, 0, 0, 0});
}

TEST(TextDocumentTest, PositionsPastTheEndMeanTheEnd) {
  const TextDocument document("ab\r\ncd");
  EXPECT_EQ(document.offset_of({0, 99}, Utf16), 2U);
  EXPECT_EQ(document.offset_of({1, 99}, Utf16), 6U);
  EXPECT_EQ(document.offset_of({9, 0}, Utf16), 6U);
  EXPECT_EQ(document.offset_of({4294967295U, 4294967295U}, Utf16), 6U);
}

TEST(TextDocumentTest, APositionInsideACharacterMeansItsBegin) {
  const TextDocument document("x\U0001F600y");
  EXPECT_EQ(document.offset_of({0, 2}, Utf16), 1U);
  EXPECT_EQ(document.offset_of({0, 3}, Utf8), 1U);
  EXPECT_EQ(document.offset_of({0, 3}, Utf16), 5U);
}

TEST(TextDocumentTest, AnOffsetInsideALineEndIsTheEndOfTheLine) {
  const TextDocument document("ab\r\ncd");
  EXPECT_EQ(document.position_of(3, Utf16), (Position{0, 2}));
}

TEST(TextDocumentTest, LineEndsThatAnEditMakesOrBreaksAreFound) {
  TextDocument document("a\rX\nb");
  document.replace(2, 3, "");
  EXPECT_EQ(document.line_count(), 2U);
  document.replace(2, 2, "Y");
  EXPECT_EQ(document.line_count(), 3U);
  document.replace(0, document.text().size(), "");
  EXPECT_EQ(document.line_count(), 1U);
}

TEST(TextDocumentTest, ARangeThatEndsBeforeItStartsChangesNothing) {
  TextDocument document("abc");
  EXPECT_FALSE(document.replace({{0, 2}, {0, 1}}, Utf16, "x"));
  EXPECT_EQ(document.text(), "abc");
}

// Lines and text after random edits are those of a document made from the same text.
TEST(TextDocumentTest, RandomEditsKeepTextAndLines) {
  std::mt19937 random(11);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const std::string_view pieces[] = {"a", "\n", "\r", "\r\n", "\u6f22", "\U0001F600", "xy\nz", ""};
  TextDocument document;
  std::string text;
  for (int round = 0; round < 20000; ++round) {
    const std::size_t begin = below(text.size() + 1);
    const std::size_t end = begin + below(std::min<std::size_t>(8, text.size() - begin) + 1);
    std::string with;
    for (std::size_t i = below(4); i > 0; --i) with += pieces[below(std::size(pieces))];
    if (text.size() > 60) with.clear();
    document.replace(begin, end, with);
    text.replace(begin, end - begin, with);
    ASSERT_EQ(document.text(), text);
    const LineIndex lines(text);
    ASSERT_EQ(document.line_count(), lines.line_count()) << round;
    for (std::size_t line = 0; line < lines.line_count(); ++line) {
      ASSERT_EQ(document.line_begin(line), lines.line_begin(line));
      ASSERT_EQ(document.line_end(line), lines.line_end(line));
    }
  }
}

}  // namespace
}  // namespace lacuna::lsp
