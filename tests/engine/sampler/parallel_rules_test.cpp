// Rules that commit as many tokens as are sure, and LLaDA's quota.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/sampler/rules.h"
#include "tests/engine/sampler/reference_data.h"

namespace lacuna::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<Candidate> candidates_of(const std::vector<float>& confidences) {
  std::vector<Candidate> candidates;
  for (const float confidence : confidences) {
    candidates.push_back({.position = static_cast<int>(candidates.size()) * 2,
                          .token = 1,
                          .probability = confidence,
                          .confidence = confidence});
  }
  return candidates;
}

std::vector<int> choose(CommitRule& rule, int step, int steps,
                        const std::vector<float>& confidences) {
  std::vector<int> chosen;
  rule.choose({.step = step, .steps = steps, .eps = 1e-3F}, candidates_of(confidences), Random(1),
              chosen);
  return chosen;
}

TEST(QuotaRuleTest, TheRemainderGoesToTheFirstSteps) {
  int steps = 0;
  const nlohmann::json golden = load_reference("golden/transfer_schedule.json");
  for (const auto& entry : golden["llada"]) {
    const int masks = entry["n_mask"];
    for (int step = 0; step < entry["steps"].get<int>(); ++step, ++steps) {
      EXPECT_EQ(quota_at(masks, {.step = step, .steps = entry["steps"], .eps = 0}),
                entry["counts"][static_cast<std::size_t>(step)].get<int>())
          << entry.dump();
    }
  }
  EXPECT_GT(steps, 100);
}

TEST(QuotaRuleTest, TakesTheSurestAndWhatWasRefusedBefore) {
  const auto rule = make_quota_rule(false, 5);
  EXPECT_THAT(choose(*rule, 0, 3, {0.1F, 0.9F, 0.3F, 0.8F, 0.2F}), ElementsAre(1, 3));
  EXPECT_THAT(choose(*rule, 2, 3, {0.1F, 0.3F}), ElementsAre(1));
  std::vector<int> chosen;
  rule->choose({.step = 2, .steps = 3, .eps = 0, .refused = 1}, candidates_of({0.1F, 0.3F}),
               Random(1), chosen);
  EXPECT_THAT(chosen, ElementsAre(1, 0));
}

TEST(QuotaRuleTest, ByLotEveryPositionIsAsLikely) {
  const auto rule = make_quota_rule(true, 4);
  const auto candidates = candidates_of({0.9F, 0.1F, 0.5F, 0.2F});
  std::vector<int> counts(4);
  for (std::uint64_t seed = 0; seed < 8000; ++seed) {
    std::vector<int> chosen;
    rule->choose({.step = 0, .steps = 4, .eps = 0}, candidates, Random(seed), chosen);
    ASSERT_EQ(chosen.size(), 1U);
    ++counts[static_cast<std::size_t>(chosen[0])];
  }
  // 2,000 each; five standard deviations are 194.
  for (const int count : counts) EXPECT_NEAR(count, 2000, 194);
}

TEST(FactorRuleTest, CommitsAsManyAsThePublishedRule) {
  int cases = 0;
  const nlohmann::json golden = load_reference("golden/fast_dllm_factor.json");
  for (const auto& entry : golden["cases"]) {
    const auto confidences = entry["confidence"].get<std::vector<float>>();
    const auto rule = make_factor_rule(entry["factor"], true, static_cast<int>(confidences.size()));
    EXPECT_EQ(choose(*rule, 0, 100, confidences).size(), entry["n_selected"].get<std::size_t>())
        << entry.dump();
    ++cases;
  }
  EXPECT_EQ(cases, 72);
}

TEST(FactorRuleTest, TheSurestComeFirstAndTheLastStepTakesAll) {
  const auto rule = make_factor_rule(1, true, 3);
  EXPECT_THAT(choose(*rule, 0, 9, {0.9F, 0.99F, 0.2F, 0.1F}), ElementsAre(1, 0));
  EXPECT_THAT(choose(*rule, 8, 9, {0.1F, 0.2F}), ElementsAre(1, 0));
  EXPECT_THAT(choose(*rule, 0, 9, {}), IsEmpty());
  EXPECT_FALSE(rule->runs_past_last_step());
}

TEST(EntropyBudgetRuleTest, TheEntropiesBeforeTheLastStayWithinTheBudget) {
  // Confidence is the negative entropy.
  const std::vector<float> entropies = {-0.5F, -0.01F, -0.04F, -0.06F, -0.2F};
  const auto within = [&](float budget) {
    return choose(*make_entropy_budget_rule(budget), 0, 9, entropies);
  };
  EXPECT_THAT(within(0), ElementsAre(1));
  EXPECT_THAT(within(0.02F), ElementsAre(1, 2));
  EXPECT_THAT(within(0.06F), ElementsAre(1, 2, 3));
  EXPECT_THAT(within(0.2F), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(within(9), ElementsAre(1, 2, 3, 4, 0));
  EXPECT_THAT(choose(*make_entropy_budget_rule(0), 8, 9, entropies), ElementsAre(1, 2, 3, 4, 0));
}

TEST(FixedRuleTest, CommitsItsNumberUntilNothingIsLeft) {
  const auto rule = make_fixed_rule(2);
  EXPECT_THAT(choose(*rule, 0, 1, {0.1F, 0.9F, 0.3F}), ElementsAre(1, 2));
  EXPECT_THAT(choose(*rule, 7, 1, {0.1F}), ElementsAre(0));
  EXPECT_TRUE(rule->runs_past_last_step());
}

TEST(ThresholdRuleTest, MayLeaveAShareOfTheMasks) {
  const auto rule = make_threshold_rule(0.1F, true, 0.7F);
  EXPECT_THAT(choose(*rule, 0, 9, {0.4F, 0.9F, 0.3F}), ElementsAre(1, 0, 2));
  EXPECT_THAT(choose(*rule, 0, 9, {0.4F, 0.9F, 0.3F, 0.2F}), ElementsAre(1, 0, 2));
  EXPECT_THAT(choose(*rule, 0, 9, {0.4F}), ElementsAre(0));
}

TEST(ThresholdRuleTest, UnboundedTheLastStepIsLikeAnyOther) {
  const auto rule = make_threshold_rule(0.5F, false);
  EXPECT_THAT(choose(*rule, 8, 9, {0.1F, 0.9F, 0.3F}), ElementsAre(1));
  EXPECT_TRUE(rule->runs_past_last_step());
}

}  // namespace
}  // namespace lacuna::engine
