// The Info-Gain sampler: which action wins, when it does not look, and what it never changes.
#include <cmath>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/denoiser.h"
#include "engine/sampler/commit_rule.h"
#include "tests/engine/fake_predictor.h"
#include "tests/helpers/reference_model.h"

namespace lacuna::engine {
namespace {

constexpr std::int32_t kMask = 5;

std::vector<std::vector<float>> random_table(unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 1.5F);
  std::vector<std::vector<float>> table(31, std::vector<float>(6));
  for (auto& row : table) {
    for (float& logit : row) logit = normal(random);
    row[kMask] = -100;
  }
  return table;
}

double entropy(const std::vector<float>& logits) {
  double sum = 0;
  for (const float x : logits) sum += std::exp(double{x});
  double entropy = 0;
  for (const float x : logits) {
    const double p = std::exp(double{x}) / sum;
    entropy -= p * std::log(p + 1e-10);
  }
  return entropy;
}

// The canvas after the step of the greatest gain, of all masks one by one.
Canvas best_step(const TablePredictor& predictor, const Canvas& canvas) {
  double largest = -1e9;
  Canvas best = canvas;
  for (int i = 0; i < static_cast<int>(canvas.size()); ++i) {
    if (canvas[i] != kMask) continue;
    const std::vector<float>& logits = predictor.logits_at(canvas, i);
    Canvas after = canvas;
    after[i] =
        static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    double left = 0;
    int masks = 0;
    for (int j = 0; j < static_cast<int>(after.size()); ++j) {
      if (after[j] != kMask) continue;
      left += entropy(predictor.logits_at(after, j));
      ++masks;
    }
    const double gain = -entropy(logits) - (masks > 0 ? left / masks : 0);
    if (gain > largest) {
      largest = gain;
      best = after;
    }
  }
  return best;
}

DenoiseRequest looking_request(Canvas canvas, std::int32_t mask_token) {
  DenoiseRequest request;
  request.canvas = std::move(canvas);
  request.mask_token = mask_token;
  request.sampling.tokens_per_step = 1;
  request.sampling.info_gain = 8;
  request.sampling.gain_bypass = 1;
  return request;
}

// So many actions, so far apart, that every mask is among them.
TEST(InformationGainTest, EachStepCommitsTheTokenOfTheGreatestGain) {
  int other_than_surest = 0;
  for (unsigned seed = 0; seed < 40; ++seed) {
    TablePredictor predictor(random_table(seed), seed % 2 == 0);
    predictor.records = false;
    for (unsigned masks = 1; masks < 16; ++masks) {
      Canvas canvas = {1, 2, 3, 4, 0};
      for (std::size_t i = 0; i < 4; ++i) {
        if ((masks >> i & 1U) != 0) canvas[i + 1] = kMask;
      }
      DenoiseRequest request = looking_request(canvas, kMask);
      request.sampling.info_gain = 64;
      request.sampling.position_temperature = 100;
      Canvas before = canvas;
      request.on_step = [&](const StepEvent& event) {
        const Canvas expected = best_step(predictor, before);
        ASSERT_EQ(Canvas(event.canvas.begin(), event.canvas.end()), expected) << seed;
        const auto surest =
            std::min_element(event.candidates.begin(), event.candidates.end(), is_surer);
        other_than_surest += surest->position != event.commits.front().position ? 1 : 0;
        before = expected;
      };
      const auto result = denoise(predictor, request);
      ASSERT_TRUE(result.has_value());
      ASSERT_EQ(result->masks_left, 0);
    }
  }
  EXPECT_GT(other_than_surest, 50);
}

TEST(InformationGainTest, DoesNotLookWhereTheSurestSetIsSureEnough) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    TablePredictor plain(random_table(seed), true);
    TablePredictor looking = plain;
    DenoiseRequest request = looking_request({1, kMask, kMask, kMask, kMask, 2}, kMask);
    request.sampling.gain_bypass = 0;
    const auto bypassed = denoise(looking, request);
    request.sampling.info_gain = 0;
    const auto expected = denoise(plain, request);
    ASSERT_TRUE(bypassed.has_value() && expected.has_value());
    EXPECT_EQ(bypassed->canvas, expected->canvas);
    EXPECT_EQ(bypassed->forward_passes, expected->forward_passes);
  }
}

Canvas two_holes(std::int32_t mask_token) {
  Canvas canvas;
  for (int i = 0; i < 30; ++i) {
    canvas.push_back((i > 5 && i < 12) || (i > 20 && i < 25) ? mask_token : 3 + i);
  }
  return canvas;
}

Canvas fill_of(const char* folder, const DenoiseRequest& request, int threads, int* passes) {
  ReferenceModel model(folder, kernels::WeightFormat::F32, kernels::best_isa(), threads);
  TransformerPredictor predictor(model.transformer, model.context, limits_of(request),
                                 kernels::Precision::F32);
  const auto result = denoise(predictor, request);
  EXPECT_TRUE(result.has_value());
  EXPECT_EQ(result->masks_left, 0);
  if (passes != nullptr) *passes = result->forward_passes;
  return result->canvas;
}

TEST(InformationGainTest, ThePassThatLooksServesTheNextStep) {
  for (const char* folder : {"golden/dream_tiny", "golden/llada_tiny"}) {
    int passes = 0;
    fill_of(folder, looking_request(two_holes(93), 93), 2, &passes);
    // Ten masks: the first step asks and looks, eight look, the last one is foreseen.
    EXPECT_EQ(passes, 10) << folder;
  }
}

TEST(InformationGainTest, TheSameSeedGivesTheSameFillOnAnyNumberOfThreadsAndInABatch) {
  ReferenceModel model("golden/dream_tiny");
  std::vector<DenoiseRequest> requests;
  for (int i = 0; i < 4; ++i) {
    DenoiseRequest request = looking_request(two_holes(model.mask_token()), model.mask_token());
    request.canvas[2] = 40 + i;
    request.sampling.seed = static_cast<std::uint64_t>(i);
    request.sampling.temperature = i % 2 == 0 ? 0 : 0.8F;
    request.sampling.tokens_per_step = 1 + i / 2;
    if (i > 0) request.cache = {.scope = CacheScope::Holes, .refresh = 3};
    requests.push_back(request);
  }
  TransformerPredictor together(model.transformer, model.context, limits_of(requests),
                                kernels::Precision::F32);
  const auto results = denoise_batch(together, requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Canvas alone = fill_of("golden/dream_tiny", requests[i], 2, nullptr);
    EXPECT_EQ(fill_of("golden/dream_tiny", requests[i], 1, nullptr), alone) << i;
    ASSERT_TRUE(results[i].has_value());
    EXPECT_EQ(results[i]->canvas, alone) << i;
  }
}

TEST(InformationGainTest, ARefreshAtEveryStepEqualsTheExactRun) {
  for (const char* folder : {"golden/dream_tiny", "golden/llada_tiny"}) {
    DenoiseRequest request = looking_request(two_holes(93), 93);
    int passes[2];
    const Canvas exact = fill_of(folder, request, 2, &passes[0]);
    request.cache = {.scope = CacheScope::Holes, .refresh = 1};
    EXPECT_EQ(fill_of(folder, request, 2, &passes[1]), exact);
    EXPECT_EQ(passes[0], passes[1]);
  }
}

// Refuses a token for good at one position.
class Refusing : public Constraint {
 public:
  void vet(std::span<const std::int32_t>, std::span<const Candidate> proposals,
           std::span<std::uint8_t> accepted) override {
    for (std::size_t i = 0; i < proposals.size(); ++i) {
      accepted[i] = proposals[i].token != 2 ? 1 : 0;
      refused += proposals[i].token == 2 ? 1 : 0;
    }
  }
  int refused = 0;
};

TEST(InformationGainTest, WhatAConstraintRefusesIsDrawnAnewAtALaterStep) {
  int refused = 0;
  for (unsigned seed = 0; seed < 30; ++seed) {
    TablePredictor predictor(random_table(seed), true);
    Refusing constraint;
    DenoiseRequest request = looking_request({1, kMask, kMask, kMask, kMask, 3}, kMask);
    request.constraint = &constraint;
    const auto result = denoise(predictor, request);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->masks_left, 0) << seed;
    EXPECT_THAT(result->canvas, testing::Each(testing::Ne(2))) << seed;
    refused += constraint.refused;
  }
  EXPECT_GT(refused, 10);
}

TEST(InformationGainTest, IsRefusedWhereNothingSaysHowManyTokensAStepCommits) {
  SamplingOptions options;
  options.info_gain = 8;
  EXPECT_TRUE(check(options));
  options.threshold = 0.9F;
  EXPECT_EQ(check(options).error().code, ErrorCode::InvalidInput);
  options.threshold.reset();
  options.algorithm = Algorithm::MaskgitPlus;
  EXPECT_EQ(check(options).error().code, ErrorCode::InvalidInput);
}

}  // namespace
}  // namespace lacuna::engine
