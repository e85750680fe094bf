#include "daemon/checked_infill.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/fill_check.h"
#include "grammar/tidy_fill.h"
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

// A canvas of the holes of a text.
class SyntaxConstraintTest : public testing::Test {
 protected:
  explicit SyntaxConstraintTest(std::string text = "x = \u27E6?4\u27E7\ny = 2\n")
      : text_(std::move(text)), holes_(*engine::find_markers(text_, 64)) {
    for (std::size_t i = 0; i < holes_.size(); ++i) {
      canvas_.insert(canvas_.end(), *holes_[i].tokens, mask_);
      hole_of_.insert(hole_of_.end(), *holes_[i].tokens, static_cast<std::int32_t>(i));
    }
    constraint_.begin_canvas(0, {});
  }

  // `guess` for each position, also for those that are not masked any more.
  void begin_step(const std::vector<std::int32_t>& guess) {
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < canvas_.size(); ++i) {
      if (canvas_[i] == mask_) {
        candidates.push_back({.position = static_cast<int>(i), .token = guess[i]});
      }
    }
    constraint_.begin_step(
        {.canvas = canvas_, .hole_of = hole_of_, .mask_token = mask_, .candidates = candidates});
  }

  // Which of the tokens the constraint takes; writes them then.
  std::vector<bool> takes(const std::vector<Candidate>& proposals) {
    std::vector<std::uint8_t> accepted(proposals.size());
    constraint_.vet(canvas_, proposals, accepted);
    for (std::size_t i = 0; i < proposals.size(); ++i) {
      if (accepted[i] != 0) canvas_[proposals[i].position] = proposals[i].token;
    }
    return {accepted.begin(), accepted.end()};
  }
  bool takes(int position, std::int32_t token) {
    return takes({{.position = position, .token = token, .probability = 1}})[0];
  }

  const std::string text_;
  const std::vector<engine::Hole> holes_;
  const std::int32_t mask_ = small().model.mask_token();
  const std::int32_t f_ = token("f"), open_ = token("("), one_ = token("1"), close_ = token(")");
  std::vector<std::int32_t> canvas_;
  std::vector<std::int32_t> hole_of_;
  const grammar::Gate gate_{python(), text_, spans_of(holes_)};
  SyntaxConstraint constraint_{small().model, python(), gate_};
};

TEST_F(SyntaxConstraintTest, TakesATokenWithWhichTheBestGuessParses) {
  begin_step({f_, open_, one_, close_});
  EXPECT_TRUE(takes(1, open_));
  EXPECT_EQ(constraint_.counts().accepted, 1);
  EXPECT_EQ(constraint_.counts().exact, 0);
  EXPECT_EQ(constraint_.counts().vetoed, 0);
}

TEST_F(SyntaxConstraintTest, TakesATokenThatClosingBracketsComplete) {
  begin_step({open_, open_, open_, open_});
  EXPECT_TRUE(takes(0, open_));
  EXPECT_EQ(constraint_.counts().exact, 1);  // before anything more is parsed
  EXPECT_EQ(constraint_.fallback(1), close_);
}

TEST_F(SyntaxConstraintTest, TakesATokenThatNothingKnownCompletesButSomethingMight) {
  begin_step({close_, close_, close_, close_});
  EXPECT_TRUE(takes(2, close_));  // as in "f()"
  EXPECT_EQ(constraint_.counts().exact, 1);
  EXPECT_EQ(constraint_.fallback(1), -1);
}

TEST_F(SyntaxConstraintTest, RefusesATokenThatNothingCompletes) {
  begin_step({close_, close_, close_, close_});
  EXPECT_FALSE(takes(0, close_));
  EXPECT_EQ(constraint_.counts().exact, 1);
  EXPECT_EQ(constraint_.counts().vetoed, 1);
}

TEST_F(SyntaxConstraintTest, RefusesOnlyTheTokensThatAreAtFault) {
  begin_step({close_, close_, close_, close_});
  const std::vector<Candidate> proposals = {{.position = 0, .token = f_},
                                            {.position = 2, .token = one_},
                                            {.position = 1, .token = close_}};
  EXPECT_EQ(takes(proposals), (std::vector<bool>{true, true, false}));
}

TEST_F(SyntaxConstraintTest, KeepsTheRememberedWholeWhenLittleIsLeft) {
  begin_step({f_, open_, one_, close_});
  ASSERT_TRUE(takes(1, open_));
  ASSERT_TRUE(takes(0, f_));
  // "f(?1" could still become "f()+1", but not with one token.
  begin_step({f_, open_, one_, one_});
  EXPECT_FALSE(takes(3, one_));
  EXPECT_EQ(constraint_.fallback(3), close_);
  EXPECT_TRUE(takes(3, close_));
}

TEST_F(SyntaxConstraintTest, TakesWhatLeavesTheRememberedWholeParsing) {
  begin_step({f_, open_, one_, close_});
  ASSERT_TRUE(takes(1, open_));
  // The guess is broken now, but with what parsed before another name is good.
  begin_step({f_, open_, close_, open_});
  EXPECT_TRUE(takes(0, token("x")));
  EXPECT_TRUE(takes(2, one_));
  EXPECT_TRUE(takes(3, close_));
}

TEST_F(SyntaxConstraintTest, RemembersTheWholeWhenTheHoleBecomesLonger) {
  begin_step({f_, open_, one_, close_});
  ASSERT_TRUE(takes(1, open_));
  canvas_.insert(canvas_.begin(), mask_);
  hole_of_.push_back(0);
  begin_step({open_, open_, open_, open_, open_});
  EXPECT_EQ(constraint_.fallback(0), f_);
  EXPECT_EQ(constraint_.fallback(3), one_);
  EXPECT_EQ(constraint_.fallback(4), close_);
}

TEST_F(SyntaxConstraintTest, FallsBackToSomethingNeutralBeforeAnythingWasProposed) {
  begin_step({open_, open_, open_, open_});
  std::vector<std::int32_t> whole;
  for (int i = 0; i < 4; ++i) whole.push_back(constraint_.fallback(i));
  const std::string fill = small().model.tokenizer()->decode(whole);
  grammar::Gate gate(python(), text_, {{holes_[0].begin, holes_[0].end}});
  EXPECT_TRUE(gate.passes({{fill}})) << fill;
}

class SyntaxConstraintOnTwoHolesTest : public SyntaxConstraintTest {
 protected:
  SyntaxConstraintOnTwoHolesTest()
      : SyntaxConstraintTest("x = \u27E6?4\u27E7\ny = \u27E6?2\u27E7\n") {}
};

TEST_F(SyntaxConstraintOnTwoHolesTest, JudgesAHoleWhateverTheModelWouldPutInTheOther) {
  begin_step({close_, close_, close_, close_, f_, one_});
  EXPECT_EQ(takes({{.position = 4, .token = f_}, {.position = 0, .token = close_}}),
            (std::vector<bool>{true, false}));
}

TEST_F(SyntaxConstraintOnTwoHolesTest, TakesHolesThatNeedEachOther) {
  begin_step({f_, open_, one_, close_, one_, f_});
  EXPECT_EQ(takes({{.position = 1, .token = open_}, {.position = 4, .token = one_}}),
            (std::vector<bool>{true, true}));
}

// The gate finds nothing simple that fits, but knows that something would.
TEST(CheckedInfillTest, WithholdsWhatDoesNotParseThoughItsStepsWereNotChecked) {
  engine::InfillRequest request = request_for("x = \u27E6?6\u27E7]}, 1)\n");
  request.options.sampling.temperature = 0.8F;
  const auto checked = checked_infill(small().model, request, {.grammar = &python()});
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_NE(checked->constraint_off.find("nothing simple"), std::string::npos);
  EXPECT_EQ(checked->constraint.vetted, 0);
  EXPECT_EQ(name_of(checked->holes.at(0).state), "withheld");
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

TEST(CheckedInfillTest, WithholdsOnlyHolesThatAreAtFaultThemselves) {
  const std::string text =
      "def f(x):\n    y = \u27E6?6\u27E7\n    z = g(\u27E6?6\u27E7)\n    return \u27E6?6\u27E7\n";
  int withheld = 0;
  int shown_beside = 0;  // others that were not
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    engine::InfillRequest request = request_for(text);
    request.options.sampling.temperature = 1.2F;
    request.options.sampling.seed = seed;
    std::vector<grammar::Span> spans;
    for (const engine::Hole& hole : request.holes) spans.push_back({hole.begin, hole.end});
    grammar::Gate gate(python(), text, spans);
    const auto plain = engine::infill(small().model, request);
    const auto checked = checked_infill(small().model, request,
                                        {.grammar = &python(), .constrain = false, .repairs = 0});
    ASSERT_TRUE(plain && checked);
    int withheld_here = 0;
    for (std::size_t i = 0; i < spans.size(); ++i) {
      std::vector<std::string> fills = gate.neutral_fills();
      fills[i] = grammar::tidy_fill(text, spans[i], plain->fills[i].text);
      const bool is_withheld = checked->holes[i].state == SyntaxState::Withheld;
      EXPECT_FALSE(is_withheld && gate.passes(fills)) << fills[i];
      withheld_here += is_withheld ? 1 : 0;
    }
    withheld += withheld_here;
    if (withheld_here > 0) shown_beside += 3 - withheld_here;
  }
  EXPECT_GT(withheld, 0);
  EXPECT_GT(shown_beside, 0);
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
