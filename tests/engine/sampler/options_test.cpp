#include "engine/sampler/options.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace lacuna::engine {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(AlgorithmTest, EveryNameIsParsedBack) {
  for (const auto algorithm :
       {Algorithm::Origin, Algorithm::MaskgitPlus, Algorithm::TopkMargin, Algorithm::Entropy,
        Algorithm::ConfidenceThreshold, Algorithm::LowConfidence, Algorithm::Random, Algorithm::P2,
        Algorithm::Remdm}) {
    const auto parsed = parse_algorithm(name_of(algorithm));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, algorithm);
  }
  for (const auto schedule :
       {RemaskSchedule::Cap, RemaskSchedule::Rescale, RemaskSchedule::Confidence}) {
    EXPECT_EQ(*parse_remask_schedule(name_of(schedule)), schedule);
  }
}

TEST(AlgorithmTest, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  const auto parsed = parse_algorithm("Entropy");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::InvalidInput);
  EXPECT_EQ(parsed.error().message,
            "alg is 'Entropy', must be one of origin, maskgit_plus, topk_margin, entropy, "
            "confidence_threshold, low_confidence, random, p2, remdm");
}

struct BadOption {
  SamplingOptions options;
  std::string message;
};

TEST(SamplingOptionsTest, ARefusalNamesOptionValueAndBounds) {
  const BadOption bad[] = {
      {{.steps = 0}, "steps is 0, must be in [1, 1000000]"},
      {{.steps = 1000001}, "steps is 1000001, must be in [1, 1000000]"},
      {{.temperature = -1}, "temperature is -1, must be 0 or in [1e-06, 100]"},
      {{.temperature = 1e-30F}, "temperature is 1e-30, must be 0 or in [1e-06, 100]"},
      {{.temperature = kNan}, "temperature is nan, must be 0 or in [1e-06, 100]"},
      {{.top_p = 0.0F}, "top_p is 0, must be in (0, 1]"},
      {{.top_p = 1.5F}, "top_p is 1.5, must be in (0, 1]"},
      {{.top_p = kNan}, "top_p is nan, must be in (0, 1]"},
      {{.top_k = 0}, "top_k is 0, must be at least 1"},
      {{.alg_temp = kInfinity}, "alg_temp is inf, must be 0 or in [1e-06, 100]"},
      {{.eps = -0.5F}, "eps is -0.5, must be in [0, 1]"},
      {{.eps = kNan}, "eps is nan, must be in [0, 1]"},
      {{.threshold = 1.25F}, "threshold is 1.25, must be in [0, 1]"},
      {{.algorithm = Algorithm::ConfidenceThreshold}, "alg confidence_threshold needs a threshold"},
      {{.algorithm = Algorithm::Origin, .threshold = 0.5F},
       "threshold cannot be used with alg origin, which chooses positions at random"},
      {{.algorithm = Algorithm::P2, .factor = 1.0F},
       "factor cannot be used with alg p2, which takes tokens back by its own schedule"},
      {{.factor = 0.0F}, "factor is 0, must be in (0, 1000]"},
      {{.entropy_budget = -1.0F}, "entropy_budget is -1, must be in [0, 1000]"},
      {{.tokens_per_step = 0}, "tokens_per_step is 0, must be in [1, 1000000]"},
      {{.block_length = 0}, "block_length is 0, must be in [1, 1000000]"},
      {{.verify = 65}, "verify is 65, must be in [0, 64]"},
      {{.cfg_scale = kNan}, "cfg_scale is nan, must be in [0, 100]"},
      {{.eta = 2}, "eta is 2, must be in [0, 1]"},
      {{.threshold = 0.5F, .factor = 1.0F},
       "only one of threshold, tokens_per_step, factor and entropy_budget can be used"},
      {{.algorithm = Algorithm::MaskgitPlus, .entropy_budget = 0.1F},
       "entropy_budget cannot be used with alg maskgit_plus; it needs alg entropy"},
      {{.threshold = 0.5F, .verify = 2},
       "verify needs a schedule: maskgit_plus, topk_margin, entropy or low_confidence, without "
       "threshold, factor and entropy_budget"},
      {{.alg_temp = 0.5F, .verify = 2}, "verify cannot be used with alg_temp or cfg_scale"},
      {{.algorithm = Algorithm::Remdm, .block_length = 4},
       "block_length cannot be used with alg remdm"},
  };
  for (const BadOption& entry : bad) {
    const auto checked = check(entry.options);
    ASSERT_FALSE(checked) << entry.message;
    EXPECT_EQ(checked.error().code, ErrorCode::InvalidInput);
    EXPECT_EQ(checked.error().message, entry.message);
  }
}

TEST(SamplingOptionsTest, DefaultsAndBoundsAreAccepted) {
  EXPECT_TRUE(check({}));
  EXPECT_TRUE(check({.steps = 1, .temperature = 100, .top_p = 1.0F, .top_k = 1, .eps = 1e-12F}));
  EXPECT_TRUE(check({.algorithm = Algorithm::ConfidenceThreshold, .threshold = 0.0F}));
  EXPECT_TRUE(check({.algorithm = Algorithm::Origin, .alg_temp = 0.5F}));
}

}  // namespace
}  // namespace lacuna::engine
