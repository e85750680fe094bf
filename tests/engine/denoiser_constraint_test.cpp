#include <algorithm>
#include <functional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/denoiser.h"
#include "tests/engine/fake_predictor.h"

namespace lacuna::engine {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

constexpr std::int32_t kMask = 99;

// Accepts a proposal if a rule says so of the canvas with the accepted ones before it written.
class RuleConstraint : public Constraint {
 public:
  using Rule = std::function<bool(const Canvas& canvas, const Candidate& proposal)>;

  explicit RuleConstraint(Rule rule) : rule_(std::move(rule)) {}

  void vet(std::span<const std::int32_t> canvas, std::span<const Candidate> proposals,
           std::span<std::uint8_t> accepted) override {
    Canvas state(canvas.begin(), canvas.end());
    calls.emplace_back();
    ASSERT_EQ(proposals.size(), accepted.size());
    for (std::size_t i = 0; i < proposals.size(); ++i) {
      const Candidate& proposal = proposals[i];
      EXPECT_EQ(accepted[i], 0);
      EXPECT_GE(proposal.token, 0);
      EXPECT_NE(proposal.token, kMask);
      calls.back().push_back(proposal);
      auto& token = state[static_cast<std::size_t>(proposal.position)];
      EXPECT_EQ(token, kMask);
      if (!rule_(state, proposal)) continue;
      accepted[i] = 1;
      token = proposal.token;
    }
  }

  std::vector<std::vector<Candidate>> calls;

 private:
  Rule rule_;
};

std::vector<std::pair<int, std::int32_t>> tokens_of(const std::vector<Candidate>& proposals) {
  std::vector<std::pair<int, std::int32_t>> tokens;
  tokens.reserve(proposals.size());
  for (const Candidate& proposal : proposals) {
    tokens.emplace_back(proposal.position, proposal.token);
  }
  return tokens;
}

DenoiseRequest request_with(Constraint& constraint, int n_masks, int steps) {
  return {.canvas = Canvas(static_cast<std::size_t>(n_masks), kMask),
          .mask_token = kMask,
          .sampling = {.steps = steps, .algorithm = Algorithm::MaskgitPlus},
          .constraint = &constraint};
}

TEST(DenoiserConstraintTest, ProposalsComeSurestFirst) {
  ScriptedPredictor predictor({{0, {{1, 0.2F}}}, {1, {{2, 0.9F}}}, {2, {{3, 0.5F}}}});
  RuleConstraint constraint([](const Canvas&, const Candidate&) { return true; });
  ASSERT_TRUE(denoise(predictor, request_with(constraint, 3, 1)));
  ASSERT_THAT(constraint.calls, SizeIs(1));
  EXPECT_THAT(tokens_of(constraint.calls[0]),
              ElementsAre(std::pair(1, 2), std::pair(2, 3), std::pair(0, 1)));
}

TEST(DenoiserConstraintTest, ARefusedTokenIsDrawnAgainWithinTheStep) {
  ScriptedPredictor predictor({{0, {{1, 0.9F}, {2, 0.3F}}}, {1, {{5, 0.8F}, {6, 0.4F}}}});
  RuleConstraint constraint(
      [](const Canvas&, const Candidate& proposal) { return proposal.token % 2 == 0; });
  const auto result = denoise(predictor, request_with(constraint, 2, 1));
  EXPECT_THAT(result->canvas, ElementsAre(2, 6));
  EXPECT_EQ(result->forward_passes, 1);
  ASSERT_THAT(constraint.calls, SizeIs(2));
  EXPECT_THAT(tokens_of(constraint.calls[1]), ElementsAre(std::pair(1, 6), std::pair(0, 2)));
}

TEST(DenoiserConstraintTest, ARedrawnProposalIsVettedAfterTheAcceptedOnesAreWritten) {
  // No two neighbours may be equal: position 1 wants the token of position 0.
  ScriptedPredictor predictor({{0, {{7, 0.9F}}}, {1, {{7, 0.8F}, {8, 0.2F}}}, {2, {{8, 0.7F}}}});
  RuleConstraint constraint([](const Canvas& canvas, const Candidate& proposal) {
    const auto i = static_cast<std::size_t>(proposal.position);
    const bool same_left = i > 0 && canvas[i - 1] == proposal.token;
    const bool same_right = i < 2 && canvas[i + 1] == proposal.token;
    return !same_left && !same_right;
  });
  const auto result = denoise(predictor, request_with(constraint, 3, 1));
  // Position 2 is accepted in the first call, so 8 fails at position 1 too.
  EXPECT_THAT(result->canvas, ElementsAre(7, kMask, 8));
  EXPECT_EQ(result->masks_left, 1);
}

TEST(DenoiserConstraintTest, ABanLastsForLaterSteps) {
  ScriptedPredictor predictor({{0, {{1, 0.9F}, {2, 0.5F}}}, {1, {{3, 0.1F}}}});
  RuleConstraint constraint(
      [](const Canvas&, const Candidate& proposal) { return proposal.token != 1; });
  DenoiseRequest request = request_with(constraint, 2, 3);
  request.sampling.threshold = 0.5F;
  request.max_redraws = 0;
  const auto result = denoise(predictor, request);
  EXPECT_THAT(result->canvas, ElementsAre(2, 3));
  int n_refused_proposals = 0;
  for (const auto& call : constraint.calls) {
    for (const Candidate& proposal : call) n_refused_proposals += proposal.token == 1 ? 1 : 0;
  }
  EXPECT_EQ(n_refused_proposals, 1);
  EXPECT_EQ(predictor.n_redraws, 0);
}

TEST(DenoiserConstraintTest, RedrawsOfAStepAreBounded) {
  std::vector<ScriptedPredictor::Choice> endless(90);
  for (std::size_t i = 0; i < 90; ++i) endless[i] = {static_cast<std::int32_t>(i), 0.5F};
  ScriptedPredictor predictor({{0, endless}, {1, endless}});
  RuleConstraint constraint([](const Canvas&, const Candidate&) { return false; });
  DenoiseRequest request = request_with(constraint, 2, 1);
  request.max_redraws = 7;
  std::vector<std::size_t> n_commits;
  request.on_step = [&](const StepEvent& event) {
    n_commits.push_back(event.commits.size());
    EXPECT_EQ(event.masks_left, 2);
  };
  const auto result = denoise(predictor, request);
  ASSERT_TRUE(result);
  EXPECT_EQ(predictor.n_redraws, 7);
  EXPECT_EQ(result->masks_left, 2);
  EXPECT_THAT(n_commits, ElementsAre(0));
}

// Refuses all but one token, and names it.
class OneTokenConstraint : public Constraint {
 public:
  void begin_step(const ConstraintStep& step) override {
    for (const Candidate& it : step.candidates) shown.push_back(it.position);
    masks = std::count(step.canvas.begin(), step.canvas.end(), step.mask_token);
    holes.assign(step.hole_of.begin(), step.hole_of.end());
  }
  void vet(std::span<const std::int32_t> /*canvas*/, std::span<const Candidate> proposals,
           std::span<std::uint8_t> accepted) override {
    for (std::size_t i = 0; i < proposals.size(); ++i) accepted[i] = proposals[i].token == 42;
  }
  std::int32_t fallback(int /*position*/) const override { return 42; }

  std::vector<int> shown;
  std::vector<std::int32_t> holes;
  std::ptrdiff_t masks = 0;
};

TEST(DenoiserConstraintTest, TakesTheFallbackWhereTooManyTokensAreRefused) {
  ScriptedPredictor predictor({{0, {{1, 0.9F}, {2, 0.5F}}}, {1, {{3, 0.8F}, {4, 0.4F}}}});
  OneTokenConstraint constraint;
  DenoiseRequest request = request_with(constraint, 2, 1);
  request.max_redraws = 1;
  const auto result = denoise(predictor, request);
  EXPECT_THAT(result->canvas, ElementsAre(42, 42));
  EXPECT_EQ(predictor.n_redraws, 1);
}

TEST(DenoiserConstraintTest, ShowsWhatEveryMaskWouldTakeBeforeAStep) {
  ScriptedPredictor predictor({{0, {{1, 0.9F}}}, {1, {{42, 0.8F}}}, {2, {{42, 0.7F}}}});
  OneTokenConstraint constraint;
  ASSERT_TRUE(denoise(predictor, request_with(constraint, 3, 1)));
  EXPECT_THAT(constraint.shown, ElementsAre(0, 1, 2));
  EXPECT_THAT(constraint.holes, ElementsAre(0, 0, 0));
  EXPECT_EQ(constraint.masks, 3);
}

TEST(DenoiserConstraintTest, TheLastRedrawsGoToTheSurest) {
  ScriptedPredictor predictor({{0, {{1, 0.3F}, {2, 0.3F}}}, {1, {{1, 0.9F}, {2, 0.9F}}}});
  RuleConstraint constraint(
      [](const Canvas&, const Candidate& proposal) { return proposal.token != 1; });
  DenoiseRequest request = request_with(constraint, 2, 1);
  request.max_redraws = 1;
  EXPECT_THAT(denoise(predictor, request)->canvas, ElementsAre(kMask, 2));
}

TEST(DenoiserConstraintTest, APositionWithoutAnotherTokenStaysMasked) {
  ScriptedPredictor predictor({{0, {{1, 0.9F}}}, {1, {{2, 0.8F}, {kMask, 0.1F}}}});
  RuleConstraint constraint([](const Canvas&, const Candidate&) { return false; });
  const auto result = denoise(predictor, request_with(constraint, 2, 2));
  EXPECT_THAT(result->canvas, ElementsAre(kMask, kMask));
  EXPECT_EQ(predictor.n_redraws, 2);
}

TEST(DenoiserConstraintTest, WhatWasRefusedIsDueAgainUnderConfidenceThreshold) {
  // Every position first proposes a bad token; without redraws each costs a step.
  ScriptedPredictor predictor(
      {{0, {{1, 0.9F}, {2, 0.9F}}}, {1, {{1, 0.9F}, {2, 0.9F}}}, {2, {{2, 0.1F}}}});
  RuleConstraint constraint(
      [](const Canvas&, const Candidate& proposal) { return proposal.token != 1; });
  DenoiseRequest request = request_with(constraint, 3, 3);
  request.sampling.algorithm = Algorithm::ConfidenceThreshold;
  request.sampling.threshold = 0.0F;
  request.max_redraws = 0;
  const auto result = denoise(predictor, request);
  EXPECT_EQ(result->masks_left, 0);
  EXPECT_EQ(result->steps_run, 3);
}

TEST(DenoiserConstraintTest, AConstraintThatAcceptsEverythingChangesNothing) {
  std::vector<std::vector<float>> table{{0, 1, 2, 3}, {2, 1, 0, -1}, {0, 2.5F, 1, 0}};
  const SamplingOptions sampling{.steps = 5, .temperature = 0.7F, .seed = 4};
  TablePredictor free_predictor(table, true);
  TablePredictor vetted_predictor(table, true);
  RuleConstraint constraint([](const Canvas&, const Candidate&) { return true; });
  DenoiseRequest request{.canvas = {0, kMask, kMask, 1, kMask, kMask, kMask},
                         .mask_token = kMask,
                         .sampling = sampling};
  const auto expected = denoise(free_predictor, request);
  request.constraint = &constraint;
  EXPECT_EQ(denoise(vetted_predictor, request)->canvas, expected->canvas);
  EXPECT_EQ(vetted_predictor.asked, free_predictor.asked);
}

}  // namespace
}  // namespace lacuna::engine
