#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/sampler/rules.h"

namespace lacuna::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Candidates at positions 10, 11, ... whose probability is their confidence.
std::vector<Candidate> candidates_of(const std::vector<float>& confidences) {
  std::vector<Candidate> candidates;
  candidates.reserve(confidences.size());
  for (const float confidence : confidences) {
    candidates.push_back({.position = 10 + static_cast<int>(candidates.size()),
                          .token = 1,
                          .probability = confidence,
                          .confidence = confidence});
  }
  return candidates;
}

std::vector<int> choose(CommitRule& rule, StepInfo info, const std::vector<Candidate>& candidates) {
  std::vector<int> chosen;
  info.eps = 1e-3F;
  rule.choose(info, candidates, Random(1), chosen);
  return chosen;
}

TEST(ScheduledRuleTest, TakesTheSurestFirstAndTheLowerPositionOfTwoEquals) {
  const auto rule = make_scheduled_rule(0, 8);
  // 8 masks in 2 steps: 3, then the rest.
  const auto candidates = candidates_of({0.5F, 0.9F, 0.5F, 0.1F, 0.9F, 0.5F, 0.2F, 0.3F});
  EXPECT_THAT(choose(*rule, {.step = 0, .steps = 2, .eps = 0}, candidates), ElementsAre(1, 4, 0));
  EXPECT_THAT(choose(*rule, {.step = 1, .steps = 2, .eps = 0}, candidates),
              ElementsAre(1, 4, 0, 2, 5, 7, 6, 3));
}

TEST(ScheduledRuleTest, MayChooseNothing) {
  const auto rule = make_scheduled_rule(0, 2);
  EXPECT_THAT(choose(*rule, {.step = 0, .steps = 10, .eps = 0}, candidates_of({1, 1})), IsEmpty());
  EXPECT_THAT(choose(*rule, {.step = 9, .steps = 10, .eps = 0}, {}), IsEmpty());
}

TEST(CommitRuleTest, NoRuleChoosesACandidateThatCannotBeCommitted) {
  auto candidates = candidates_of({kNan, 0.2F, -kInfinity, 0.4F, 0.9F});
  candidates[4].token = -1;
  std::vector<std::unique_ptr<CommitRule>> rules;
  rules.push_back(make_origin_rule());
  rules.push_back(make_scheduled_rule(0, 5));
  rules.push_back(make_scheduled_rule(0.5F, 5));
  rules.push_back(make_threshold_rule(0.1F, true));
  rules.push_back(make_confidence_threshold_rule(0.1F, 5));
  for (const auto& rule : rules) {
    auto chosen = choose(*rule, {.step = 0, .steps = 1, .eps = 0}, candidates);
    std::sort(chosen.begin(), chosen.end());
    EXPECT_THAT(chosen, ElementsAre(1, 3));
  }
}

TEST(ThresholdRuleTest, CommitsAllThatReachTheThreshold) {
  const auto rule = make_threshold_rule(0.5F, true);
  const StepInfo info{.step = 0, .steps = 9, .eps = 0};
  EXPECT_THAT(choose(*rule, info, candidates_of({0.5F, 0.4F, 0.9F, 0.6F})), ElementsAre(2, 3, 0));
}

TEST(ThresholdRuleTest, CommitsTheSurestIfNoneReachesTheThreshold) {
  const auto rule = make_threshold_rule(0.95F, true);
  const StepInfo info{.step = 0, .steps = 9, .eps = 0};
  EXPECT_THAT(choose(*rule, info, candidates_of({0.5F, 0.9F, 0.9F})), ElementsAre(1));
}

TEST(ThresholdRuleTest, ComparesProbabilitiesWhereConfidenceIsAnotherScore) {
  const auto rule = make_threshold_rule(0.5F, true);
  auto candidates = candidates_of({-3, -1, -2});
  candidates[0].probability = 0.6F;
  candidates[1].probability = 0.3F;
  candidates[2].probability = 0.4F;
  EXPECT_THAT(choose(*rule, {.step = 0, .steps = 9, .eps = 0}, candidates), ElementsAre(1, 0));
}

TEST(ThresholdRuleTest, TheLastStepCommitsEverything) {
  const auto rule = make_threshold_rule(0.95F, true);
  EXPECT_THAT(choose(*rule, {.step = 8, .steps = 9, .eps = 0}, candidates_of({0.5F, 0.9F})),
              ElementsAre(1, 0));
}

TEST(ConfidenceThresholdRuleTest, WhatFallsShortIsDueAgain) {
  const auto rule = make_confidence_threshold_rule(0.5F, 6);  // in 3 steps: 2 at each
  const auto at = [](int step) { return StepInfo{.step = step, .steps = 3, .eps = 0}; };
  EXPECT_THAT(choose(*rule, at(0), candidates_of({0.4F, 0.3F, 0.2F, 0.1F, 0.1F, 0.1F})),
              ElementsAre(0));
  EXPECT_THAT(choose(*rule, at(1), candidates_of({0.9F, 0.8F, 0.7F, 0.6F, 0.2F})),
              ElementsAre(0, 1, 2));
  EXPECT_FALSE(rule->runs_past_last_step());
  EXPECT_THAT(choose(*rule, at(2), candidates_of({0.2F, 0.3F})), ElementsAre(1));
  EXPECT_TRUE(rule->runs_past_last_step());
  EXPECT_THAT(choose(*rule, at(3), candidates_of({0.2F})), ElementsAre(0));
  EXPECT_FALSE(rule->runs_past_last_step());
}

TEST(ConfidenceThresholdRuleTest, WhatAConstraintRefusedIsDueAgain) {
  const auto rule = make_confidence_threshold_rule(0, 4);
  const std::vector<float> same(4, 0.5F);
  EXPECT_EQ(choose(*rule, {.step = 0, .steps = 4, .eps = 0}, candidates_of(same)).size(), 1U);
  EXPECT_EQ(
      choose(*rule, {.step = 1, .steps = 4, .eps = 0, .refused = 1}, candidates_of(same)).size(),
      2U);
}

TEST(ConfidenceThresholdRuleTest, ARemainderIsSpreadOverTheSteps) {
  for (const int steps : {1, 2, 3, 4, 5, 9}) {
    const auto rule = make_confidence_threshold_rule(0, 5);
    std::vector<float> left(5, 0.5F);
    for (int step = 0; step < steps; ++step) {
      const StepInfo info{.step = step, .steps = steps, .eps = 0};
      left.resize(left.size() - choose(*rule, info, candidates_of(left)).size());
      EXPECT_LT(left.size(), 5U) << steps;  // the first step is not wasted
    }
    EXPECT_THAT(left, IsEmpty()) << steps;
    EXPECT_FALSE(rule->runs_past_last_step());
  }
}

// Fast-dLLM's loop, as SEMANTICS describes it: index of the position in `left`, and what it does
// with the counters. Confidences change at every step.
std::vector<std::vector<int>> published_loop(int masks, int steps, float threshold, unsigned seed) {
  std::vector<std::vector<int>> commits;
  std::vector<int> left(static_cast<std::size_t>(masks));
  for (int i = 0; i < masks; ++i) left[static_cast<std::size_t>(i)] = i;
  int quota = masks / steps;
  int carried = 0;
  for (int step = 0; step < steps; ++step) {
    std::mt19937 engine(seed + static_cast<unsigned>(step));
    std::vector<float> confidence(static_cast<std::size_t>(masks));
    for (float& c : confidence) c = static_cast<float>(engine() % 1000) / 1000;
    std::sort(left.begin(), left.end(), [&](int a, int b) {
      const float first = confidence[static_cast<std::size_t>(a)];
      const float second = confidence[static_cast<std::size_t>(b)];
      return first != second ? first > second : a < b;
    });
    const int now = quota + carried;
    carried = 0;
    std::vector<int> kept;
    std::vector<int> commit;
    for (int k = 0; k < static_cast<int>(left.size()); ++k) {
      const int position = left[static_cast<std::size_t>(k)];
      const bool is_sure = confidence[static_cast<std::size_t>(position)] >= threshold;
      if (k < now && (k == 0 || is_sure)) {
        commit.push_back(position);
        continue;
      }
      kept.push_back(position);
      if (k >= now) continue;
      ++carried;
      if (step == steps - 1) {
        quota = 0;
        ++steps;
      }
    }
    left = kept;
    commits.push_back(commit);
  }
  EXPECT_THAT(left, IsEmpty());
  return commits;
}

TEST(ConfidenceThresholdRuleTest, ChoosesWhatThePublishedLoopChooses) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    const int steps = 1 + static_cast<int>(seed % 5);
    const int masks = steps * (1 + static_cast<int>(seed % 4));
    const float threshold = static_cast<float>(seed % 10) / 9;
    const auto expected = published_loop(masks, steps, threshold, seed);
    const auto rule = make_confidence_threshold_rule(threshold, masks);
    std::vector<int> left(static_cast<std::size_t>(masks));
    for (int i = 0; i < masks; ++i) left[static_cast<std::size_t>(i)] = i;
    for (int step = 0; step < static_cast<int>(expected.size()); ++step) {
      ASSERT_TRUE(step < steps || rule->runs_past_last_step());
      std::mt19937 engine(seed + static_cast<unsigned>(step));
      std::vector<Candidate> candidates;
      for (int i = 0; i < masks; ++i) {
        const float confidence = static_cast<float>(engine() % 1000) / 1000;
        if (std::binary_search(left.begin(), left.end(), i)) {
          candidates.push_back(
              {.position = i, .token = 1, .probability = confidence, .confidence = confidence});
        }
      }
      std::vector<int> positions;
      for (const int index : choose(*rule, {.step = step, .steps = steps, .eps = 0}, candidates)) {
        positions.push_back(candidates[static_cast<std::size_t>(index)].position);
        std::erase(left, positions.back());
      }
      ASSERT_EQ(positions, expected[static_cast<std::size_t>(step)]) << seed << " step " << step;
    }
    ASSERT_FALSE(rule->runs_past_last_step());
  }
}

TEST(MakeCommitRuleTest, OptionsDecideWhichRuleItIs) {
  const auto candidates = candidates_of({0.5F, 0.9F, 0.9F, 0.7F});
  const auto chosen_by = [&](const SamplingOptions& options) {
    const auto rule = make_commit_rule(options, 4);
    return choose(*rule, {.step = 0, .steps = 4, .eps = 0}, candidates);
  };
  // Scheduled: 4 masks in 4 steps commit none at the first.
  EXPECT_THAT(chosen_by({.algorithm = Algorithm::Entropy}), IsEmpty());
  EXPECT_THAT(chosen_by({.algorithm = Algorithm::Entropy, .threshold = 0.8F}), ElementsAre(1, 2));
  EXPECT_THAT(chosen_by({.algorithm = Algorithm::ConfidenceThreshold, .threshold = 0.8F}),
              ElementsAre(1));
  const auto origin = make_commit_rule({.algorithm = Algorithm::Origin}, 4);
  EXPECT_THAT(choose(*origin, {.step = 3, .steps = 4, .eps = 0}, candidates),
              ElementsAre(0, 1, 2, 3));
}

}  // namespace
}  // namespace lacuna::engine
