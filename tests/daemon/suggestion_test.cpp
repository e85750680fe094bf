#include "daemon/suggestion.h"

#include <gtest/gtest.h>

namespace lacuna::daemon {
namespace {

// A text with its cursor at `^`.
struct Marked {
  explicit Marked(std::string_view marked) : text(marked), offset(marked.find('^')) {
    text.erase(offset, 1);
  }
  Cursor cursor() const { return {text, offset}; }

  std::string text;
  std::size_t offset;
};

// What is shown of a fill at the cursor; "" when nothing is.
std::string shown(std::string_view marked, std::string fill, float probability = 0.9F) {
  const Marked place(marked);
  return suggestion_of(place.cursor(),
                       {.text = std::move(fill),
                        .canvas_tokens = 4,
                        .masks_left = 0,
                        .mean_probability = probability},
                       0.25)
      .text;
}

std::string why_nothing(std::string_view marked, std::string fill, float probability = 0.9F,
                        int masks_left = 0) {
  const Marked place(marked);
  return suggestion_of(place.cursor(),
                       {.text = std::move(fill),
                        .canvas_tokens = 4,
                        .masks_left = masks_left,
                        .mean_probability = probability},
                       0.25)
      .why_nothing;
}

TEST(SuggestionTest, AFillIsShownUpToItsFirstLineEndWithoutBlanksAtTheEnd) {
  EXPECT_EQ(shown("x = ^\n", "a + b  "), "a + b");
  EXPECT_EQ(shown("x = ^\n", "a\nb = 2"), "a");
  EXPECT_EQ(shown("x = ^\r\n", "a\r\nb"), "a");
}

TEST(SuggestionTest, ABlankBeforeWhatFollowsIsKept) { EXPECT_EQ(shown("return ^+ b", "a "), "a "); }

TEST(SuggestionTest, WhatStandsBehindTheCursorIsNotDoubled) {
  EXPECT_EQ(shown("foo(^)", "x)"), "x");
  EXPECT_EQ(shown("foo(^)", "bar(x)"), "bar(x)");
  EXPECT_EQ(shown("foo(^)", "bar(x))"), "bar(x)");
  EXPECT_EQ(shown("a[^];", "i];"), "i");
  EXPECT_EQ(shown("s = \"^\"", "hello\""), "hello");
  EXPECT_EQ(shown("x = ^ + total", "first + total"), "first");
}

TEST(SuggestionTest, NothingIsShownThatRepeatsWhatFollows) {
  EXPECT_EQ(why_nothing("x = ^value", "value"), "the model would insert nothing here");
  EXPECT_EQ(why_nothing("^\nreturn total + 1\n", "return total + 1"),
            "it would repeat the next line");
}

TEST(SuggestionTest, ShortLinesMayComeTwice) { EXPECT_EQ(shown("^\n}\n", "}"), "}"); }

TEST(SuggestionTest, NothingIsShownThatIsEmptyUnsureOrUnfinished) {
  EXPECT_EQ(why_nothing("x = ^\n", "  \n"), "the model would insert nothing here");
  EXPECT_NE(why_nothing("x = ^\n", "a", 0.1F).find("not sure enough"), std::string::npos);
  EXPECT_NE(why_nothing("x = ^\n", "a", 0.9F, 2).find("did not finish"), std::string::npos);
}

std::string shown_lines(std::string_view marked, std::string fill) {
  const Marked place(marked);
  return suggestion_of(place.cursor(),
                       {.text = std::move(fill),
                        .canvas_tokens = 4,
                        .masks_left = 0,
                        .mean_probability = 0.9F},
                       0.25, true)
      .text;
}

TEST(SuggestionTest, WhereSeveralLinesBelongTheyAreShownToTheEndOfTheBlock) {
  EXPECT_EQ(shown_lines("def f():\n    ^\n", "a = 1\n    return a\n\ndef g():"),
            "a = 1\n    return a");
  EXPECT_EQ(shown_lines("int f() {^}\n", "\n  return 1;\n}"), "\n  return 1;\n");
}

TEST(SuggestionTest, SeveralLinesDoNotEndWithTheLineThatFollows) {
  EXPECT_EQ(shown_lines("if a:\n    ^\nprint(total)\n", "b = 1\n    c = 2\n    print(total)"),
            "b = 1\n    c = 2");
}

// What the cache has at a place; "-" when it knows nothing.
std::string found(const SuggestionCache& cache, std::string_view marked) {
  const Marked place(marked);
  const auto hit = cache.find(place.cursor());
  if (!hit) return "-";
  return hit->texts.empty() ? "" : hit->texts.front();
}

class SuggestionCacheTest : public testing::Test {
 protected:
  SuggestionCacheTest() {
    const Marked place("x = ^\ny\n");
    cache_.add(place.cursor(), {"first", "fish"}, 0.5F);
  }
  SuggestionCache cache_;
};

TEST_F(SuggestionCacheTest, TypingThroughASuggestionKeepsItsRest) {
  EXPECT_EQ(found(cache_, "x = ^\ny\n"), "first");
  EXPECT_EQ(found(cache_, "x = fi^\ny\n"), "rst");
  EXPECT_EQ(found(cache_, "x = fis^\ny\n"), "h");
}

TEST_F(SuggestionCacheTest, BackspaceBringsBackWhatWasTypedThrough) {
  EXPECT_EQ(found(cache_, "x = firs^\ny\n"), "t");
  EXPECT_EQ(found(cache_, "x = f^\ny\n"), "irst");
}

TEST_F(SuggestionCacheTest, AnyOtherTextIsUnknown) {
  EXPECT_EQ(found(cache_, "x = g^\ny\n"), "-");
  EXPECT_EQ(found(cache_, "z = ^\ny\n"), "-");
  EXPECT_EQ(found(cache_, "x = ^\nz\n"), "-");
  EXPECT_EQ(found(cache_, "x =^ \ny\n"), "-");
  EXPECT_EQ(found(cache_, "x = first^\ny\n"), "-");
}

TEST_F(SuggestionCacheTest, ThatNothingFitsIsRememberedForThePlaceOnly) {
  const Marked place("q ^\n");
  cache_.add(place.cursor(), {}, 0);
  EXPECT_EQ(found(cache_, "q ^\n"), "");
  EXPECT_EQ(found(cache_, "q a^\n"), "-");
}

TEST_F(SuggestionCacheTest, NewerSuggestionsOfAPlaceTakeThePlaceOfOlderOnes) {
  const Marked place("x = ^\ny\n");
  cache_.add(place.cursor(), {"other"}, 0.5F);
  EXPECT_EQ(found(cache_, "x = ^\ny\n"), "other");
}

TEST_F(SuggestionCacheTest, OldSuggestionsAreForgotten) {
  for (std::size_t i = 0; i < SuggestionCache::kMaxEntries; ++i) {
    const std::string text = "other " + std::to_string(i);
    cache_.add({text, text.size()}, {"a"}, 0.5F);
  }
  EXPECT_EQ(found(cache_, "x = ^\ny\n"), "-");
}

}  // namespace
}  // namespace lacuna::daemon
