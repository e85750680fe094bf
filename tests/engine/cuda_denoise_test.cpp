// Whole decodes on a CUDA device: what the reference committed, and what the CPU commits with caches,
// variants, splices and batches. Built twice, as kernels/cuda_parity_test.cpp is.
#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "engine/denoiser.h"
#include "tests/helpers/two_devices.h"

namespace lacuna::engine {
namespace {

using nlohmann::json;
using CudaDenoiseTest = CudaEngineTest;
using Commits = std::set<std::pair<int, std::int32_t>>;

constexpr float kTolerance = 1e-4F;

struct Decode {
  std::vector<Ids> canvases;          // after each step
  std::vector<Candidate> candidates;  // of all steps
  std::vector<Commits> commits;       // of each step
  std::vector<int> rows;              // computed at each step
  bool done = false;
};

Decode decode(TransformerPredictor predictor, DenoiseRequest request) {
  Decode seen;
  request.on_step = [&](const StepEvent& event) {
    seen.canvases.emplace_back(event.canvas.begin(), event.canvas.end());
    seen.candidates.insert(seen.candidates.end(), event.candidates.begin(), event.candidates.end());
    Commits& commits = seen.commits.emplace_back();
    for (const Candidate& it : event.commits) commits.emplace(it.position, it.token);
    seen.rows.push_back(event.rows_computed);
  };
  seen.done = denoise(predictor, request).has_value();
  return seen;
}

void expect_same(const Decode& got, const Decode& want, const std::string& what) {
  EXPECT_TRUE(got.done && want.done) << what;
  EXPECT_EQ(got.canvases, want.canvases) << what;
  EXPECT_EQ(got.commits, want.commits) << what;
  EXPECT_EQ(got.rows, want.rows) << what;
  ASSERT_EQ(got.candidates.size(), want.candidates.size()) << what;
  for (std::size_t i = 0; i < want.candidates.size(); ++i) {
    EXPECT_EQ(got.candidates[i].token, want.candidates[i].token) << what << ", candidate " << i;
    EXPECT_NEAR(got.candidates[i].confidence, want.candidates[i].confidence, kTolerance)
        << what << ", candidate " << i;
  }
}

std::vector<Commits> commits_of(const json& run) {
  std::vector<Commits> all;
  for (const auto& step : run["commits_per_step"]) {
    Commits& commits = all.emplace_back();
    for (const auto& it : step) commits.emplace(it[0].get<int>(), it[1].get<std::int32_t>());
  }
  return all;
}

// The emulator takes a quarter of a second for a pass. It runs two decodes of each sampler: with a
// filter, of 3 steps, and without one, which draws on the device, of 10.
bool is_short(int steps) { return kOnDevice || steps == 3 || steps == 10; }

TEST_F(CudaDenoiseTest, EveryGreedyCommitOfTheReferenceIsMade) {
  TwoDevices model("dream-tiny");
  int checked = 0;
  int ties = 0;
  const json golden = read_reference("dream-tiny/golden.json");
  for (const auto& run : golden["sampling"]) {
    DenoiseRequest request{.canvas = run["ids"].get<Ids>(), .mask_token = model.cpu.mask_token()};
    SamplingOptions& options = request.sampling;
    options.steps = run["steps"].get<int>();
    options.algorithm = *parse_algorithm(run["alg"].get<std::string>());
    if (!run["top_p"].is_null()) options.top_p = run["top_p"].get<float>();
    if (!run["top_k"].is_null()) options.top_k = run["top_k"].get<int>();
    options.eps = run["eps"].get<float>();
    request.early_exit = false;
    if (!is_short(options.steps)) continue;
    ++checked;
    // Where confidences tie, the reference's choice is its own, and as good as ours.
    if (decode(model.on_cpu(limits_of(request)), request).commits != commits_of(run)) {
      ++ties;
      continue;
    }
    const Decode got = decode(model.on_device(limits_of(request)), request);
    EXPECT_EQ(got.commits, commits_of(run)) << "case " << checked;
    EXPECT_EQ(got.canvases.back(), run["result"].get<Ids>()) << "case " << checked;
  }
  EXPECT_GE(checked, kOnDevice ? 20 : 6);
  EXPECT_LT(ties, checked / 2);
}

TEST_F(CudaDenoiseTest, EveryCommitOfLladaIsMadeAlsoWithGuidance) {
  TwoDevices model("golden/llada_tiny");
  std::set<bool> guided;
  const json golden = read_reference("golden/llada_tiny/generate.json");
  for (const auto& run : golden) {
    if (run["kind"] != "llada generate") continue;
    const float scale = run["cfg_scale"].get<float>();
    if (!guided.insert(scale > 0).second && !kOnDevice) continue;  // one of each
    DenoiseRequest request{.canvas = run["prompt"][0].get<Ids>(),
                           .mask_token = model.cpu.mask_token()};
    request.canvas.resize(request.canvas.size() + run["gen_length"].get<std::size_t>(),
                          model.cpu.mask_token());
    request.sampling.algorithm = Algorithm::LowConfidence;
    request.sampling.steps = run["steps"];
    request.sampling.block_length = run["block_length"].get<int>();
    request.sampling.cfg_scale = scale;
    request.early_exit = false;
    const Decode got = decode(model.on_device(limits_of(request)), request);
    ASSERT_TRUE(got.done);
    EXPECT_EQ(got.canvases.back(), run["final"][0].get<Ids>()) << "guidance " << scale;
  }
  EXPECT_EQ(guided.size(), 2U);
}

// Two holes and text between and around them.
Ids two_holes(std::int32_t mask_token) {
  Ids canvas;
  for (int i = 0; i < 30; ++i) {
    canvas.push_back((i > 5 && i < 12) || (i > 20 && i < 25) ? mask_token : 3 + 2 * i);
  }
  return canvas;
}

TEST_F(CudaDenoiseTest, CachedStepsAreThoseOfTheCpu) {
  TwoDevices model("dream-tiny");
  for (const CacheScope scope : {CacheScope::Holes, CacheScope::Block, CacheScope::Prefix}) {
    DenoiseRequest request{.canvas = two_holes(model.cpu.mask_token()),
                           .mask_token = model.cpu.mask_token()};
    request.sampling.algorithm = Algorithm::Entropy;
    request.sampling.tokens_per_step = 2;
    request.cache = {.scope = scope, .refresh = 3};
    if (scope != CacheScope::Holes) request.sampling.block_length = 15;
    const Decode want = decode(model.on_cpu(limits_of(request)), request);
    expect_same(decode(model.on_device(limits_of(request)), request), want,
                std::string(name_of(scope)));
    EXPECT_LT(*std::min_element(want.rows.begin(), want.rows.end()), 30) << name_of(scope);
  }
}

TEST_F(CudaDenoiseTest, AWatchOfTheAttentionSeesTheSame) {
  TwoDevices model("dream-tiny");
  DenoiseRequest request{.canvas = two_holes(model.cpu.mask_token()),
                         .mask_token = model.cpu.mask_token()};
  request.sampling.tokens_per_step = 2;
  request.cache = {.scope = CacheScope::Holes, .refresh = 0, .refresh_drift = 0.999F};
  const Decode want = decode(model.on_cpu(limits_of(request)), request);
  expect_same(decode(model.on_device(limits_of(request)), request), want, "watch");
  EXPECT_GT(std::count(want.rows.begin(), want.rows.end(), 30), 1) << "the watch called for none";
}

TEST_F(CudaDenoiseTest, StepsTriedAheadAreThoseOfTheCpu) {
  TwoDevices model("dream-tiny");
  DenoiseRequest request{.canvas = two_holes(model.cpu.mask_token()),
                         .mask_token = model.cpu.mask_token()};
  request.sampling.tokens_per_step = 1;
  request.sampling.verify = 2;
  request.cache = {.scope = CacheScope::Holes, .refresh = 4};
  const Decode want = decode(model.on_cpu(limits_of(request)), request);
  expect_same(decode(model.on_device(limits_of(request)), request), want, "verify");
  EXPECT_GT(std::count(want.rows.begin(), want.rows.end(), 0), 0) << "no step was foreseen";
}

// Refuses even tokens at odd positions.
class PickyConstraint : public Constraint {
 public:
  int refused = 0;

 private:
  void vet(std::span<const std::int32_t>, std::span<const Candidate> candidates,
           std::span<std::uint8_t> accepted) override {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const bool bad = candidates[i].position % 2 == 1 && candidates[i].token % 2 == 0;
      accepted[i] = bad ? 0 : 1;
      refused += bad ? 1 : 0;
    }
  }
};

// Each draws in another way: on the device, with forbidden tokens there, from logits that the host
// reads, and drawn again after a refusal.
TEST_F(CudaDenoiseTest, ABatchGivesWhatItGivesOnTheCpu) {
  TwoDevices model("dream-tiny");
  const std::int32_t mask = model.cpu.mask_token();
  std::vector<std::uint8_t> allowed(static_cast<std::size_t>(model.cpu.vocab_size()), 1);
  for (std::size_t i = 0; i < allowed.size(); i += 3) allowed[i] = 0;
  PickyConstraint constraint;
  std::vector<DenoiseRequest> requests(4);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].mask_token = mask;
    for (std::size_t t = 0; t < 12 + 3 * i; ++t)
      requests[i].canvas.push_back(t > 4 && t < 10 ? mask : static_cast<std::int32_t>(7 * t + i));
    requests[i].sampling.steps = 3;
    requests[i].sampling.algorithm = Algorithm::Entropy;
    requests[i].cache = {.scope = CacheScope::Holes, .refresh = 2};
  }
  requests[0].sampling.temperature = 0.5F;
  requests[1].allowed = allowed;
  requests[2].sampling.top_k = 5;
  requests[2].sampling.temperature = 0.8F;
  requests[3].constraint = &constraint;
  requests[3].sampling.algorithm = Algorithm::TopkMargin;
  TransformerPredictor here = model.on_cpu(limits_of(requests));
  TransformerPredictor there = model.on_device(limits_of(requests));
  const auto want = denoise_batch(here, requests);
  EXPECT_GT(constraint.refused, 0);
  const auto got = denoise_batch(there, requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    ASSERT_TRUE(want[i].has_value() && got[i].has_value()) << i;
    EXPECT_EQ(got[i]->canvas, want[i]->canvas) << i;
    EXPECT_EQ(got[i]->forward_passes, want[i]->forward_passes) << i;
  }
}

// The hole [6, 12) with another length: what it predicts, tried as a variant or after the change.
std::vector<Candidate> with_length(TransformerPredictor& predictor, const Ids& canvas, int length,
                                   std::int32_t mask, bool variant) {
  const CanvasSplice splice{.begin = 6, .removed = 6, .inserted = length};
  Ids changed = canvas;
  changed.erase(changed.begin() + 6, changed.begin() + 12);
  changed.insert(changed.begin() + 6, static_cast<std::size_t>(length), mask);
  Ids masked;
  for (int i = 0; i < length; ++i) masked.push_back(6 + i);
  Ids rows = masked;
  rows.insert(rows.begin(), 5);
  const Random random(0);
  PredictRequest request{.canvas = changed,
                         .rows = rows,
                         .masked = masked,
                         .draw = {},
                         .random = &random,
                         .step = 0,
                         .variant = variant};
  if (variant) {
    request.splice = splice;
  } else {
    predictor.splice(0, static_cast<int>(canvas.size()), splice);
  }
  std::vector<Candidate> candidates(masked.size());
  predictor.predict(request, candidates);
  return candidates;
}

TEST_F(CudaDenoiseTest, SplicedCanvasesAreThoseOfTheCpu) {
  TwoDevices model("dream-tiny");
  const std::int32_t mask = model.cpu.mask_token();
  const Ids canvas = two_holes(mask);
  const Ids all = iota_ids(canvas.size());
  const int size = static_cast<int>(canvas.size());
  const ForwardLimits limits{
      .canvas = size + 4, .rows = size + 20, .variant_rows = 20, .splices = true};
  TransformerPredictor here = model.on_cpu(limits);
  TransformerPredictor there = model.on_device(limits);
  for (TransformerPredictor* predictor : {&here, &there}) {
    predictor->predict(
        {.canvas = canvas, .rows = all, .masked = {}, .draw = {}, .random = nullptr, .step = 0},
        {});
  }
  struct Try {
    int length;
    bool variant;
  };
  // The last one moves what follows within the cache.
  for (const Try& it : {Try{3, true}, Try{9, true}, Try{8, false}}) {
    const std::vector<Candidate> want = with_length(here, canvas, it.length, mask, it.variant);
    const std::vector<Candidate> got = with_length(there, canvas, it.length, mask, it.variant);
    for (std::size_t i = 0; i < want.size(); ++i) {
      EXPECT_EQ(got[i].token, want[i].token) << it.length << ", " << i;
      EXPECT_NEAR(got[i].probability, want[i].probability, kTolerance) << it.length << ", " << i;
    }
  }
}

}  // namespace
}  // namespace lacuna::engine
