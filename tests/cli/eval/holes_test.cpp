#include "cli/eval/holes.h"

#include <array>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/helpers/small_model.h"

namespace lacuna::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

class Holes : public testing::Test {
 protected:
  std::vector<std::string> answers(std::string_view text, HoleKind kind,
                                   std::string_view line_comment = "#") const {
    std::vector<std::string> found;
    for (const ByteRange& it : holes_in(text, kind, line_comment, tokenizer())) {
      found.emplace_back(text.substr(it.begin, it.end - it.begin));
    }
    return found;
  }
  const engine::Tokenizer& tokenizer() const { return *small_.model.tokenizer(); }

  engine::SmallModel small_;
};

TEST_F(Holes, IdentifiersAreWordsOfThreeLettersOrMore) {
  EXPECT_THAT(answers("total = x1 + my_sum(0xFF, 3ab, été)\n", HoleKind::Identifier),
              ElementsAre("total", "my_sum", "été"));
}

TEST_F(Holes, LinesThatBeginAsCommentsHaveNone) {
  for (const HoleKind kind : kHoleKinds) {
    EXPECT_THAT(answers("# value = compute(one, two)\n", kind), IsEmpty()) << name_of(kind);
    EXPECT_THAT(answers("  // value = compute(one, two)\n", kind, "//"), IsEmpty());
    EXPECT_THAT(answers(" * value = compute(one, two)\n", kind, "//"), IsEmpty());
  }
  EXPECT_THAT(answers("#include <vector>\n", HoleKind::Identifier, "//"),
              ElementsAre("include", "vector"));
}

TEST_F(Holes, ExpressionsStandInBracketsOrReachToTheEndOfAStatement) {
  EXPECT_THAT(answers("  total = price * count;\n", HoleKind::Expression),
              ElementsAre("price * count"));
  EXPECT_THAT(answers("n := len(items[1:])\n", HoleKind::Expression),
              UnorderedElementsAre("len(items[1:])", "items[1:]"));
  EXPECT_THAT(answers("return self.value,\n", HoleKind::Expression), ElementsAre("self.value"));
  EXPECT_THAT(answers("const f = (a, b) => a + b;\n", HoleKind::Expression),
              UnorderedElementsAre("(a, b) => a + b", "a, b", "a + b"));
  EXPECT_THAT(answers("if (left == right) {\n", HoleKind::Expression),
              ElementsAre("left == right"));
}

TEST_F(Holes, WhatIsNotInPairsOrAMereWordIsNoExpression) {
  EXPECT_THAT(answers("value = compute\n", HoleKind::Expression), IsEmpty());
  EXPECT_THAT(answers("value = compute(one,\n", HoleKind::Expression), IsEmpty());
  EXPECT_THAT(answers("value = 'one, two\n", HoleKind::Expression), IsEmpty());
  EXPECT_THAT(answers("value = \")(\" + name\n", HoleKind::Expression),
              ElementsAre("\")(\" + name"));
  EXPECT_THAT(answers("x == y\n", HoleKind::Expression), IsEmpty());
}

TEST_F(Holes, ALineIsWithoutItsIndentationAndWithALetterOrDigit) {
  EXPECT_THAT(
      answers("def run():\n    pass  \n  }\n\n" + std::string(91, 'x') + "\n", HoleKind::Line),
      ElementsAre("def run():", "pass"));
}

TEST_F(Holes, SeveralLinesAreNoneIndentedLessThanTheFirst) {
  const std::string text = "if one:\n    first()\n\n    second()\nelse:\n    third()\n";
  const std::vector<std::string> found = answers(text, HoleKind::Lines);
  EXPECT_THAT(found, Contains("first()\n\n    second()"));
  EXPECT_THAT(found, Contains("if one:\n    first()"));
  EXPECT_THAT(found, Not(Contains("second()\nelse:")));
}

TEST_F(Holes, TokensAreThoseOfTheModelWithoutWhiteSpaceAlone) {
  const std::string text = "total = price\n    return total\n";
  for (const std::string& answer : answers(text, HoleKind::Token)) {
    EXPECT_NE(answer.find_first_not_of(" \n"), std::string::npos);
  }
  EXPECT_THAT(answers(text, HoleKind::Token), Contains("return"));
}

std::vector<SourceDocument> some_documents(int n) {
  std::vector<SourceDocument> documents;
  for (int i = 0; i < n; ++i) {
    std::string text;
    for (int line = 0; line < 14; ++line) {
      text += "value" + std::to_string(line) + " = compute(" + std::to_string(i) + ", alpha)\n";
    }
    documents.push_back({"file" + std::to_string(i), i % 2 == 0 ? "python" : "go", text});
  }
  return documents;
}

TEST_F(Holes, AreTheSameForTheSameSeedAndThoseOfASmallerLimitAreAmongThem) {
  const std::vector<SourceDocument> documents = some_documents(6);
  const auto places = [&](int limit, std::uint64_t seed) {
    std::vector<std::pair<std::string, std::size_t>> found;
    for (const HoleCase& it : choose_holes(documents, kHoleKinds, limit, seed, tokenizer())) {
      found.emplace_back(it.document->name + " " + std::string(name_of(it.kind)), it.place.begin);
    }
    return found;
  };
  EXPECT_EQ(places(8, 1), places(8, 1));
  EXPECT_NE(places(8, 1), places(8, 2));
  EXPECT_EQ(places(8, 1).size(), 2U * 5U * 8U);
  for (const auto& place : places(3, 1)) EXPECT_THAT(places(8, 1), Contains(place));
}

TEST_F(Holes, ComeFromAllFilesBeforeOneIsAskedAgainAndNeverTwice) {
  const std::vector<SourceDocument> documents = some_documents(6);
  constexpr std::array kLine = {HoleKind::Line};
  std::map<std::string, std::vector<std::size_t>> of_file;
  for (const HoleCase& it : choose_holes(documents, kLine, 6, 0, tokenizer())) {
    of_file[it.document->name].push_back(it.place.begin);
    EXPECT_EQ(it.answer, it.document->text.substr(it.place.begin, it.place.end - it.place.begin));
  }
  ASSERT_EQ(of_file.size(), 6U);
  for (auto& [name, places] : of_file) {
    EXPECT_EQ(places.size(), 2U) << name;
    EXPECT_NE(places.front(), places.back());
  }
}

TEST_F(Holes, RunOutWhereThereAreNoMore) {
  const std::vector<SourceDocument> documents = some_documents(1);
  constexpr std::array kLine = {HoleKind::Line};
  EXPECT_EQ(choose_holes(documents, kLine, 1000, 0, tokenizer()).size(), 14U);
  const std::vector<SourceDocument> short_file = {{"a", "python", "value = 1\n"}};
  EXPECT_THAT(choose_holes(short_file, kLine, 10, 0, tokenizer()), IsEmpty());
}

}  // namespace
}  // namespace lacuna::cli
