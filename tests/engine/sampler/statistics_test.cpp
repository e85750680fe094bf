// Distributions of what is drawn, by chi-square at a significance of 1e-6 (statistics.h).
#include "tests/engine/sampler/statistics.h"

#include <array>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "engine/sampler/rules.h"

namespace lacuna::engine {
namespace {

TEST(ChiSquareTest, TailsAreThoseOfTheTables) {
  EXPECT_NEAR(chi_square_tail(3.841, 1), 0.05, 1e-4);
  EXPECT_NEAR(chi_square_tail(23.209, 10), 0.01, 1e-5);
  EXPECT_NEAR(chi_square_tail(59.893, 37), 0.01, 1e-5);
}

TEST(ChiSquareTest, RefusesCountsThatDoNotFit) {
  EXPECT_TRUE(fits({503, 497}, {0.5, 0.5}));
  EXPECT_FALSE(fits({600, 400}, {0.5, 0.5}));
}

TEST(DrawStatisticsTest, TokensFollowTheSoftmax) {
  const std::vector<float> logits{0.3F, -1.2F, 2.0F, 0.0F, 1.1F, -0.4F};
  const DrawOptions options{.temperature = 0.8F};
  std::vector<double> probabilities;
  double total = 0;
  for (const float x : logits) total += std::exp(x / 0.8);
  for (const float x : logits) probabilities.push_back(std::exp(x / 0.8) / total);
  DrawScratch scratch;
  const Random random(99);
  std::vector<int> counts(logits.size());
  for (int step = 0; step < 100; ++step) {
    for (int position = 0; position < 500; ++position) {
      const double uniform = random.uniform(Random::Purpose::Token, step, position);
      ++counts[static_cast<std::size_t>(
          draw(logits, position, options, {}, uniform, scratch).token)];
    }
  }
  EXPECT_TRUE(fits(counts, probabilities));
}

TEST(DrawStatisticsTest, AFlatVocabularyIsDrawnEvenly) {
  constexpr int kBins = 50;
  const std::vector<float> logits(5000, 1.5F);
  DrawScratch scratch;
  const Random random(3);
  std::vector<int> counts(kBins);
  for (int i = 0; i < 20000; ++i) {
    const double uniform = random.uniform(Random::Purpose::Token, 0, i);
    const int token = draw(logits, i, {.temperature = 1}, {}, uniform, scratch).token;
    ++counts[static_cast<std::size_t>(token) * kBins / logits.size()];
  }
  EXPECT_TRUE(fits(counts, std::vector<double>(kBins, 1.0 / kBins)));
}

TEST(OriginStatisticsTest, EachPositionIsCommittedWithTheScheduledProbability) {
  constexpr int kRuns = 20000;
  std::vector<Candidate> candidates;
  for (int position = 0; position < 6; ++position) {
    candidates.push_back({.position = position, .token = 1, .probability = 1, .confidence = 1});
  }
  const auto rule = make_origin_rule();
  for (const int step : {0, 2, 4}) {
    const StepInfo info{.step = step, .steps = 6, .eps = 1e-3F};
    const double p = transfer_probability(info);
    std::vector<int> by_position(candidates.size());
    std::vector<int> by_set(1U << candidates.size());
    for (int run = 0; run < kRuns; ++run) {
      std::vector<int> chosen;
      rule->choose(info, candidates, Random(static_cast<std::uint64_t>(run)), chosen);
      std::size_t set = 0;
      for (const int i : chosen) {
        ++by_position[static_cast<std::size_t>(i)];
        set |= std::size_t{1} << i;
      }
      ++by_set[set];
    }
    for (const int count : by_position) {
      EXPECT_TRUE(fits({count, kRuns - count}, {p, 1 - p}));
    }
    // Positions are independent: every set has the product of its probabilities.
    std::vector<double> expected;
    for (std::size_t set = 0; set < by_set.size(); ++set) {
      const int n = __builtin_popcountll(set);
      expected.push_back(std::pow(p, n) * std::pow(1 - p, 6 - n));
    }
    EXPECT_TRUE(fits(by_set, expected));
  }
}

TEST(OriginStatisticsTest, StepsAreIndependent) {
  const std::vector<Candidate> candidates{
      {.position = 3, .token = 1, .probability = 1, .confidence = 1}};
  const auto rule = make_origin_rule();
  std::vector<int> counts(4);
  for (int run = 0; run < 20000; ++run) {
    const Random random(static_cast<std::uint64_t>(run));
    std::vector<int> first;
    std::vector<int> second;
    rule->choose({.step = 2, .steps = 6, .eps = 1e-3F}, candidates, random, first);
    rule->choose({.step = 3, .steps = 6, .eps = 1e-3F}, candidates, random, second);
    ++counts[2 * first.size() + second.size()];
  }
  const double p = transfer_probability({.step = 2, .steps = 6, .eps = 1e-3F});
  const double q = transfer_probability({.step = 3, .steps = 6, .eps = 1e-3F});
  EXPECT_TRUE(fits(counts, {(1 - p) * (1 - q), (1 - p) * q, p * (1 - q), p * q}));
}

// The probability that draws without replacement from softmax(confidence / alg_temp) give this
// order.
double probability_of(const std::vector<int>& order, const std::vector<double>& weights) {
  double left = 0;
  for (const double weight : weights) left += weight;
  double probability = 1;
  for (const int i : order) {
    probability *= weights[static_cast<std::size_t>(i)] / left;
    left -= weights[static_cast<std::size_t>(i)];
  }
  return probability;
}

TEST(AlgTempStatisticsTest, OrdersAreThoseOfDrawsWithoutReplacement) {
  constexpr float kAlgTemp = 0.7F;
  const std::vector<float> confidences{-1.5F, -0.2F, -0.9F, -0.4F};
  std::vector<Candidate> candidates;
  std::vector<double> weights;
  for (const float confidence : confidences) {
    candidates.push_back({.position = static_cast<int>(candidates.size()),
                          .token = 1,
                          .probability = 0.5F,
                          .confidence = confidence});
    weights.push_back(std::exp(confidence / kAlgTemp));
  }
  // At times 1, 3/4, 1/2, 1/4, 0 the steps 0, 2 and 3 commit 1, 2 and 4 of 4 masks.
  for (const auto& [step, n_chosen] : {std::pair(0, 1U), std::pair(2, 2U), std::pair(3, 4U)}) {
    const StepInfo info{.step = step, .steps = 4, .eps = 0};
    std::map<std::vector<int>, int> counts;
    for (int run = 0; run < 60000; ++run) {
      std::vector<int> chosen;
      make_scheduled_rule(kAlgTemp, 4)
          ->choose(info, candidates, Random(static_cast<std::uint64_t>(run)), chosen);
      ASSERT_EQ(chosen.size(), n_chosen);
      ++counts[chosen];
    }
    std::vector<int> observed;
    std::vector<double> expected;
    double sum = 0;
    for (const auto& [order, count] : counts) {
      observed.push_back(count);
      expected.push_back(probability_of(order, weights));
      sum += expected.back();
    }
    EXPECT_NEAR(sum, 1, 1e-9) << "an order was never drawn";
    EXPECT_TRUE(fits(observed, expected));
  }
}

}  // namespace
}  // namespace lacuna::engine
