// p2 and ReMDM: rules that take tokens back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/denoiser.h"
#include "engine/sampler/rules.h"
#include "tests/engine/fake_predictor.h"

namespace lacuna::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr std::int32_t kMask = 9;

struct Choice {
  std::vector<int> chosen;
  std::vector<int> revoked;
};

Choice revise(CommitRule& rule, const StepInfo& info, const std::vector<float>& probabilities,
              const std::vector<std::uint8_t>& masked, std::uint64_t seed = 1) {
  std::vector<Candidate> candidates;
  for (const float p : probabilities) {
    candidates.push_back({.position = static_cast<int>(candidates.size()),
                          .token = 1,
                          .probability = p,
                          .confidence = p});
  }
  Choice choice;
  rule.revise(info, candidates, masked, Random(seed), choice.chosen, choice.revoked);
  return choice;
}

TEST(P2RuleTest, TheLeastProbableAreMaskedWhetherTheyWereOrNot) {
  const auto rule = make_p2_rule(4);
  // After step 1 of 4, half of the positions stay masked.
  const Choice choice =
      revise(*rule, {.step = 1, .steps = 4, .eps = 0}, {0.9F, 0.2F, 0.8F, 0.1F}, {1, 0, 0, 1});
  EXPECT_THAT(choice.chosen, ElementsAre(0));
  EXPECT_THAT(choice.revoked, ElementsAre(1));
}

TEST(P2RuleTest, TheLastStepMasksNothing) {
  const auto rule = make_p2_rule(3);
  const Choice choice =
      revise(*rule, {.step = 3, .steps = 4, .eps = 0}, {0.1F, 0.2F, 0.3F}, {1, 0, 1});
  EXPECT_THAT(choice.chosen, ElementsAre(2, 0));
  EXPECT_THAT(choice.revoked, IsEmpty());
}

TEST(P2RuleTest, ALoopWithP2EndsWithoutMasksAndReportsWhatItTookBack) {
  // Position 0 is sure at first and unsure once it sees the others.
  class Doubting : public Predictor {
   public:
    int row_that_predicts(int position) const override { return position; }
    void predict_batch(std::span<const PredictRequest> requests,
                       std::span<Candidate> candidates) override {
      const PredictRequest& request = requests.front();
      for (std::size_t i = 0; i < request.masked.size(); ++i) {
        const int position = request.masked[i];
        const float p = position == 0 ? (request.step == 0 ? 0.9F : 0.05F) : 0.1F * position;
        candidates[i] = {position, static_cast<std::int32_t>(request.step), p, p};
      }
    }
    Candidate redraw(const PredictRequest&, int, int) override { return {}; }
  } predictor;
  std::vector<std::vector<std::int32_t>> revoked;
  std::vector<int> masks;
  const auto result =
      denoise(predictor, {.canvas = Canvas(4, kMask),
                          .mask_token = kMask,
                          .sampling = {.steps = 4, .algorithm = Algorithm::P2},
                          .on_step = [&](const StepEvent& event) {
                            revoked.emplace_back(event.revoked.begin(), event.revoked.end());
                            masks.push_back(event.masks_left);
                          }});
  ASSERT_TRUE(result.has_value());
  EXPECT_THAT(revoked, ElementsAre(IsEmpty(), ElementsAre(0), IsEmpty(), IsEmpty()));
  EXPECT_THAT(masks, ElementsAre(3, 2, 1, 0));
  // Revealed tokens keep what they were committed with; 0 was written again at the last step.
  EXPECT_THAT(result->canvas, ElementsAre(3, 2, 1, 1));
}

double time_at(int step, int steps, double eps) { return 1 + (eps - 1) * step / steps; }

// The share of masks after a step is that of the process without remasking.
TEST(RemdmRuleTest, TheShareOfMasksFollowsTheSchedule) {
  constexpr int kSteps = 5;
  constexpr int kPositions = 4000;
  constexpr float kEps = 1e-3F;
  for (const auto schedule :
       {RemaskSchedule::Cap, RemaskSchedule::Rescale, RemaskSchedule::Confidence}) {
    const auto rule = make_remdm_rule(schedule, 0.3F, kPositions);
    std::vector<std::uint8_t> masked(kPositions, 1);
    const std::vector<float> probabilities(kPositions, 0.5F);
    int revoked = 0;
    for (int step = 0; step < kSteps; ++step) {
      const Choice choice =
          revise(*rule, {.step = step, .steps = kSteps, .eps = kEps}, probabilities, masked, 3);
      for (const int i : choice.chosen) masked[static_cast<std::size_t>(i)] = 0;
      for (const int i : choice.revoked) masked[static_cast<std::size_t>(i)] = 1;
      revoked += static_cast<int>(choice.revoked.size());
      const auto n_masked = std::count(masked.begin(), masked.end(), 1);
      const double expected = step == kSteps - 1 ? 0 : time_at(step + 1, kSteps, kEps);
      // The confidence schedule shares sigma out among all, so that hardly any is taken back
      // while as many more are committed; five standard deviations are 158.
      if (schedule != RemaskSchedule::Confidence) {
        EXPECT_NEAR(static_cast<double>(n_masked), kPositions * expected, 160) << "step " << step;
      }
    }
    EXPECT_EQ(std::count(masked.begin(), masked.end(), 1), 0);
    if (schedule != RemaskSchedule::Confidence) {
      EXPECT_GT(revoked, 500);
    }
  }
}

TEST(RemdmRuleTest, WithoutEtaNothingIsTakenBack) {
  const auto rule = make_remdm_rule(RemaskSchedule::Cap, 0, 50);
  const Choice choice = revise(*rule, {.step = 2, .steps = 5, .eps = 1e-3F},
                               std::vector<float>(50, 0.5F), std::vector<std::uint8_t>(50, 0));
  EXPECT_THAT(choice.revoked, IsEmpty());
}

TEST(RemdmRuleTest, WhatWasCommittedUnsurelyIsTakenBackMoreOften) {
  std::vector<int> counts(2);
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    const auto rule = make_remdm_rule(RemaskSchedule::Confidence, 1, 2);
    // The last step commits all; the rule remembers with which probability.
    revise(*rule, {.step = 4, .steps = 5, .eps = 1e-3F}, {0.05F, 0.95F}, {1, 1}, seed);
    const Choice choice =
        revise(*rule, {.step = 1, .steps = 5, .eps = 1e-3F}, {0.05F, 0.95F}, {0, 0}, seed);
    for (const int i : choice.revoked) ++counts[static_cast<std::size_t>(i)];
  }
  EXPECT_GT(counts[0], counts[1] * 1.5);
}

}  // namespace
}  // namespace lacuna::engine
