#include "daemon/http/completion.h"

#include <gtest/gtest.h>

#include "tests/daemon/http/http_server_fixture.h"

namespace lacuna::daemon::http {
namespace {

std::string shaped(const Completion& completion, std::string_view fill) {
  return shape(completion, fill).text;
}

TEST(ShapeTest, AFillEndsBeforeItsFirstStopWord) {
  Completion completion;
  completion.stop = {"\n\n", "END", ""};
  EXPECT_EQ(shaped(completion, "a END b\n\nc"), "a ");
  EXPECT_EQ(shape(completion, "a\n\nEND").stop_word, "\n\n");
  EXPECT_EQ(shape(completion, "a\n\nEND").reason, StopReason::StopWord);
  EXPECT_EQ(shaped(completion, "a\nb"), "a\nb");
  EXPECT_EQ(shape(completion, "a\nb").reason, StopReason::End);
}

TEST(ShapeTest, AFillEndsBeforeALineWithLessIndentation) {
  Completion completion;
  completion.min_indent = 4;
  EXPECT_EQ(shaped(completion, "x\n    y\n\n    z\n  less\n    w"), "x\n    y\n\n    z");
  EXPECT_EQ(shaped(completion, "x\n\ty"), "x");  // a tab counts as one, as llama.cpp counts
  EXPECT_EQ(shaped(completion, "x\n    y\n"), "x\n    y\n");
  EXPECT_EQ(shaped(completion, "x\r\ny"), "x");
}

TEST(SingleLineTest, AHoleWithinALineOrAStopAtLineEndsIsOne) {
  Completion completion;
  completion.suffix = ")\n";
  EXPECT_TRUE(is_single_line(completion));
  completion.suffix = "  \n)";
  EXPECT_FALSE(is_single_line(completion));
  completion.stop = {"\n"};
  EXPECT_TRUE(is_single_line(completion));
}

TEST(LanguageTest, TheClientTheFileAndTheContextTellTheLanguage) {
  Completion completion;
  EXPECT_EQ(language_of(completion), "");
  completion.context = {{"a.rs", ""}, {"b.go", ""}, {"c.go", ""}, {"", ""}};
  EXPECT_EQ(language_of(completion), "go");
  completion.prefix = "#!/bin/sh\n";
  EXPECT_EQ(language_of(completion), "bash");
  for (const auto& [prefix, language] : {std::pair{"\n// src/a.cpp\nint", "cpp"},
                                         {"# a.py\n", "python"},
                                         {"# a.py is old\n", "go"},
                                         {"# a\n", "go"}}) {
    completion.prefix = prefix;  // as Continue tells the path
    EXPECT_EQ(language_of(completion), language) << prefix;
  }
  completion.path = "x/y.py";
  EXPECT_EQ(language_of(completion), "python");
  completion.prefix = "// language: cpp\n";
  EXPECT_EQ(language_of(completion), "cpp");
  completion.language = "C#";
  EXPECT_EQ(language_of(completion), "csharp");
}

TEST(OrderTest, TheHoleLiesBetweenPrefixAndSuffix) {
  Completion completion;
  completion.prefix = "f(";
  completion.suffix = ")\n";
  completion.max_tokens = 20;
  const FillOrder order = order_of(completion, {}, "doc");
  EXPECT_EQ(order.text, "f()\n");
  ASSERT_EQ(order.holes.size(), 1U);
  EXPECT_EQ(order.holes[0].begin, 2U);
  EXPECT_EQ(order.holes[0].end, 2U);
  EXPECT_FALSE(order.holes[0].tokens);
  EXPECT_EQ(order.options.max_hole_tokens, 20);
  EXPECT_EQ(order.options.length, engine::LengthMode::Probe);
  EXPECT_TRUE(order.options.single_line);
}

TEST(OrderTest, TokensAreBoundedByTheServer) {
  Completion completion;
  Options options;
  options.infill.max_hole_tokens = 100;
  for (const auto& [asked, given] : {std::pair{-1, 100}, {5, 5}, {100'000, 100}}) {
    completion.max_tokens = asked;
    EXPECT_EQ(order_of(completion, options, "").options.max_hole_tokens, given);
  }
  EXPECT_LE(order_of(completion, options, "").options.default_hole_tokens, 100);
}

TEST(OrderTest, ALowTemperatureIsNone) {
  Completion completion;
  for (const auto& [asked, given] :
       {std::pair{0.01, 0.0F}, {0.2, 0.0F}, {0.5, 0.5F}, {9.0, 2.0F}}) {
    completion.temperature = asked;
    EXPECT_FLOAT_EQ(order_of(completion, {}, "").options.sampling.temperature, given) << asked;
  }
}

TEST(OrderTest, AGrammarChecksOnlyWhatIsToldToBeOfItsLanguage) {
  Completion completion;
  completion.context = {{"guess.py", ""}};
  EXPECT_EQ(order_of(completion, {}, "").language, "python");
  EXPECT_FALSE(order_of(completion, {}, "").syntax);
  completion.path = "told.py";
  EXPECT_TRUE(order_of(completion, {}, "").syntax);
  EXPECT_NE(checking_grammar(order_of(completion, {}, "")), nullptr);
  Options off;
  off.syntax = false;
  EXPECT_FALSE(order_of(completion, off, "").syntax);
  off.syntax = true;
  off.infill.exact = true;
  EXPECT_EQ(checking_grammar(order_of(completion, off, "")), nullptr);
}

TEST(OrderTest, AHoleIsNeverWithinALineEnd) {
  Completion completion;
  completion.prefix = "a\r";
  completion.suffix = "\nb";
  FillOrder order = order_of(completion, {}, "");
  EXPECT_EQ(order.holes[0].begin, 1U);
  EXPECT_TRUE(engine::check_and_sort(order.text, order.holes));
}

TEST(DecidedPrefixTest, EndsAtTheFirstMask) {
  int tokens = 0;
  EXPECT_EQ(decided_prefix(step_of(0, {"a", "b", "?", "c"}), tokens), "ab");
  EXPECT_EQ(tokens, 2);
  EXPECT_EQ(decided_prefix(step_of(0, {"?", "c"}), tokens), "");
  EXPECT_EQ(decided_prefix({}, tokens), "");
}

TEST(DecidedPrefixTest, HasWholeCharactersOnly) {
  int tokens = 0;
  EXPECT_EQ(decided_prefix(step_of(0, {"a\xF0\x9F", "?"}), tokens), "a");
  EXPECT_EQ(decided_prefix(step_of(0, {"a\xF0\x9F", "\x98\x80", "?"}), tokens), "a\U0001F600");
}

TEST(GrowingTextTest, EachPartIsToldOnce) {
  const Completion completion;
  GrowingText growing(completion);
  EXPECT_EQ(growing.advance("ab"), "ab");
  EXPECT_EQ(growing.advance("ab"), "");
  EXPECT_EQ(growing.advance("a"), "");
  EXPECT_EQ(growing.advance("abcd"), "cd");
  EXPECT_EQ(growing.finish("abcde"), "e");
  EXPECT_FALSE(growing.finish("abX"));
}

TEST(GrowingTextTest, WhatMayBecomeAStopWordIsHeldBack) {
  Completion completion;
  completion.stop = {"END"};
  GrowingText growing(completion);
  EXPECT_EQ(growing.advance("abEN"), "ab");
  EXPECT_EQ(growing.advance("abENx"), "E");
  EXPECT_EQ(growing.advance("abENxEND"), "Nx");
}

TEST(GrowingTextTest, ALineIsHeldBackUntilItsIndentationIsKnown) {
  Completion completion;
  completion.min_indent = 2;
  GrowingText growing(completion);
  EXPECT_EQ(growing.advance("a\n\n "), "a");
  EXPECT_EQ(growing.advance("a\n\n  b"), "\n\n  b");
  EXPECT_EQ(growing.advance("a\n\n  b\n}"), "");
  EXPECT_EQ(growing.finish("a\n\n  b"), "");
}

// What is told in parts, and at the end, is the shaped text, wherever the parts end.
TEST(GrowingTextTest, PartsJoinToTheShapedText) {
  Completion completion;
  completion.stop = {"\n\n", "};"};
  completion.min_indent = 2;
  const std::string fills[] = {"a\n  b}\n  c",   "x}};y", "a\n\nb",
                               "\u00e9\u00e9};", "a\n b", "a\n  \U0001F600"};
  for (const std::string& fill : fills) {
    GrowingText growing(completion);
    std::string told;
    for (std::size_t n = 0; n <= fill.size(); ++n) {
      told += growing.advance(std::string_view(fill).substr(0, n));
    }
    const std::string whole = shape(completion, fill).text;
    const auto rest = growing.finish(whole);
    ASSERT_TRUE(rest) << fill;
    EXPECT_EQ(told + *rest, whole);
  }
}

}  // namespace
}  // namespace lacuna::daemon::http
