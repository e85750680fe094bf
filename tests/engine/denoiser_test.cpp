#include "engine/denoiser.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/fake_predictor.h"

namespace lacuna::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::int32_t kMask = 9;
constexpr int kVocabulary = 10;

TablePredictor random_predictor(bool shifts = false) {
  std::mt19937 engine(5);
  std::normal_distribution<float> normal(0, 2);
  std::vector<std::vector<float>> table(11, std::vector<float>(kVocabulary));
  for (auto& row : table) {
    for (float& x : row) x = normal(engine);
    row[kMask] = -30;  // practically never drawn
  }
  return {table, shifts};
}

// A random canvas of 12 tokens, about half of them masked.
Canvas random_canvas(unsigned seed) {
  std::mt19937 engine(seed);
  Canvas canvas(12);
  for (auto& token : canvas) {
    token = engine() % 2 == 0 ? kMask : static_cast<std::int32_t>(engine() % kMask);
  }
  return canvas;
}

std::vector<SamplingOptions> many_options() {
  std::vector<SamplingOptions> all;
  for (const int steps : {1, 3, 6, 20}) {
    for (const float temperature : {0.0F, 0.8F}) {
      for (const auto algorithm : {Algorithm::Origin, Algorithm::MaskgitPlus, Algorithm::TopkMargin,
                                   Algorithm::Entropy, Algorithm::ConfidenceThreshold}) {
        SamplingOptions options{.steps = steps, .algorithm = algorithm, .temperature = temperature};
        if (algorithm == Algorithm::ConfidenceThreshold) options.threshold = 0.4F;
        all.push_back(options);
      }
      all.push_back({.steps = steps, .temperature = temperature, .alg_temp = 0.5F});
      all.push_back({.steps = steps, .temperature = temperature, .threshold = 0.4F});
    }
  }
  return all;
}

std::string text_of(const SamplingOptions& options) {
  return std::string(name_of(options.algorithm)) + ", steps " + std::to_string(options.steps) +
         ", temperature " + std::to_string(options.temperature) + ", alg_temp " +
         std::to_string(options.alg_temp) + ", threshold " +
         std::to_string(options.threshold.value_or(-1));
}

TEST(DenoiseTest, FillsEveryMaskAndChangesNothingElse) {
  for (const SamplingOptions& options : many_options()) {
    for (unsigned seed = 0; seed < 10; ++seed) {
      SCOPED_TRACE(text_of(options) + ", seed " + std::to_string(seed));
      auto predictor = random_predictor();
      const Canvas before = random_canvas(seed);
      const auto result =
          denoise(predictor, {.canvas = before, .mask_token = kMask, .sampling = options});
      ASSERT_TRUE(result);
      EXPECT_EQ(result->masks_left, 0);
      for (std::size_t i = 0; i < before.size(); ++i) {
        EXPECT_NE(result->canvas[i], kMask) << i;
        EXPECT_TRUE(before[i] == kMask || before[i] == result->canvas[i]) << i;
      }
    }
  }
}

TEST(DenoiseTest, EventsTellWhatHappenedAndNothingIsDoneTwice) {
  for (const SamplingOptions& options : many_options()) {
    SCOPED_TRACE(text_of(options));
    auto predictor = random_predictor();
    Canvas seen = random_canvas(3);
    int next_step = 0;
    const auto on_step = [&](const StepEvent& event) {
      EXPECT_EQ(event.step, next_step++);
      EXPECT_EQ(event.steps, options.steps);
      EXPECT_EQ(event.rows_computed, 12);
      EXPECT_EQ(event.candidates.size(),
                static_cast<std::size_t>(std::count(seen.begin(), seen.end(), kMask)));
      for (const Candidate& commit : event.commits) {
        auto& token = seen[static_cast<std::size_t>(commit.position)];
        EXPECT_EQ(token, kMask);
        token = commit.token;
      }
      EXPECT_TRUE(std::is_sorted(
          event.commits.begin(), event.commits.end(),
          [](const Candidate& a, const Candidate& b) { return a.confidence > b.confidence; }));
      EXPECT_THAT(event.canvas, testing::ElementsAreArray(seen));
      EXPECT_EQ(event.masks_left, std::count(seen.begin(), seen.end(), kMask));
      EXPECT_GE(event.seconds, 0);
    };
    const auto result = denoise(
        predictor, {.canvas = seen, .mask_token = kMask, .sampling = options, .on_step = on_step});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->canvas, seen);
    EXPECT_EQ(result->steps_run, next_step);
    EXPECT_EQ(result->forward_passes, static_cast<int>(predictor.asked.size()));
  }
}

TEST(DenoiseTest, SameSeedSameResultAndOtherSeedsOtherResults) {
  const auto run = [](std::uint64_t seed) {
    auto predictor = random_predictor();
    return denoise(predictor, {.canvas = Canvas(12, kMask),
                               .mask_token = kMask,
                               .sampling = {.steps = 6, .temperature = 1, .seed = seed}})
        ->canvas;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(DenoiseTest, EarlyExitSavesPassesAndChangesNothing) {
  for (const SamplingOptions& options : many_options()) {
    SCOPED_TRACE(text_of(options));
    auto short_predictor = random_predictor();
    auto long_predictor = random_predictor();
    DenoiseRequest request{.canvas = random_canvas(4), .mask_token = kMask, .sampling = options};
    const auto early = denoise(short_predictor, request);
    request.early_exit = false;
    const auto full = denoise(long_predictor, request);
    ASSERT_TRUE(early && full);
    EXPECT_EQ(early->canvas, full->canvas);
    EXPECT_LE(early->forward_passes, full->forward_passes);
    EXPECT_GE(full->forward_passes, options.steps);
  }
}

TEST(DenoiseTest, ACanvasWithoutMasksNeedsNoPassUnlessAllAreWanted) {
  auto predictor = random_predictor();
  DenoiseRequest request{.canvas = {1, 2, 3}, .mask_token = kMask, .sampling = {.steps = 4}};
  EXPECT_EQ(denoise(predictor, request)->forward_passes, 0);
  request.early_exit = false;
  const auto result = denoise(predictor, request);
  EXPECT_EQ(result->forward_passes, 4);
  EXPECT_THAT(result->canvas, ElementsAre(1, 2, 3));
  EXPECT_THAT(predictor.asked.back().masked, IsEmpty());
}

TEST(DenoiseTest, AnEmptyCanvasIsDone) {
  auto predictor = random_predictor();
  const auto result = denoise(predictor, {.canvas = {}, .mask_token = kMask});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->steps_run, 0);
}

TEST(DenoiseTest, BadOptionsAreRefused) {
  auto predictor = random_predictor();
  const auto result =
      denoise(predictor, {.canvas = {kMask}, .mask_token = kMask, .sampling = {.steps = 0}});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::InvalidInput);
  EXPECT_THAT(predictor.asked, IsEmpty());
}

TEST(DenoiseTest, ARefreshAtEveryStepAsksForWhatExactAsksFor) {
  const DenoiseRequest exact{
      .canvas = random_canvas(6), .mask_token = kMask, .sampling = {.steps = 5}};
  auto exact_predictor = random_predictor(true);
  const auto expected = denoise(exact_predictor, exact);

  DenoiseRequest cached = exact;
  cached.cache = {.scope = CacheScope::Holes, .refresh = 1};
  auto cached_predictor = random_predictor(true);
  EXPECT_EQ(denoise(cached_predictor, cached)->canvas, expected->canvas);
  EXPECT_EQ(cached_predictor.asked, exact_predictor.asked);
}

TEST(DenoiseTest, TheCachePolicyDecidesWhichRowsAreComputed) {
  const Canvas canvas{1, 2, kMask, kMask, 3, 4, kMask, 5};
  auto predictor = random_predictor(true);
  std::vector<int> rows_computed;
  const auto result = denoise(predictor, {.canvas = canvas,
                                          .mask_token = kMask,
                                          .sampling = {.steps = 4},
                                          .cache = {.scope = CacheScope::Holes, .refresh = 2},
                                          .early_exit = false,
                                          .on_step = [&](const StepEvent& event) {
                                            rows_computed.push_back(event.rows_computed);
                                          }});
  ASSERT_TRUE(result);
  EXPECT_THAT(rows_computed, ElementsAre(8, 5, 8, 5));
  EXPECT_THAT(predictor.asked[1].rows, ElementsAre(1, 2, 3, 5, 6));
}

TEST(DenoiseTest, AStopIsSeenBeforeTheNextStep) {
  auto predictor = random_predictor();
  std::stop_source source;
  int n_events = 0;
  const auto result = denoise(predictor, {.canvas = Canvas(12, kMask),
                                          .mask_token = kMask,
                                          .sampling = {.steps = 12},
                                          .on_step =
                                              [&](const StepEvent& event) {
                                                ++n_events;
                                                if (event.step == 2) source.request_stop();
                                              },
                                          .stop = source.get_token()});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Cancelled);
  EXPECT_EQ(n_events, 3);
  EXPECT_EQ(predictor.asked.size(), 3U);
}

// As if a device had left the pass in the middle: what it answers must not be taken.
class StoppedInThePass : public TablePredictor {
 public:
  StoppedInThePass(TablePredictor table, std::stop_source& source)
      : TablePredictor(std::move(table)), source_(source) {}

  void predict_batch(std::span<const PredictRequest> requests,
                     std::span<Candidate> candidates) override {
    TablePredictor::predict_batch(requests, candidates);
    for (const PredictRequest& request : requests) {
      EXPECT_FALSE(request.stop->stop_requested());
    }
    if (n_passes == 2) source_.request_stop();
  }

 private:
  std::stop_source& source_;
};

TEST(DenoiseTest, APassThatWasStoppedInTheMiddleIsNotTaken) {
  std::stop_source source;
  StoppedInThePass predictor(random_predictor(), source);
  int n_events = 0;
  const auto result = denoise(predictor, {.canvas = Canvas(12, kMask),
                                          .mask_token = kMask,
                                          .sampling = {.steps = 12},
                                          .on_step = [&](const StepEvent&) { ++n_events; },
                                          .stop = source.get_token()});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Cancelled);
  EXPECT_EQ(n_events, 1);
  EXPECT_EQ(predictor.n_passes, 2);
}

TEST(PredictRequestTest, EveryBanGivesAPositionAnotherNumber) {
  const Random random(1);
  std::vector<std::vector<std::int32_t>> banned(3);
  PredictRequest request{.canvas = {},
                         .rows = {},
                         .masked = {},
                         .draw = {},
                         .random = &random,
                         .step = 4,
                         .banned = banned};
  const double first = request.uniform_at(2);
  EXPECT_EQ(first, random.uniform(Random::Purpose::Token, 4, 2));
  banned[2].push_back(7);
  EXPECT_THAT(request.banned_at(2), ElementsAre(7));
  EXPECT_NE(request.uniform_at(2), first);
  request.banned = {};
  EXPECT_THAT(request.banned_at(2), IsEmpty());
  EXPECT_EQ(request.uniform_at(2), first);
}

TEST(DenoiseTest, ADrawnMaskTokenLeavesThePositionMaskedAndTakesItsShare) {
  ScriptedPredictor predictor({{0, {{kMask, 0.9F}}}, {1, {{4, 0.5F}}}});
  std::vector<std::size_t> n_commits;
  const auto result = denoise(
      predictor,
      {.canvas = {kMask, kMask},
       .mask_token = kMask,
       .sampling = {.steps = 2, .algorithm = Algorithm::ConfidenceThreshold, .threshold = 0.0F},
       .on_step = [&](const StepEvent& event) { n_commits.push_back(event.commits.size()); }});
  // One is due at each step, and the surest is the mask token, twice.
  EXPECT_THAT(n_commits, ElementsAre(0, 0));
  EXPECT_THAT(result->canvas, ElementsAre(kMask, kMask));
  EXPECT_EQ(result->masks_left, 2);
}

TEST(DenoiseTest, APositionWithoutATokenStaysMasked) {
  ScriptedPredictor predictor({{0, {}}, {1, {{4, 0.5F}}}});
  const auto result =
      denoise(predictor, {.canvas = {kMask, kMask}, .mask_token = kMask, .sampling = {.steps = 3}});
  EXPECT_THAT(result->canvas, ElementsAre(kMask, 4));
  EXPECT_EQ(result->masks_left, 1);
  EXPECT_EQ(result->steps_run, 3);
}

TEST(DenoiseTest, ConfidenceThresholdRunsOnUntilNothingIsCarriedOver) {
  ScriptedPredictor predictor({{0, {{1, 0.1F}}}, {1, {{2, 0.2F}}}, {2, {{3, 0.3F}}}});
  const auto result = denoise(
      predictor,
      {.canvas = {kMask, kMask, kMask},
       .mask_token = kMask,
       .sampling = {.steps = 1, .algorithm = Algorithm::ConfidenceThreshold, .threshold = 0.9F}});
  EXPECT_EQ(result->steps_run, 3);
  EXPECT_THAT(result->canvas, ElementsAre(1, 2, 3));
}

}  // namespace
}  // namespace lacuna::engine
