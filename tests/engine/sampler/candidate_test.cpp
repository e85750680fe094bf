#include "engine/sampler/candidate.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace lacuna::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr int kPosition = 7;

Candidate draw_from(const std::vector<float>& logits, const DrawOptions& options,
                    double uniform = 0, const std::vector<std::int32_t>& banned = {}) {
  DrawScratch scratch;
  return draw(logits, kPosition, options, banned, uniform, scratch);
}

void expect_none(const Candidate& candidate) {
  EXPECT_EQ(candidate.position, kPosition);
  EXPECT_EQ(candidate.token, -1);
  EXPECT_EQ(candidate.probability, 0);
  EXPECT_EQ(candidate.confidence, -kInfinity);
}

TEST(DrawTest, GreedyTakesTheFirstOfTheMostProbable) {
  for (const int n : {3, 65, 5000, 9000}) {
    std::vector<float> logits(static_cast<std::size_t>(n), 0.5F);
    logits[0] = 0;
    const Candidate candidate = draw_from(logits, {});
    EXPECT_EQ(candidate.token, 1) << n;
    EXPECT_EQ(candidate.position, kPosition);
    EXPECT_NEAR(candidate.probability, 1 / (n - 1 + std::exp(-0.5)), 1e-7);
    EXPECT_EQ(candidate.confidence, candidate.probability);
  }
}

TEST(DrawTest, GreedyFindsTheBestWhereverItStands) {
  for (const int n : {1, 2, 64, 65, 4096, 4097, 4200, 10000}) {
    for (int best = 0; best < n; best += std::max(1, n / 37)) {
      std::vector<float> logits(static_cast<std::size_t>(n), -1.0F);
      logits[static_cast<std::size_t>(best)] = 3;
      ASSERT_EQ(draw_from(logits, {}).token, best) << n;
    }
  }
}

TEST(DrawTest, TheUniformNumberWalksThroughTheCumulativeProbabilities) {
  const std::vector<float> logits{std::log(1.0F), std::log(2.0F), -kInfinity, std::log(5.0F)};
  const DrawOptions options{.temperature = 1};
  EXPECT_EQ(draw_from(logits, options, 0).token, 0);
  EXPECT_EQ(draw_from(logits, options, 0.124).token, 0);
  EXPECT_EQ(draw_from(logits, options, 0.126).token, 1);
  EXPECT_EQ(draw_from(logits, options, 0.374).token, 1);
  EXPECT_EQ(draw_from(logits, options, 0.376).token, 3);
  EXPECT_EQ(draw_from(logits, options, 1 - 0x1p-53).token, 3);
  EXPECT_NEAR(draw_from(logits, options, 0.2).probability, 0.25, 1e-7);
}

TEST(DrawTest, TheSharesOfTokensAreHalfOpen) {
  EXPECT_EQ(draw_from({1, 1}, {.temperature = 1}, 0.5 - 0x1p-53).token, 0);
  EXPECT_EQ(draw_from({1, 1}, {.temperature = 1}, 0.5).token, 1);
}

TEST(DrawTest, TheExtremeUniformNumbersGiveTokensThatArePossible) {
  for (const int n : {1, 5, 1024, 1025, 3000, 152064}) {
    std::vector<float> logits(static_cast<std::size_t>(n), -kInfinity);
    const int first = n / 3;
    const int last = n / 2;
    logits[static_cast<std::size_t>(first)] = 0.1F;
    logits[static_cast<std::size_t>(last)] = 0.2F;
    const DrawOptions options{.temperature = 0.9F};
    EXPECT_EQ(draw_from(logits, options, 0).token, first) << n;
    EXPECT_EQ(draw_from(logits, options, 1 - 0x1p-53).token, last) << n;
  }
}

TEST(DrawTest, TemperatureDividesTheLogits) {
  const std::vector<float> logits{0, 1};
  const double expected = 1 / (1 + std::exp(-1 / 0.25));
  EXPECT_NEAR(draw_from(logits, {.temperature = 0.25F}, 0.5).probability, expected, 1e-6);
}

TEST(DrawTest, ThePlainProbabilityKnowsNeitherTemperatureNorFilters) {
  const std::vector<float> logits{1, 2, 3, 0.5F, 9};
  const std::vector<std::uint8_t> allowed{1, 1, 1, 1, 0};
  const double total = std::exp(1) + std::exp(2) + std::exp(3) + std::exp(0.5);
  for (const DrawOptions& options :
       {DrawOptions{.temperature = 0.7F}, DrawOptions{.temperature = 1},
        DrawOptions{.temperature = 2.5F}, DrawOptions{.top_p = 0.5F}, DrawOptions{.top_k = 2},
        DrawOptions{.temperature = 0.3F, .top_p = 0.9F, .confidence = Confidence::NegativeEntropy},
        DrawOptions{}}) {
    DrawOptions allowing = options;
    allowing.allowed = allowed;
    for (const double uniform : {0.0, 0.3, 0.999}) {
      const Candidate drawn = draw_from(logits, allowing, uniform);
      const double expected = std::exp(logits[static_cast<std::size_t>(drawn.token)]) / total;
      EXPECT_NEAR(drawn.plain_probability, expected, 1e-6) << options.temperature << " " << uniform;
    }
    DrawScratch scratch;
    const Candidate scored = score(logits, kPosition, 2, allowing, scratch);
    EXPECT_NEAR(scored.plain_probability, std::exp(3) / total, 1e-6) << options.temperature;
  }
  const Candidate banned = draw_from(logits, {.temperature = 0.5F, .allowed = allowed}, 0.9, {2});
  EXPECT_NEAR(banned.plain_probability, std::exp(2) / (total - std::exp(3)), 1e-6);
  const Candidate plain = draw_from(logits, {.allowed = allowed});
  EXPECT_EQ(plain.plain_probability, plain.probability);
}

TEST(DrawTest, ForbiddenAndBannedTokensAreOutOfTheDistribution) {
  const std::vector<float> logits{0, 0, 5, 0, 9};
  const std::vector<std::uint8_t> allowed{1, 1, 1, 1, 0};
  const DrawOptions options{.allowed = allowed};
  EXPECT_EQ(draw_from(logits, options).token, 2);
  const Candidate candidate = draw_from(logits, options, 0, {2});
  EXPECT_EQ(candidate.token, 0);
  EXPECT_NEAR(candidate.probability, 1.0 / 3, 1e-7);
  EXPECT_EQ(draw_from(logits, {}, 0, {4, 2}).token, 0);
}

TEST(DrawTest, TopKCountsOnlyWhatIsAllowed) {
  const std::vector<float> logits{9, 3, 2, 1};
  const std::vector<std::uint8_t> allowed{0, 1, 1, 1};
  const Candidate candidate = draw_from(logits, {.top_k = 2, .allowed = allowed});
  EXPECT_EQ(candidate.token, 1);
  EXPECT_NEAR(candidate.probability, 1 / (1 + std::exp(-1.0)), 1e-6);
}

TEST(DrawTest, EverythingForbiddenGivesNoToken) {
  const std::vector<float> logits{1, 2, 3};
  const std::vector<std::uint8_t> allowed{0, 0, 0};
  expect_none(draw_from({}, {}));
  expect_none(draw_from(logits, {.allowed = allowed}));
  expect_none(draw_from(logits, {.temperature = 0.5F, .top_p = 0.9F, .allowed = allowed}, 0.5));
  expect_none(draw_from(logits, {.top_p = 0.9F, .top_k = 2}, 0.5, {0, 1, 2}));
  expect_none(draw_from({-kInfinity, -kInfinity}, {.confidence = Confidence::NegativeEntropy}));
}

TEST(DrawTest, LogitsThatAreNoNumbersGiveNoToken) {
  for (const float bad : {kNan, -kNan, kInfinity}) {
    for (const int n : {1, 2, 100, 5000}) {
      std::vector<float> logits(static_cast<std::size_t>(n), 1.0F);
      logits[static_cast<std::size_t>(n) / 2] = bad;
      for (const float temperature : {0.0F, 0.7F}) {
        for (const auto kind :
             {Confidence::Probability, Confidence::Margin, Confidence::NegativeEntropy}) {
          expect_none(draw_from(logits, {.temperature = temperature, .confidence = kind}, 0.5));
          expect_none(draw_from(
              logits, {.temperature = temperature, .top_p = 0.9F, .top_k = 3, .confidence = kind},
              0.5));
        }
      }
    }
  }
}

TEST(DrawTest, ConfidenceIsOfTheFilteredDistribution) {
  const std::vector<float> logits{std::log(6.0F), std::log(3.0F), std::log(1.0F)};
  const auto confidence = [&](Confidence kind, int top_k) {
    return draw_from(logits, {.top_k = top_k, .confidence = kind}).confidence;
  };
  EXPECT_NEAR(confidence(Confidence::Probability, 3), 0.6, 1e-6);
  EXPECT_NEAR(confidence(Confidence::Probability, 2), 2.0 / 3, 1e-6);
  EXPECT_NEAR(confidence(Confidence::Margin, 3), 0.3, 1e-6);
  EXPECT_NEAR(confidence(Confidence::Margin, 2), 1.0 / 3, 1e-6);
  EXPECT_EQ(confidence(Confidence::Margin, 1), 1);
  EXPECT_NEAR(confidence(Confidence::NegativeEntropy, 2),
              2.0 / 3 * std::log(2.0 / 3) + 1.0 / 3 * std::log(1.0 / 3), 1e-6);
  EXPECT_EQ(confidence(Confidence::NegativeEntropy, 1), 0);
}

TEST(DrawTest, ProbabilityIsThatOfTheDrawnTokenWhateverTheConfidence) {
  const std::vector<float> logits{std::log(6.0F), std::log(3.0F), std::log(1.0F)};
  const Candidate candidate =
      draw_from(logits, {.temperature = 1, .confidence = Confidence::Margin}, 0.7);
  EXPECT_EQ(candidate.token, 1);
  EXPECT_NEAR(candidate.probability, 0.3, 1e-6);
  EXPECT_NEAR(candidate.confidence, 0.3, 1e-6);
}

TEST(DrawTest, ScratchMayBeReusedForAnotherVocabulary) {
  DrawScratch scratch;
  const std::vector<float> large(5000, 1.0F);
  draw(large, 0, {.temperature = 1, .top_p = 0.9F}, {}, 0.5, scratch);
  const std::vector<float> small{0, 3, 1};
  const Candidate candidate = draw(small, 0, {}, {}, 0, scratch);
  EXPECT_EQ(candidate.token, 1);
  EXPECT_NEAR(candidate.probability, 1 / (1 + std::exp(-3.0) + std::exp(-2.0)), 1e-6);
}

TEST(ConfidenceTest, EachAlgorithmHasItsScore) {
  EXPECT_EQ(confidence_of(Algorithm::Origin), Confidence::Probability);
  EXPECT_EQ(confidence_of(Algorithm::MaskgitPlus), Confidence::Probability);
  EXPECT_EQ(confidence_of(Algorithm::TopkMargin), Confidence::Margin);
  EXPECT_EQ(confidence_of(Algorithm::Entropy), Confidence::NegativeEntropy);
  EXPECT_EQ(confidence_of(Algorithm::ConfidenceThreshold), Confidence::Probability);
}

}  // namespace
}  // namespace lacuna::engine
