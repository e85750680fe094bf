// Drafts never change a result, and a batch never changes what its canvases give alone.
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "engine/denoiser.h"
#include "tests/engine/fake_predictor.h"
#include "tests/helpers/reference_model.h"

namespace lacuna::engine {
namespace {

constexpr std::int32_t kMask = 7;

std::vector<std::vector<float>> random_table(unsigned seed, std::size_t rows, int vocab_size) {
  std::mt19937 random(seed);
  std::vector<std::vector<float>> table(rows, std::vector<float>(vocab_size));
  for (auto& row : table) {
    for (float& logit : row) logit = static_cast<float>(random() % 9);
    row[kMask] = -100;
  }
  return table;
}

struct Steps {
  DenoiseResult result;
  std::vector<std::vector<std::pair<int, std::int32_t>>> commits;

  bool operator==(const Steps& other) const {
    return result.canvas == other.result.canvas && result.steps_run == other.result.steps_run &&
           commits == other.commits;
  }
};

Steps steps_of(Predictor& predictor, DenoiseRequest request) {
  Steps steps;
  request.on_step = [&](const StepEvent& event) {
    auto& step = steps.commits.emplace_back();
    for (const Candidate& commit : event.commits) step.emplace_back(commit.position, commit.token);
  };
  auto result = denoise(predictor, request);
  EXPECT_TRUE(result.has_value());
  steps.result = *result;
  return steps;
}

// A canvas that follows the same few rows of logits: guesses come true now and then.
TEST(VerifiedStepsTest, AThousandRandomRunsGiveThePlainResult) {
  constexpr std::array kAlgorithms = {Algorithm::MaskgitPlus, Algorithm::TopkMargin,
                                      Algorithm::Entropy, Algorithm::LowConfidence};
  int saved = 0;
  for (unsigned seed = 0; seed < 1000; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    DenoiseRequest request;
    request.mask_token = kMask;
    for (int i = pick(20) + 1; i > 0; --i) request.canvas.push_back(pick(3) == 0 ? pick(7) : kMask);
    request.sampling.algorithm = kAlgorithms[seed % 4];
    request.sampling.steps = pick(24) + 1;
    request.sampling.temperature = seed % 3 == 0 ? 0.7F : 0;
    request.sampling.seed = seed;
    if (seed % 5 == 0) request.sampling.block_length = pick(6) + 1;
    if (seed % 7 == 0) request.sampling.tokens_per_step = pick(3) + 1;
    request.early_exit = seed % 2 == 0;
    if (seed % 3 == 1) request.cache = {.scope = CacheScope::Holes, .refresh = pick(6)};
    TablePredictor plain(random_table(seed, 1 + seed % 3, 8), seed % 2 == 0);
    TablePredictor verifying = plain;
    const Steps expected = steps_of(plain, request);
    request.sampling.verify = pick(8) + 1;
    ASSERT_EQ(steps_of(verifying, request), expected) << "seed " << seed;
    ASSERT_LE(verifying.n_passes, plain.n_passes) << "seed " << seed;
    saved += plain.n_passes - verifying.n_passes;
  }
  EXPECT_GT(saved, 500);
}

class VerifiedModelTest : public testing::TestWithParam<const char*> {};

TEST_P(VerifiedModelTest, AModelGivesThePlainResultWithAndWithoutCache) {
  ReferenceModel model(GetParam());
  std::mt19937 random(5);
  int passes[2] = {0, 0};
  for (int run = 0; run < 40; ++run) {
    DenoiseRequest request;
    request.mask_token = model.mask_token();
    for (int i = 0; i < 30; ++i) {
      const bool hole = (i > 5 && i < 14) || (i > 20 && i < 26);
      request.canvas.push_back(hole ? model.mask_token()
                                    : static_cast<std::int32_t>(random() % 90));
    }
    request.sampling.algorithm = run % 2 == 0 ? Algorithm::Entropy : Algorithm::MaskgitPlus;
    request.sampling.tokens_per_step = 1;
    request.sampling.temperature = run % 3 == 0 ? 0.5F : 0;
    request.sampling.seed = static_cast<std::uint64_t>(run);
    constexpr std::array kScopes = {CacheScope::None, CacheScope::Holes, CacheScope::Block,
                                    CacheScope::Prefix};
    request.cache = {.scope = kScopes[run % 4], .refresh = run % 7};
    if (run % 5 == 0) request.sampling.block_length = 10;
    Steps steps[2];
    for (const int verify : {0, 4}) {
      request.sampling.verify = verify;
      TransformerPredictor predictor(model.transformer, model.context, limits_of(request),
                                     kernels::Precision::F32);
      steps[verify / 4] = steps_of(predictor, request);
      passes[verify / 4] += steps[verify / 4].result.forward_passes;
    }
    ASSERT_EQ(steps[0], steps[1]) << "run " << run;
  }
  EXPECT_LT(passes[1], passes[0]);
}

INSTANTIATE_TEST_SUITE_P(Models, VerifiedModelTest,
                         testing::Values("golden/dream_tiny", "golden/llada_tiny"),
                         [](const auto& suite) { return std::string(suite.param).substr(7); });

TEST(DenoiseBatchTest, EachCanvasGivesWhatItGivesAloneBitForBit) {
  ReferenceModel model("golden/dream_tiny");
  std::mt19937 random(9);
  std::vector<DenoiseRequest> requests(5);
  std::vector<std::vector<Candidate>> seen[2];
  for (auto& s : seen) s.resize(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    DenoiseRequest& request = requests[i];
    request.mask_token = model.mask_token();
    for (std::size_t t = 0; t < 12 + 5 * i; ++t) {
      request.canvas.push_back(t > 4 && t < 10 ? model.mask_token()
                                               : static_cast<std::int32_t>(random() % 90));
    }
    request.sampling.steps = static_cast<int>(3 + i);
    request.sampling.temperature = i == 2 ? 0.8F : 0;
    request.sampling.cfg_scale = i == 3 ? 1.5F : 0;
    request.sampling.algorithm = i == 3 ? Algorithm::LowConfidence : Algorithm::Entropy;
    if (i != 4) request.cache = {.scope = CacheScope::Holes, .refresh = 3};
  }
  const auto record = [&](int which) {
    for (std::size_t i = 0; i < requests.size(); ++i) {
      requests[i].on_step = [&, which, i](const StepEvent& event) {
        seen[which][i].insert(seen[which][i].end(), event.candidates.begin(),
                              event.candidates.end());
      };
    }
  };
  record(0);
  TransformerPredictor together(model.transformer, model.context, limits_of(requests),
                                kernels::Precision::F32);
  const auto results = denoise_batch(together, requests);
  record(1);
  ASSERT_EQ(results.size(), requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    TransformerPredictor alone(model.transformer, model.context, limits_of(requests[i]),
                               kernels::Precision::F32);
    const auto expected = denoise(alone, requests[i]);
    ASSERT_TRUE(results[i].has_value() && expected.has_value());
    EXPECT_EQ(results[i]->canvas, expected->canvas);
    ASSERT_EQ(seen[0][i].size(), seen[1][i].size());
    for (std::size_t c = 0; c < seen[0][i].size(); ++c) {
      ASSERT_EQ(seen[0][i][c].token, seen[1][i][c].token);
      ASSERT_EQ(seen[0][i][c].confidence, seen[1][i][c].confidence);
    }
  }
}

TEST(DenoiseBatchTest, OneThatIsRefusedOrStoppedLeavesTheOthersAlone) {
  TablePredictor predictor(random_table(1, 3, 8), true);
  std::stop_source stop;
  std::vector<DenoiseRequest> requests(3);
  for (DenoiseRequest& request : requests) {
    request.canvas = {1, kMask, kMask, kMask};
    request.mask_token = kMask;
    request.sampling.steps = 3;
  }
  requests[0].sampling.steps = 0;
  requests[1].stop = stop.get_token();
  requests[1].on_step = [&](const StepEvent&) { stop.request_stop(); };
  const auto results = denoise_batch(predictor, requests);
  EXPECT_EQ(results[0].error().code, ErrorCode::InvalidInput);
  EXPECT_EQ(results[1].error().code, ErrorCode::Cancelled);
  ASSERT_TRUE(results[2].has_value());
  EXPECT_EQ(results[2]->masks_left, 0);
}

}  // namespace
}  // namespace lacuna::engine
