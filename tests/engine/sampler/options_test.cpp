#include "engine/sampler/options.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace lacuna::engine {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(AlgorithmTest, EveryNameIsParsedBack) {
  for (const auto algorithm : {Algorithm::Origin, Algorithm::MaskgitPlus, Algorithm::TopkMargin,
                               Algorithm::Entropy, Algorithm::ConfidenceThreshold}) {
    const auto parsed = parse_algorithm(name_of(algorithm));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, algorithm);
  }
}

TEST(AlgorithmTest, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  const auto parsed = parse_algorithm("Entropy");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::InvalidInput);
  EXPECT_EQ(parsed.error().message,
            "alg is 'Entropy', must be one of origin, maskgit_plus, topk_margin, entropy, "
            "confidence_threshold");
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
