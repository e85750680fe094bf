#include "daemon/checked_infill.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/helpers/small_model.h"

namespace lacuna::daemon {
namespace {

using engine::Candidate;

const engine::SmallModel& small() {
  static const engine::SmallModel kModel;
  return kModel;
}

const grammar::Grammar& python() { return *grammar::grammar_of(language_named("python")); }

engine::InfillRequest request_for(std::string_view text, const char* language = "python") {
  engine::InfillRequest request;
  request.text = text;
  request.holes = *engine::find_markers(text, 64);
  request.language = language;
  request.line_comment = "#";
  return request;
}

std::int32_t token(const char* text) {
  const std::vector<std::int32_t> ids = small().model.tokenizer()->encode(text);
  EXPECT_EQ(ids.size(), 1U) << text;
  return ids[0];
}

// A canvas of one hole that is "f(1)" in the end.
class SyntaxConstraintTest : public testing::Test {
 protected:
  void begin_step(std::vector<std::int32_t> guess) {
    std::vector<Candidate> candidates;
    for (int i = 0; i < 4; ++i) {
      if (canvas_[i] == mask_) candidates.push_back({.position = i, .token = guess[i]});
    }
    constraint_.begin_step(
        {.canvas = canvas_, .hole_of = hole_of_, .mask_token = mask_, .candidates = candidates});
  }

  // Whether the constraint takes the token; writes it then.
  bool takes(int position, std::int32_t proposed) {
    const Candidate proposal{.position = position, .token = proposed, .probability = 1};
    std::uint8_t accepted = 0;
    constraint_.vet(canvas_, {&proposal, 1}, {&accepted, 1});
    if (accepted != 0) canvas_[position] = proposed;
    return accepted != 0;
  }

  const std::string text_ = "x = \u27E6?4\u27E7\ny = 2\n";
  const std::vector<engine::Hole> holes_ = *engine::find_markers(text_, 64);
  const std::int32_t mask_ = small().model.mask_token();
  const std::int32_t f_ = token("f"), open_ = token("("), one_ = token("1"), close_ = token(")");
  std::vector<std::int32_t> canvas_ = std::vector<std::int32_t>(4, mask_);
  const std::vector<std::int32_t> hole_of_ = {0, 0, 0, 0};
  SyntaxConstraint constraint_{small().model, python(), text_, holes_};
};

TEST_F(SyntaxConstraintTest, TakesATokenWithWhichTheBestGuessParses) {
  constraint_.begin_canvas(0, {});
  begin_step({f_, open_, one_, close_});
  EXPECT_TRUE(takes(1, open_));
  EXPECT_EQ(constraint_.counts().accepted, 1);
  EXPECT_EQ(constraint_.counts().vetoed, 0);
}

TEST_F(SyntaxConstraintTest, RefusesATokenWithWhichNothingKnownParses) {
  constraint_.begin_canvas(0, {});
  begin_step({f_, open_, one_, close_});
  ASSERT_TRUE(takes(1, open_));
  begin_step({f_, open_, one_, one_});
  EXPECT_FALSE(takes(3, one_));
  EXPECT_EQ(constraint_.fallback(3), close_);
  EXPECT_TRUE(takes(3, close_));
  EXPECT_EQ(constraint_.counts().vetoed, 1);
}

TEST_F(SyntaxConstraintTest, TakesWhatLeavesTheRememberedWholeParsing) {
  constraint_.begin_canvas(0, {});
  begin_step({f_, open_, one_, close_});
  ASSERT_TRUE(takes(1, open_));
  // The guess is broken now, but with what parsed before another name is good.
  begin_step({f_, open_, close_, open_});
  EXPECT_TRUE(takes(0, token("x")));
  EXPECT_TRUE(takes(2, one_));
  EXPECT_TRUE(takes(3, close_));
}

TEST_F(SyntaxConstraintTest, RefusesNothingBeforeSomethingHasParsed) {
  constraint_.begin_canvas(0, {});
  begin_step({open_, open_, open_, open_});
  EXPECT_TRUE(takes(0, open_));
  EXPECT_TRUE(takes(1, open_));
  EXPECT_EQ(constraint_.fallback(2), -1);
}

TEST(CheckedInfillTest, ShowsOnlyWhatParses) {
  const struct {
    const char* language;
    const char* text;
  } table[] = {
      {"python", "def f(x):\n    y = \u27E6?6\u27E7\n    \u27E6?8\u27E7\n    return y\n"},
      {"c", "int f(int x) {\n  int y = \u27E6?6\u27E7;\n  \u27E6?8\u27E7\n  return y;\n}\n"},
      {"go", "package a\n\nfunc f(x int) int {\n\t\u27E6?8\u27E7\n\treturn x\n}\n"},
      {"typescript", "function f(x: number) {\n  return g(\u27E6?5\u27E7);\n}\n"},
  };
  int shown = 0;
  for (const auto& it : table) {
    const grammar::Grammar& grammar = *grammar::grammar_of(language_named(it.language));
    for (const std::uint64_t seed : {1, 2}) {
      engine::InfillRequest request = request_for(it.text, it.language);
      request.options.sampling.temperature = 0.8F;
      request.options.sampling.seed = seed;
      const auto checked = checked_infill(small().model, request, {.grammar = &grammar});
      ASSERT_TRUE(checked) << checked.error().message;
      std::vector<grammar::Span> spans;
      for (const engine::Hole& hole : request.holes) spans.push_back({hole.begin, hole.end});
      grammar::Gate gate(grammar, request.text, spans);
      std::vector<std::string> fills = gate.neutral_fills();
      for (std::size_t i = 0; i < fills.size(); ++i) {
        const engine::HoleFill& fill = checked->result.fills[i];
        const HoleSyntax& hole = checked->holes[i];
        if (hole.state == SyntaxState::Withheld) {
          EXPECT_EQ(fill.text, request.text.substr(spans[i].begin, spans[i].size()));
          EXPECT_FALSE(hole.reason.empty());
        } else {
          EXPECT_EQ(hole.state, SyntaxState::Parses);
          fills[i] = fill.text;
          ++shown;
        }
      }
      EXPECT_TRUE(gate.passes(fills)) << it.text;
    }
  }
  EXPECT_GT(shown, 0);
}

TEST(CheckedInfillTest, RepairsAFillThatDoesNotParse) {
  int repaired = 0;
  const std::string text = "def f(x):\n    y = [\u27E6?12\u27E7]\n    return y\n";
  for (std::uint64_t seed = 0; seed < 12 && repaired == 0; ++seed) {
    engine::InfillRequest request = request_for(text);
    request.options.sampling.temperature = 1.2F;
    request.options.sampling.seed = seed;
    const auto checked =
        checked_infill(small().model, request, {.grammar = &python(), .constrain = false});
    ASSERT_TRUE(checked);
    const HoleSyntax& hole = checked->holes[0];
    repaired += hole.repairs > 0 && hole.state == SyntaxState::Parses ? 1 : 0;
  }
  EXPECT_GT(repaired, 0);
}

TEST(CheckedInfillTest, TakesWhateverComesWithoutAGrammar) {
  const std::string text = "x = \u27E6?4\u27E7\n";
  const auto plain = engine::infill(small().model, request_for(text));
  const auto checked = checked_infill(small().model, request_for(text), {});
  ASSERT_TRUE(plain && checked);
  EXPECT_EQ(checked->holes[0].state, SyntaxState::Unchecked);
  EXPECT_EQ(checked->result.fills[0].text, plain->fills[0].text);
}

TEST(CheckedInfillTest, SaysWhyTheConstraintIsOff) {
  const std::string text = "x = (* / \u27E6?4\u27E7 / *\n";
  const auto checked = checked_infill(small().model, request_for(text), {.grammar = &python()});
  ASSERT_TRUE(checked);
  EXPECT_NE(checked->constraint_off, "");
  EXPECT_EQ(checked->constraint.vetted, 0);
}

TEST(CheckedInfillTest, GivesTheSameOnAnyNumberOfThreads) {
  const std::string text = "def f(x):\n    \u27E6?10\u27E7\n    return x\n";
  const engine::SmallModel one(1);
  engine::InfillRequest request = request_for(text);
  request.options.sampling.temperature = 0.8F;
  const auto a = checked_infill(one.model, request, {.grammar = &python()});
  const auto b = checked_infill(small().model, request, {.grammar = &python()});
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->result.fills[0].text, b->result.fills[0].text);
}

}  // namespace
}  // namespace lacuna::daemon
