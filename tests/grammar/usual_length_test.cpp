#include "grammar/usual_length.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lacuna::grammar {
namespace {

// The shape of the place of `|`.
HoleShape shape_at(std::string source, HoleKind kind = HoleKind::Expression) {
  const std::size_t at = source.find('|');
  source.erase(at, 1);
  return shape_of(source, {at, at}, kind);
}

TEST(UsualLengthTest, AShapeIsWhatStandsOnBothSidesOnTheLine) {
  struct Case {
    const char* source;
    Edge before;
    Edge after;
  };
  const std::vector<Case> cases = {
      {"a\n    |  \nb", Edge::Line, Edge::Line}, {"|", Edge::Line, Edge::Line},
      {"x\r\n|\r\ny", Edge::Line, Edge::Line},   {"f(|)", Edge::Open, Edge::Close},
      {"f(a, |, b)", Edge::Comma, Edge::Comma},  {"val| = 3", Edge::InWord, Edge::Assign},
      {"int | = 3;", Edge::Word, Edge::Assign},  {"x = |;", Edge::Assign, Edge::Comma},
      {"x == |\n", Edge::Other, Edge::Line},     {"x <= |\n", Edge::Other, Edge::Line},
      {"| == x", Edge::Line, Edge::Other},       {"(a) => |\n", Edge::Assign, Edge::Line},
      {"x := |\n", Edge::Assign, Edge::Line},    {"| += 1\n", Edge::Line, Edge::Assign},
      {"a.|(b)", Edge::Dot, Edge::Open},         {"a->|.b", Edge::Dot, Edge::Dot},
      {"std::|<int>", Edge::Dot, Edge::Other},   {"|::f", Edge::Line, Edge::Dot},
      {"|->f", Edge::Line, Edge::Dot},           {"case |: x", Edge::Word, Edge::Assign},
      {"| x", Edge::Line, Edge::Word},           {"a |b", Edge::Word, Edge::InWord},
      {"s = '|'", Edge::Quote, Edge::Quote},     {"é|é", Edge::InWord, Edge::InWord},
  };
  for (const Case& it : cases) {
    const HoleShape shape = shape_at(it.source);
    EXPECT_EQ(shape.before, it.before) << it.source;
    EXPECT_EQ(shape.after, it.after) << it.source;
  }
}

TEST(UsualLengthTest, EveryKindButOtherHasOneInEveryLanguage) {
  for (const auto& grammar : grammars()) {
    const std::string_view language = grammar->language().name;
    for (const HoleKind kind : {HoleKind::Expression, HoleKind::Arguments, HoleKind::Statement,
                                HoleKind::Block, HoleKind::Body, HoleKind::Text}) {
      // A shape that hardly occurs: the numbers of the kind.
      const auto usual = usual_length(language, {kind, Edge::Comma, Edge::Quote});
      ASSERT_TRUE(usual) << language;
      EXPECT_GT(usual->mean, 0) << language;
      EXPECT_GT(usual->deviation, 0) << language;
    }
    EXPECT_FALSE(usual_length(language, {HoleKind::Other, Edge::Line, Edge::Line}));
  }
}

TEST(UsualLengthTest, WhatStandsAroundAHoleMakesItShortOrLong) {
  const auto mean = [](std::string_view language, const HoleShape& shape) {
    return usual_length(language, shape)->mean;
  };
  for (const auto& grammar : grammars()) {
    const std::string_view language = grammar->language().name;
    if (language == "json") continue;  // has neither names behind a dot nor functions
    const double name = mean(language, {HoleKind::Expression, Edge::Dot, Edge::Open});
    EXPECT_LT(name, mean(language, {HoleKind::Expression, Edge::Assign, Edge::Line})) << language;
    EXPECT_LT(name, mean(language, {HoleKind::Arguments, Edge::Open, Edge::Close})) << language;
    EXPECT_LT(mean(language, {HoleKind::Statement, Edge::Line, Edge::Line}),
              mean(language, {HoleKind::Body, Edge::Line, Edge::Line}))
        << language;
  }
}

TEST(UsualLengthTest, ALanguageWithFewMeasuredHolesHasThoseOfAll) {
  const HoleShape shape{HoleKind::Body, Edge::Line, Edge::Line};
  const auto all = usual_length("klingon", shape);
  ASSERT_TRUE(all);
  EXPECT_GT(all->places, usual_length("python", shape)->places);
}

}  // namespace
}  // namespace lacuna::grammar
