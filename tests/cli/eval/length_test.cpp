#include "cli/eval/length.h"

#include <gtest/gtest.h>

#include "tests/helpers/small_model.h"

namespace lacuna::cli {
namespace {

TEST(LengthRegime, ReadsBackItsName) {
  for (const char* text : {"fixed:1", "fixed:16", "fixed:4096", "oracle"}) {
    const auto regime = parse_length(text);
    ASSERT_TRUE(regime.has_value()) << text;
    EXPECT_EQ(regime->name(), text);
  }
}

TEST(LengthRegime, RefusesWhatIsNone) {
  for (const char* text : {"", "16", "fixed", "fixed:", "fixed:0", "fixed:-1", "fixed:4097",
                           "fixed:1x", "fixed:99999999999", "Oracle", "oracle:1", "auto"}) {
    EXPECT_FALSE(parse_length(text).has_value()) << text;
  }
}

TEST(CanvasLength, OfTheOracleIsThatOfTheReference) {
  const engine::SmallModel small;
  EvalCase it;
  it.reference = "    return a + b\n";
  const auto tokens = static_cast<int>(small.model.tokenizer()->encode(it.reference).size());
  EXPECT_GT(tokens, 1);
  EXPECT_EQ(canvas_length(*parse_length("oracle"), it, small.model), tokens);
  EXPECT_EQ(canvas_length(*parse_length("fixed:16"), it, small.model), 16);
  it.reference = "";
  EXPECT_EQ(canvas_length(*parse_length("oracle"), it, small.model), 1);
}

}  // namespace
}  // namespace lacuna::cli
