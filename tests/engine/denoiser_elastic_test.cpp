// Holes that grow and shrink while they denoise (DreamOn).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/denoiser.h"
#include "tests/engine/fake_predictor.h"

namespace lacuna::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::int32_t kMask = 9;
constexpr std::int32_t kExpand = 8;
constexpr std::int32_t kDelete = 7;

// Says for each pass which token every masked position draws, and with which probability; keeps
// the canvases and the splices that it saw.
class Script : public Predictor {
 public:
  struct Draw {
    std::int32_t token;
    float probability;
  };
  explicit Script(std::vector<std::vector<Draw>> passes) : passes_(std::move(passes)) {}

  int row_that_predicts(int position) const override { return std::max(0, position - 1); }
  void predict_batch(std::span<const PredictRequest> requests,
                     std::span<Candidate> candidates) override {
    const PredictRequest& request = requests.front();
    canvases.emplace_back(request.canvas.begin(), request.canvas.end());
    rows.emplace_back(request.rows.begin(), request.rows.end());
    const auto& draws = passes_.at(canvases.size() - 1);
    ASSERT_EQ(draws.size(), request.masked.size());
    for (std::size_t i = 0; i < draws.size(); ++i) {
      const bool forbidden = draws[i].token == request.draw.forbidden;
      candidates[i] = {request.masked[i], forbidden ? 0 : draws[i].token, draws[i].probability,
                       draws[i].probability};
    }
  }
  Candidate redraw(const PredictRequest&, int, int) override { return {}; }
  void splice(int, int size, const CanvasSplice& splice) override {
    splices.push_back({size, splice.begin, splice.removed, splice.inserted});
  }

  std::vector<Canvas> canvases;
  std::vector<std::vector<std::int32_t>> rows;
  std::vector<std::array<int, 4>> splices;

 private:
  std::vector<std::vector<Draw>> passes_;
};

DenoiseRequest request_of(Canvas canvas) {
  return {
      .canvas = std::move(canvas),
      .mask_token = kMask,
      .sampling = {.steps = 1, .algorithm = Algorithm::MaskgitPlus, .tokens_per_step = 1},
      .elastic = ElasticHoles{
          .expand_token = kExpand, .delete_token = kDelete, .max_canvas = 12, .max_expansions = 4}};
}

TEST(ElasticHolesTest, AnExpandTokenBecomesTwoMasks) {
  Script script({{{kExpand, 0.9F}}, {{1, 0.2F}, {2, 0.8F}}, {{3, 0.5F}}});
  DenoiseRequest request = request_of({5, kMask, 6});
  std::vector<int> masks;
  request.on_step = [&](const StepEvent& event) { masks.push_back(event.masks_left); };
  const auto result = denoise(script, request);
  ASSERT_TRUE(result.has_value());
  EXPECT_THAT(result->canvas, ElementsAre(5, 3, 2, 6));
  EXPECT_EQ(result->masks_left, 0);
  EXPECT_THAT(masks, ElementsAre(2, 1, 0));
  EXPECT_THAT(script.splices, ElementsAre(std::array{3, 1, 1, 2}));
}

TEST(ElasticHolesTest, ADeleteAlsoTakesWhatIsMaskedToItsRightInItsHole) {
  // Two holes: 5 ___ 6 _ 5. The delete comes at the second mask of the first hole.
  Script script(
      {{{1, 0.2F}, {kDelete, 0.9F}, {2, 0.3F}, {3, 0.1F}}, {{1, 0.2F}, {4, 0.5F}}, {{1, 0.2F}}});
  DenoiseRequest request = request_of({5, kMask, kMask, kMask, 6, kMask, 5});
  std::vector<std::size_t> edits;
  request.on_step = [&](const StepEvent& event) { edits.push_back(event.edits.size()); };
  const auto result = denoise(script, request);
  ASSERT_TRUE(result.has_value());
  EXPECT_THAT(result->canvas, ElementsAre(5, 1, 6, 4, 5));
  EXPECT_THAT(edits, ElementsAre(2, 0, 0));
}

TEST(ElasticHolesTest, WithoutDeleteToRightOneMaskVanishes) {
  Script script({{{kDelete, 0.9F}, {2, 0.3F}}, {{2, 0.3F}}});
  DenoiseRequest request = request_of({5, kMask, kMask});
  request.elastic->delete_to_right = false;
  EXPECT_THAT(denoise(script, request)->canvas, ElementsAre(5, 2));
}

TEST(ElasticHolesTest, AHoleMayVanish) {
  Script script({{{kDelete, 0.9F}, {1, 0.3F}}});
  const auto result = denoise(script, request_of({5, kMask, kMask, 6}));
  EXPECT_THAT(result->canvas, ElementsAre(5, 6));
  EXPECT_EQ(result->masks_left, 0);
}

TEST(ElasticHolesTest, ExpansionsEndWithTheBudgetAndTheCanvas) {
  for (const bool by_budget : {false, true}) {
    Script script({{{kExpand, 0.9F}},
                   {{kExpand, 0.9F}, {1, 0.1F}},
                   {{kExpand, 0.9F}, {1, 0.1F}, {1, 0.1F}},
                   {{1, 0.9F}, {1, 0.1F}},
                   {{1, 0.9F}}});
    DenoiseRequest request = request_of({5, kMask, 6});
    (by_budget ? request.elastic->max_expansions : request.elastic->max_canvas) = by_budget ? 2 : 5;
    const auto result = denoise(script, request);
    ASSERT_TRUE(result.has_value());
    // At the third pass the token is forbidden: the script draws 0 instead.
    EXPECT_THAT(result->canvas, ElementsAre(5, 0, 1, 1, 6)) << by_budget;
  }
}

TEST(ElasticHolesTest, SeveralAtOnceAreDoneDeletionsFirst) {
  Script script({{{kExpand, 0.9F}, {1, 0.8F}, {kDelete, 0.7F}}, {{2, 0.9F}, {3, 0.9F}}});
  DenoiseRequest request = request_of({5, kMask, kMask, kMask, 6});
  request.sampling.tokens_per_step = 3;
  EXPECT_THAT(denoise(script, request)->canvas, ElementsAre(5, 2, 3, 1, 6));
  EXPECT_THAT(script.splices, ElementsAre(std::array{5, 3, 1, 0}, std::array{4, 1, 1, 2}));
}

TEST(ElasticHolesTest, TheCacheFollowsTheHoles) {
  Script script({{{kExpand, 0.9F}, {1, 0.1F}},
                 {{1, 0.9F}, {1, 0.8F}, {1, 0.1F}},
                 {{1, 0.8F}, {1, 0.1F}},
                 {{1, 0.1F}}});
  DenoiseRequest request = request_of({5, kMask, 6, 6, kMask, 6});
  request.cache = {.scope = CacheScope::Holes, .refresh = 0};
  ASSERT_TRUE(denoise(script, request).has_value());
  EXPECT_THAT(script.rows[1], ElementsAre(0, 1, 2, 4, 5));
}

TEST(ElasticHolesTest, AHoleOfAGivenLengthDoesNotGrow) {
  // The predictor would expand both; in the first hole the token is banned.
  class Greedy : public Predictor {
   public:
    int row_that_predicts(int position) const override { return position; }
    void predict_batch(std::span<const PredictRequest> requests,
                       std::span<Candidate> candidates) override {
      const PredictRequest& request = requests.front();
      for (std::size_t i = 0; i < request.masked.size(); ++i) {
        const int position = request.masked[i];
        const auto banned = request.banned_at(position);
        const bool expands = request.draw.forbidden != kExpand &&
                             std::find(banned.begin(), banned.end(), kExpand) == banned.end();
        candidates[i] = {position, expands ? kExpand : 1, 0.5F, 0.5F};
      }
    }
    Candidate redraw(const PredictRequest&, int, int) override { return {}; }
  } predictor;
  const std::vector<std::uint8_t> grows = {0, 1};
  DenoiseRequest request = request_of({5, kMask, 6, kMask});
  request.elastic->grows = grows;
  request.elastic->max_expansions = 3;
  EXPECT_THAT(denoise(predictor, request)->canvas, ElementsAre(5, 1, 6, 1, 1, 1, 1));
}

TEST(HoleEndTest, WhatFollowsTheEndIsCutWhenNothingBeforeItIsMasked) {
  std::vector<std::uint8_t> ends(10, 0);
  ends[4] = 1;
  // The end comes first, then what stands before it; two masks to its right are never filled.
  Script script({{{1, 0.2F}, {4, 0.9F}, {2, 0.1F}, {2, 0.1F}}, {{1, 0.8F}, {2, 0.1F}, {2, 0.1F}}});
  DenoiseRequest request = request_of({5, kMask, kMask, kMask, kMask, 6});
  request.elastic.reset();
  request.ends_hole = ends;
  const auto result = denoise(script, request);
  ASSERT_TRUE(result.has_value());
  EXPECT_THAT(result->canvas, ElementsAre(5, 1, 6));
  EXPECT_EQ(result->masks_left, 0);
  EXPECT_EQ(result->forward_passes, 2);
  EXPECT_THAT(script.splices, ElementsAre(std::array{6, 2, 3, 0}));
}

TEST(HoleEndTest, EachHoleHasItsOwnEnd) {
  std::vector<std::uint8_t> ends(10, 0);
  ends[4] = 1;
  Script script({{{4, 0.9F}, {1, 0.8F}, {4, 0.7F}, {1, 0.6F}}});
  DenoiseRequest request = request_of({5, kMask, kMask, 6, kMask, kMask});
  request.elastic.reset();
  request.ends_hole = ends;
  request.sampling.tokens_per_step = 4;
  EXPECT_THAT(denoise(script, request)->canvas, ElementsAre(5, 6));
}

TEST(ElasticHolesTest, WhatNeedsFixedPositionsIsRefused) {
  Script script({});
  DenoiseRequest request = request_of({5, kMask});
  request.sampling.block_length = 4;
  EXPECT_EQ(denoise(script, request).error().code, ErrorCode::InvalidInput);
}

}  // namespace
}  // namespace lacuna::engine
