#include "daemon/context_ranker.h"

#include <gtest/gtest.h>

namespace lacuna::daemon {
namespace {

std::string filler(int lines) {
  std::string text;
  for (int i = 0; i < lines; ++i) text += "unrelated_" + std::to_string(i) + " = 0\n";
  return text;
}

TEST(ContextRankerTest, TheLinesThatShareWordsWithTheCursorComeFirst) {
  const std::string near = filler(30) + "def parse_invoice(invoice):\n    return invoice\n";
  const std::string far = filler(60) + "def open_window(window):\n    return window\n";
  const ContextSource sources[] = {{.path = "far.py", .text = far, .language = "python"},
                                   {.path = "near.py", .text = near, .language = "python"}};
  const std::string text = "total = parse_invoice(";
  const auto pieces = rank_context(
      {.text = text, .offset = text.size(), .language = "python", .max_tokens = 200}, sources);
  ASSERT_EQ(pieces.size(), 1U);
  EXPECT_EQ(pieces[0].path, "near.py");
  EXPECT_NE(pieces[0].text.find("def parse_invoice(invoice):\n"), std::string::npos);
}

TEST(ContextRankerTest, TheBudgetIsKept) {
  std::vector<std::string> texts;
  std::vector<ContextSource> sources;
  for (int i = 0; i < 20; ++i) texts.push_back("alpha beta gamma " + std::to_string(i) + "\n");
  for (const std::string& text : texts)
    sources.push_back({.path = "f", .text = text, .language = ""});
  const auto pieces =
      rank_context({.text = "alpha beta", .offset = 10, .language = "", .max_tokens = 30}, sources);
  std::size_t bytes = 0;
  for (const ContextPiece& piece : pieces) bytes += piece.text.size();
  EXPECT_GT(pieces.size(), 1U);
  EXPECT_LE(bytes, 90U);
  EXPECT_TRUE(rank_context({.text = "alpha", .offset = 5, .language = "", .max_tokens = 0}, sources)
                  .empty());
}

TEST(ContextRankerTest, OneSourceDoesNotCrowdOutTheOthers) {
  std::string same;
  for (int i = 0; i < 100; ++i) same += "alpha beta gamma delta\n";
  const std::string other = "alpha other words here\n";
  const ContextSource sources[] = {{.path = "same", .text = same, .language = ""},
                                   {.path = "other", .text = other, .language = ""}};
  const auto pieces = rank_context(
      {.text = "alpha beta gamma delta", .offset = 22, .language = "", .max_tokens = 4096},
      sources);
  EXPECT_EQ(std::count_if(pieces.begin(), pieces.end(),
                          [](const ContextPiece& piece) { return piece.path == "same"; }),
            2);
  EXPECT_EQ(pieces.back().path, "other");
}

TEST(ContextRankerTest, WhereSomebodyHasEditedComesFirst) {
  const std::string text = "alpha beta first\n" + filler(40) + "alpha beta second\n" + filler(40);
  ContextSource source{.path = "f", .text = text, .language = ""};
  const ContextWish wish{.text = "alpha beta", .offset = 10, .language = "", .max_tokens = 1000};
  const auto first_piece = [&] { return rank_context(wish, {&source, 1}).front().text; };
  EXPECT_NE(first_piece().find("first"), std::string::npos);
  source.edits = {text.find("second")};
  EXPECT_NE(first_piece().find("second"), std::string::npos);
}

TEST(ContextRankerTest, AnIndexThatWasMadeBeforeGivesTheSame) {
  const std::string text = filler(20) + "alpha beta gamma\n" + filler(20) + "alpha\n";
  const ContextIndex index = index_context(text);
  ContextSource source{.path = "f", .text = text, .language = ""};
  const ContextWish wish{.text = "alpha gamma", .offset = 11, .language = "", .max_tokens = 1000};
  const auto texts = [&] {
    std::vector<std::string> all;
    for (const ContextPiece& piece : rank_context(wish, {&source, 1})) all.push_back(piece.text);
    return all;
  };
  const std::vector<std::string> fresh = texts();
  EXPECT_EQ(fresh.size(), 2U);
  source.index = &index;
  EXPECT_EQ(texts(), fresh);
}

TEST(ContextRankerTest, AnIndexHasEveryLineOnceOrTwice) {
  EXPECT_TRUE(index_context("").windows.empty());
  for (const std::string text : {"one", "one\n", "\n", "one\n\ntwo"}) {
    const ContextIndex index = index_context(text);
    ASSERT_EQ(index.windows.size(), 1U) << text;
    EXPECT_EQ(index.windows[0].begin, 0U);
    EXPECT_EQ(index.windows[0].end, text.size()) << text;
  }
  const std::string text = filler(100);
  const ContextIndex index = index_context(text);
  EXPECT_EQ(index.windows.back().end, text.size());
  for (std::size_t i = 1; i < index.windows.size(); ++i) {
    EXPECT_LE(index.windows[i].begin, index.windows[i - 1].end);
  }
}

TEST(ContextRankerTest, WordsOfEveryProgramDoNotCount) {
  const std::string text = "def return self import for\n";
  const ContextSource sources[] = {{.path = "a", .text = text, .language = ""}};
  EXPECT_TRUE(rank_context({.text = text, .offset = 3, .language = "", .max_tokens = 100}, sources)
                  .empty());
}

}  // namespace
}  // namespace lacuna::daemon
