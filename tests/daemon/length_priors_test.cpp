#include "daemon/length_priors.h"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/checked_infill.h"
#include "grammar/usual_length.h"
#include "tests/helpers/small_model.h"

namespace lacuna::daemon {
namespace {

using grammar::Edge;
using grammar::HoleKind;

const engine::Model& small() {
  static const engine::SmallModel kModel;
  return kModel.model;
}

std::vector<std::optional<engine::LengthPrior>> priors_of(const std::string& text,
                                                          const char* language = "python") {
  const std::vector<engine::Hole> holes = *engine::find_markers(text, 64);
  return length_priors(small(), *grammar::grammar_of(language_named(language)), text, holes);
}

TEST(LengthPriorsTest, AreThoseOfTheShapeInTokensOfTheModel) {
  const auto priors = priors_of(
      "def area(width, height):\n    result = width * height\n    ⟦?⟧\n\n"
      "def volume(width, height, depth):\n    return area(⟦?⟧) * depth\n");
  ASSERT_EQ(priors.size(), 2U);
  ASSERT_TRUE(priors[0] && priors[1]);
  const auto block = grammar::usual_length("python", {HoleKind::Block, Edge::Line, Edge::Line});
  const auto list = grammar::usual_length("python", {HoleKind::Arguments, Edge::Open, Edge::Close});
  ASSERT_TRUE(block && list);
  EXPECT_EQ(priors[0]->log_deviation, block->deviation);
  EXPECT_EQ(priors[1]->log_deviation, list->deviation);
  // Bytes of a token of the file: more than one, and less than ten; a word alone has no blanks.
  const double of_text = block->mean - priors[0]->log_mean;
  const double of_words = list->mean - priors[1]->log_mean;
  EXPECT_GT(of_text, 0);
  EXPECT_GT(of_words, of_text);
  EXPECT_LT(of_words, std::log(10));
}

TEST(LengthPriorsTest, NothingIsShorterThanWhatTheGrammarNeeds) {
  const engine::Tokenizer& tokenizer = *small().tokenizer();
  // Neither nothing nor a name can stand here, only a block.
  const auto block = priors_of("int f(void) ⟦?⟧\nint g;\n", "c");
  ASSERT_TRUE(block[0]);
  EXPECT_EQ(block[0]->least, std::max<int>(1, static_cast<int>(tokenizer.encode(";").size())));
  const auto colon = priors_of("if x⟦?⟧\ny = 1\n");
  ASSERT_TRUE(colon[0]);
  EXPECT_EQ(colon[0]->least, static_cast<int>(tokenizer.encode(": pass").size()));
  EXPECT_GT(colon[0]->least, 1);
  const auto nothing_needed = priors_of("f(⟦?⟧)\n");
  ASSERT_TRUE(nothing_needed[0]);
  EXPECT_EQ(nothing_needed[0]->least, 1);
}

TEST(LengthPriorsTest, AreNoneWithoutHoles) { EXPECT_TRUE(priors_of("x\n").empty()); }

// So short is what the grammar needs that the small model, which knows nothing, would leave it out.
TEST(LengthPriorsTest, ACheckedFillProbesWithThem) {
  const std::string text = "if x⟦?⟧\ny = 1\n";
  engine::InfillRequest request;
  request.text = text;
  request.holes = *engine::find_markers(text, 64);
  request.options.length = engine::LengthMode::Probe;
  request.options.max_hole_tokens = 3;
  request.options.default_hole_tokens = 1;
  const grammar::Grammar& python = *grammar::grammar_of(language_named("python"));
  const int least = priors_of(text)[0]->least;
  const auto checked = checked_infill(small(), request, {.grammar = &python, .repairs = 0});
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_GE(checked->result.fills[0].canvas_tokens, std::min(3, least));
}

}  // namespace
}  // namespace lacuna::daemon
