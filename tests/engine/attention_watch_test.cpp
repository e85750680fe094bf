// The refresh by drift: which tokens are watched, when a step becomes a full pass, and what it then
// equals.
#include "engine/attention_watch.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/denoiser.h"
#include "tests/engine/fake_predictor.h"
#include "tests/helpers/reference_model.h"

namespace lacuna::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(AttentionWatchTest, WatchesTheMostAttendedTokenOfEachLayerThatIsReused) {
  AttentionWatch watch(8);
  const Ids masked = {2, 3}, recomputed = {1, 2, 3};
  watch.begin(masked, recomputed);
  watch.choose(0, std::vector<float>{0.1F, 0.9F, 0.8F, 0.7F, 0.3F, 0.3F});
  watch.choose(1, std::vector<float>{0.5F, 0.1F, 0.1F, 0.1F, 0.4F, 0.6F});
  watch.choose(2, std::vector<float>{0.1F, 0.1F, 0.1F, 0.1F, 0.6F, 0.1F});
  EXPECT_EQ(watch.token(0), 4);  // the first of two
  EXPECT_EQ(watch.token(1), 5);
  EXPECT_EQ(watch.token(2), 4);
  EXPECT_THAT(watch.tokens(), ElementsAre(4, 5));
}

TEST(AttentionWatchTest, WatchesNothingWhereNothingIsReused) {
  AttentionWatch watch(3);
  const Ids all = {0, 1, 2};
  watch.begin(all, all);
  watch.choose(0, std::vector<float>{0.2F, 0.3F, 0.5F});
  EXPECT_EQ(watch.token(0), -1);
  EXPECT_THAT(watch.tokens(), IsEmpty());
  EXPECT_EQ(watch.similarity(), 1);
}

TEST(AttentionWatchTest, TheSimilarityIsTheSmallestCosineOfConsecutivePasses) {
  AttentionWatch watch(3);
  const auto pass = [&](bool full, std::vector<std::vector<float>> layers) {
    watch.begin({}, {});
    for (int layer = 0; layer < static_cast<int>(layers.size()); ++layer) {
      if (full) watch.choose(layer, std::vector<float>{1, 0, 0});
      watch.follow(layer, layers[layer]);
    }
    return watch.similarity();
  };
  EXPECT_EQ(pass(true, {{1, 0, 0}, {0, 1, 0}}), 1);
  EXPECT_NEAR(pass(false, {{1, 1, 0}, {0, 1, 0}}), std::sqrt(0.5), 1e-6);
  // The pass before counts, not the full one.
  EXPECT_NEAR(pass(false, {{1, 1, 0}, {0, 3, 4}}), 0.6, 1e-6);
  EXPECT_NEAR(pass(false, {{2, 2, 0}, {0, 3, 4}}), 1, 1e-6);
  // After a full pass there is nothing to compare with.
  EXPECT_EQ(pass(true, {{0, 0, 1}, {1, 0, 0}}), 1);
  EXPECT_EQ(pass(false, {{0, 0, 1}, {NAN, 0, 0}}), 0);
}

TEST(AttentionWatchTest, ASpliceMovesTheWatchedTokenAndItsWeights) {
  AttentionWatch watch(6);
  watch.begin({}, {});
  watch.choose(0, std::vector<float>{0, 0, 0, 1});
  watch.follow(0, std::vector<float>{0.1F, 0.2F, 0.3F, 0.4F});
  watch.splice({.begin = 1, .removed = 1, .inserted = 2});
  EXPECT_THAT(watch.tokens(), ElementsAre(4));
  watch.begin({}, {});
  watch.follow(0, std::vector<float>{0.1F, 0, 0, 0.3F, 0.4F});
  EXPECT_NEAR(watch.similarity(), 1, 1e-6);
  watch.splice({.begin = 4, .removed = 0, .inserted = 1});
  watch.splice({.begin = 2, .removed = 1, .inserted = 0});
  EXPECT_THAT(watch.tokens(), ElementsAre(4));
}

// Two holes and text between and around them.
Canvas two_holes(std::int32_t mask_token) {
  Canvas canvas;
  for (int i = 0; i < 30; ++i) {
    canvas.push_back((i > 5 && i < 12) || (i > 20 && i < 25) ? mask_token : 3 + 2 * i);
  }
  return canvas;
}

DenoiseRequest request_with(const Canvas& canvas, std::int32_t mask_token, CacheOptions cache) {
  DenoiseRequest request;
  request.canvas = canvas;
  request.mask_token = mask_token;
  request.sampling.tokens_per_step = 1;
  request.cache = cache;
  return request;
}

struct Seen {
  DenoiseResult result;
  std::vector<Candidate> candidates;  // of all steps
  std::vector<int> rows;              // computed at each step
};

Seen run(Predictor& predictor, DenoiseRequest request) {
  Seen seen;
  request.on_step = [&](const StepEvent& event) {
    seen.candidates.insert(seen.candidates.end(), event.candidates.begin(), event.candidates.end());
    seen.rows.push_back(event.rows_computed);
  };
  auto result = denoise(predictor, request);
  EXPECT_TRUE(result.has_value());
  if (result) seen.result = std::move(*result);
  return seen;
}

Seen run(ReferenceModel& model, const DenoiseRequest& request) {
  TransformerPredictor predictor(model.transformer, model.context, limits_of(request),
                                 kernels::Precision::F32);
  return run(predictor, request);
}

void expect_same(const Seen& a, const Seen& b) {
  EXPECT_EQ(a.result.canvas, b.result.canvas);
  ASSERT_EQ(a.candidates.size(), b.candidates.size());
  for (std::size_t i = 0; i < a.candidates.size(); ++i) {
    ASSERT_EQ(a.candidates[i].token, b.candidates[i].token) << i;
    ASSERT_EQ(a.candidates[i].confidence, b.candidates[i].confidence) << i;
  }
}

class DriftTest : public testing::TestWithParam<const char*> {
 protected:
  ReferenceModel model_{GetParam()};
};

TEST_P(DriftTest, ADriftThatEverythingFallsBelowEqualsTheExactRunBitForBit) {
  const Canvas canvas = two_holes(model_.mask_token());
  for (const CacheScope scope : {CacheScope::Holes, CacheScope::Block, CacheScope::Prefix}) {
    for (const bool blocks : {false, true}) {
      DenoiseRequest request =
          request_with(canvas, model_.mask_token(), {.scope = CacheScope::None});
      if (blocks) request.sampling.block_length = 5;
      const Seen exact = run(model_, request);
      request.cache = {.scope = scope, .refresh = 0, .refresh_drift = 1.5F};
      const Seen drifting = run(model_, request);
      expect_same(drifting, exact);
      EXPECT_GT(drifting.result.forward_passes, exact.result.forward_passes);
      request.cache = {.scope = scope, .refresh = 1, .refresh_drift = 1.5F};
      const Seen refreshed = run(model_, request);
      expect_same(refreshed, exact);
      EXPECT_EQ(refreshed.result.forward_passes, exact.result.forward_passes);
    }
  }
}

TEST_P(DriftTest, ADriftThatNothingFallsBelowNeverRefreshes) {
  const Canvas canvas = two_holes(model_.mask_token());
  const Seen seen = run(
      model_, request_with(canvas, model_.mask_token(), {.refresh = 0, .refresh_drift = 1e-6F}));
  EXPECT_EQ(seen.result.forward_passes, 10);
  EXPECT_EQ(seen.rows.front(), 30);
  for (std::size_t i = 1; i < seen.rows.size(); ++i) {
    // The holes, a row before each if logits are shifted, and a token for each layer.
    EXPECT_GT(seen.rows[i], 10);
    EXPECT_LE(seen.rows[i], 12 + model_.checkpoint.config().layers);
  }
}

TEST_P(DriftTest, LessDriftIsAllowedTheMorePassesAreFull) {
  const Canvas canvas = two_holes(model_.mask_token());
  std::vector<int> passes;
  for (const float drift : {0.0F, 0.9F, 0.999F, 0.999999F, 1.5F}) {
    passes.push_back(run(model_, request_with(canvas, model_.mask_token(),
                                              {.refresh = 0, .refresh_drift = drift}))
                         .result.forward_passes);
  }
  EXPECT_TRUE(std::is_sorted(passes.begin(), passes.end())) << testing::PrintToString(passes);
  EXPECT_EQ(passes.front(), 10);
  EXPECT_EQ(passes.back(), 19);
  EXPECT_GT(passes[3], 10);
}

TEST_P(DriftTest, ACanvasGivesTheSameAloneAndInABatch) {
  std::vector<DenoiseRequest> requests;
  for (int i = 0; i < 5; ++i) {
    Canvas canvas = two_holes(model_.mask_token());
    canvas[1] = 40 + i;
    canvas.resize(canvas.size() - static_cast<std::size_t>(i));
    requests.push_back(request_with(canvas, model_.mask_token(), {.refresh = 4}));
    if (i != 2) requests.back().cache.refresh_drift = i == 4 ? 1.5F : 0.9999F;
    requests.back().sampling.seed = static_cast<std::uint64_t>(i);
    requests.back().sampling.temperature = i % 2 == 0 ? 0 : 0.7F;
    if (i == 3) {
      requests.back().sampling.tokens_per_step = 1;
      requests.back().sampling.info_gain = 4;
    }
  }
  TransformerPredictor together(model_.transformer, model_.context, limits_of(requests),
                                kernels::Precision::F32);
  const auto results = denoise_batch(together, requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Seen alone = run(model_, requests[i]);
    ASSERT_TRUE(results[i].has_value());
    EXPECT_EQ(results[i]->canvas, alone.result.canvas) << i;
    EXPECT_EQ(results[i]->forward_passes, alone.result.forward_passes) << i;
  }
}

// What else may be in the pass is asked for again in the full one.
TEST_P(DriftTest, GuidanceAndQuestionsAreThoseOfTheFullPass) {
  for (const bool guided : {false, true}) {
    DenoiseRequest request =
        request_with(two_holes(model_.mask_token()), model_.mask_token(), {.refresh = 1});
    if (guided) {
      request.sampling.cfg_scale = 1.5F;
    } else {
      request.sampling.tokens_per_step.reset();
      request.sampling.steps = 10;
      request.sampling.threshold = 0.02F;
      request.sampling.revoke = 0.05F;
    }
    const Seen exact = run(model_, request);
    request.cache = {.refresh = 0, .refresh_drift = 1.5F};
    expect_same(run(model_, request), exact);
  }
}

// Refuses the first token of each position.
class RefusesOnce : public Constraint {
 public:
  void vet(std::span<const std::int32_t> canvas, std::span<const Candidate> proposals,
           std::span<std::uint8_t> accepted) override {
    seen_.resize(canvas.size());
    for (std::size_t i = 0; i < proposals.size(); ++i) {
      accepted[i] = seen_[proposals[i].position]++ > 0 ? 1 : 0;
    }
  }

 private:
  std::vector<int> seen_;
};

TEST_P(DriftTest, WhatAConstraintRefusesIsDrawnAgainFromTheFullPass) {
  DenoiseRequest request =
      request_with(two_holes(model_.mask_token()), model_.mask_token(), {.refresh = 1});
  RefusesOnce of_exact;
  request.constraint = &of_exact;
  const Seen exact = run(model_, request);
  RefusesOnce of_drifting;
  request.constraint = &of_drifting;
  request.cache = {.refresh = 0, .refresh_drift = 1.5F};
  expect_same(run(model_, request), exact);
}

TEST_P(DriftTest, HolesMayChangeTheirLength) {
  DenoiseRequest request =
      request_with(two_holes(model_.mask_token()), model_.mask_token(), {.refresh = 1});
  request.elastic = {.expand_token = 7, .delete_token = 11, .max_canvas = 40, .max_expansions = 10};
  request.sampling.temperature = 3;
  bool edited = false;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    request.sampling.seed = seed;
    request.cache = {.refresh = 1};
    const Seen exact = run(model_, request);
    edited = edited || exact.result.canvas.size() != request.canvas.size();
    request.cache = {.refresh = 0, .refresh_drift = 1.5F};
    expect_same(run(model_, request), exact);
    request.cache.refresh_drift = 0.999F;
    EXPECT_EQ(run(model_, request).result.masks_left, 0);
  }
  EXPECT_TRUE(edited);
}

INSTANTIATE_TEST_SUITE_P(Models, DriftTest,
                         testing::Values("golden/dream_tiny", "golden/llada_tiny"),
                         [](const auto& suite) { return std::string(suite.param).substr(7); });

// Tells of one layer, whose token attends elsewhere at the planted steps.
class PlantedDrift : public Predictor {
 public:
  int row_that_predicts(int position) const override { return position; }

  void predict_batch(std::span<const PredictRequest> requests,
                     std::span<Candidate> candidates) override {
    const PredictRequest& request = requests[0];
    asked.push_back(
        {.canvas = {}, .rows = {request.rows.begin(), request.rows.end()}, .masked = {}});
    std::vector<float> attention(request.canvas.size());
    if (request.rows.size() == request.canvas.size()) {
      attention[5] = 1;
      request.watch->choose(0, attention);
    }
    turns_ += request.step == 2 || request.step == 3 ? 1 : 0;
    attention.assign(request.canvas.size(), 0);
    attention[turns_] = 1;
    request.watch->follow(0, attention);
    for (std::size_t i = 0; i < request.masked.size(); ++i) {
      // Which pass a token comes from.
      candidates[i] = {request.masked[i], static_cast<int>(asked.size()), 0.5F, 0.5F};
    }
  }
  Candidate redraw(const PredictRequest&, int, int) override { return {}; }

  std::vector<Asked> asked;

 private:
  std::size_t turns_ = 0;
};

TEST(PlantedDriftTest, AStepWhoseAttentionHasMovedIsTakenAgainInFull) {
  PlantedDrift predictor;
  const Seen seen = run(predictor, request_with({1, 99, 99, 99, 99, 1, 1}, 99,
                                                {.refresh = 0, .refresh_drift = 0.9F}));
  // The second pass of step 2 is full, so there the token is chosen anew; at step 3 it moves again.
  EXPECT_THAT(seen.rows, ElementsAre(7, 5, 7, 7));
  EXPECT_EQ(seen.result.forward_passes, 6);
  std::vector<std::size_t> rows;
  for (const Asked& asked : predictor.asked) rows.push_back(asked.rows.size());
  EXPECT_THAT(rows, ElementsAre(7, 5, 5, 7, 5, 7));
  EXPECT_THAT(predictor.asked[1].rows, ElementsAre(1, 2, 3, 4, 5));
  // Tokens are those of the full passes.
  EXPECT_THAT(seen.result.canvas, ElementsAre(1, 1, 2, 4, 6, 1, 1));
}

TEST(PlantedDriftTest, IsRefusedTogetherWithVerifiedSteps) {
  PlantedDrift predictor;
  DenoiseRequest request = request_with({1, 99, 99, 1}, 99, {.refresh_drift = 0.9F});
  request.sampling.verify = 2;
  EXPECT_EQ(denoise(predictor, request).error().code, ErrorCode::InvalidInput);
}

}  // namespace
}  // namespace lacuna::engine
