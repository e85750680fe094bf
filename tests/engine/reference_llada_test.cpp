// LLaDA's `generate` and Fast-dLLM's three loops on LLaDA, as their authors' code ran them.
#include <algorithm>

#include <gtest/gtest.h>

#include "engine/denoiser.h"
#include "tests/helpers/reference_model.h"

namespace lacuna::engine {
namespace {

using nlohmann::json;

DenoiseRequest request_of(const json& run, Ids prompt, std::int32_t mask_token) {
  DenoiseRequest request;
  request.canvas = std::move(prompt);
  request.canvas.resize(request.canvas.size() + run["gen_length"].get<std::size_t>(), mask_token);
  request.mask_token = mask_token;
  request.sampling.algorithm = Algorithm::LowConfidence;
  request.sampling.steps = run["steps"];
  request.sampling.block_length = run["block_length"].get<int>();
  if (run.contains("threshold") && !run["threshold"].is_null()) {
    request.sampling.threshold = run["threshold"].get<float>();
  }
  request.sampling.cfg_scale = run.value("cfg_scale", 0.0F);
  request.sampling.temperature = run.value("temperature", 0.0F);
  // A fixed quota runs all of its steps, a threshold ends a block that is done.
  request.early_exit = request.sampling.threshold.has_value();
  return request;
}

TEST(ReferenceLladaTest, EveryCommitOfEveryStepMatches) {
  ReferenceModel model("llada-tiny");
  const json golden = read_reference("llada-tiny/golden.json");
  for (const auto& run : golden["sampling"]) {
    DenoiseRequest request = request_of(run, run["prompt"].get<Ids>(), model.mask_token());
    using Commits = std::vector<std::pair<int, std::int32_t>>;
    std::vector<Commits> commits;
    request.on_step = [&](const StepEvent& event) {
      Commits& step = commits.emplace_back();
      for (const Candidate& c : event.commits) step.emplace_back(c.position, c.token);
      std::sort(step.begin(), step.end());
    };
    TransformerPredictor predictor(model.transformer, model.context, limits_of(request),
                                   kernels::Precision::F32);
    const auto result = denoise(predictor, request);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->canvas, run["result"].get<Ids>());
    EXPECT_EQ(result->forward_passes, run["forward_passes"].get<int>());
    ASSERT_EQ(commits.size(), run["commits_per_step"].size());
    for (std::size_t step = 0; step < commits.size(); ++step) {
      Commits expected = run["commits_per_step"][step].get<Commits>();
      std::sort(expected.begin(), expected.end());
      EXPECT_EQ(commits[step], expected) << "step " << step;
    }
  }
}

TEST(ReferenceLladaTest, GenerateMatchesPassByPassAlsoWithGuidance) {
  ReferenceModel model("golden/llada_tiny");
  int runs = 0;
  for (const auto& run : read_reference("golden/llada_tiny/generate.json")) {
    if (run["kind"] != "llada generate") continue;
    SCOPED_TRACE("block " + run["block_length"].dump() + " cfg " + run["cfg_scale"].dump());
    DenoiseRequest request = request_of(run, run["prompt"][0].get<Ids>(), model.mask_token());
    std::vector<Ids> canvases{request.canvas};
    request.on_step = [&](const StepEvent& event) {
      canvases.emplace_back(event.canvas.begin(), event.canvas.end());
    };
    TransformerPredictor predictor(model.transformer, model.context, limits_of(request),
                                   kernels::Precision::F32);
    const auto result = denoise(predictor, request);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->canvas, run["final"][0].get<Ids>());
    if (run.contains("forward_inputs")) {
      ASSERT_EQ(canvases.size(), run["forward_inputs"].size() + 1);
      for (std::size_t i = 0; i < run["forward_inputs"].size(); ++i) {
        EXPECT_EQ(canvases[i], run["forward_inputs"][i][0].get<Ids>()) << "pass " << i;
      }
    }
    ++runs;
  }
  EXPECT_EQ(runs, 7);
}

// The model's logits, and the uniform numbers that were recorded.
class RecordedNoise : public Predictor {
 public:
  RecordedNoise(TransformerPredictor& model, const json& uniforms, std::size_t vocab_size)
      : model_(model), uniforms_(uniforms), vocab_size_(vocab_size) {}

  int row_that_predicts(int position) const override { return position; }

  void predict_batch(std::span<const PredictRequest> requests,
                     std::span<Candidate> candidates) override {
    const PredictRequest& request = requests.front();
    std::vector<float> logits(request.masked.size() * vocab_size_);
    model_.logits(request.canvas, request.masked, logits.data());
    for (std::size_t i = 0; i < request.masked.size(); ++i) {
      const int position = request.masked[i];
      const auto uniforms =
          uniforms_[static_cast<std::size_t>(request.step)][0][static_cast<std::size_t>(position)]
              .get<std::vector<double>>();
      candidates[i] = draw_gumbel({logits.data() + i * vocab_size_, vocab_size_}, position,
                                  request.draw, {}, uniforms, scratch_);
    }
  }

  Candidate redraw(const PredictRequest&, int, int) override { return {}; }

 private:
  TransformerPredictor& model_;
  const json& uniforms_;
  std::size_t vocab_size_;
  DrawScratch scratch_;
};

TEST(ReferenceLladaTest, GenerateWithTheRecordedNoiseMatches) {
  ReferenceModel model("golden/llada_tiny");
  int runs = 0;
  for (const auto& run : read_reference("golden/llada_tiny/generate.json")) {
    if (!run.contains("uniform_per_step")) continue;
    const DenoiseRequest request = request_of(run, run["prompt"][0].get<Ids>(), model.mask_token());
    TransformerPredictor transformer = model.predictor(static_cast<int>(request.canvas.size()));
    RecordedNoise predictor(transformer, run["uniform_per_step"],
                            static_cast<std::size_t>(model.vocab_size()));
    const auto result = denoise(predictor, request);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->canvas, run["final"][0].get<Ids>()) << run["temperature"];
    ++runs;
  }
  EXPECT_EQ(runs, 2);
}

CacheScope scope_of(const json& run) {
  if (run["kind"] == "fast-dllm generate_with_prefix_cache") return CacheScope::Prefix;
  if (run["kind"] == "fast-dllm generate_with_dual_cache") return CacheScope::Block;
  return CacheScope::None;
}

// What a pass saw: the whole canvas, or the window that the cache left to compute.
Ids window(const Ids& canvas, const Ids& rows) {
  Ids tokens;
  for (const std::int32_t row : rows) tokens.push_back(canvas[static_cast<std::size_t>(row)]);
  return tokens;
}

// Passes requests on and keeps what each pass computed.
class PassRecorder : public Predictor {
 public:
  explicit PassRecorder(TransformerPredictor& inner) : inner_(inner) {}
  int row_that_predicts(int position) const override { return inner_.row_that_predicts(position); }
  void predict_batch(std::span<const PredictRequest> requests,
                     std::span<Candidate> candidates) override {
    const PredictRequest& request = requests.front();
    passes.push_back(window({request.canvas.begin(), request.canvas.end()},
                            {request.rows.begin(), request.rows.end()}));
    inner_.predict_batch(requests, candidates);
  }
  Candidate redraw(const PredictRequest& request, int index, int first) override {
    return inner_.redraw(request, index, first);
  }

  std::vector<Ids> passes;

 private:
  TransformerPredictor& inner_;
};

// What the published loop computed. With the prefix cache it looks whether a block is done only
// after another pass over it; that pass changes nothing, and we do not make it.
std::vector<Ids> passes_of(const json& run, std::size_t canvas_size, std::int32_t mask_token) {
  std::vector<Ids> passes;
  for (const auto& input : run["forward_inputs"]) {
    const Ids pass = input[0].get<Ids>();
    const auto block_end =
        pass.begin() + std::min(pass.size(), run["block_length"].get<std::size_t>());
    const bool in_vain =
        pass.size() < canvas_size && std::find(pass.begin(), block_end, mask_token) == block_end;
    if (!in_vain) passes.push_back(pass);
  }
  return passes;
}

TEST(ReferenceLladaTest, FastDllmMatchesPassByPassWithEachCache) {
  ReferenceModel model("golden/llada_tiny");
  int runs = 0;
  for (const auto& run : read_reference("golden/llada_tiny/fast_dllm.json")) {
    SCOPED_TRACE(run["kind"].get<std::string>() + " block " + run["block_length"].dump() +
                 " threshold " + run["threshold"].dump());
    DenoiseRequest request = request_of(run, run["prompt"][0].get<Ids>(), model.mask_token());
    request.cache = {.scope = scope_of(run), .refresh = 0};
    TransformerPredictor predictor(model.transformer, model.context, limits_of(request),
                                   kernels::Precision::F32);
    PassRecorder recorder(predictor);
    const auto result = denoise(recorder, request);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->canvas, run["final"][0].get<Ids>());
    const std::vector<Ids> expected = passes_of(run, request.canvas.size(), model.mask_token());
    EXPECT_EQ(result->forward_passes, static_cast<int>(expected.size()));
    ASSERT_EQ(recorder.passes.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(recorder.passes[i], expected[i]) << "pass " << i;
    }
    ++runs;
  }
  EXPECT_EQ(runs, 27);
}

TEST(ReferenceLladaTest, GumbelNoiseMatches) {
  const json golden = read_reference("golden/llada_gumbel.json");
  const auto logits = golden["logits"].get<std::vector<std::vector<float>>>();
  const auto uniforms = golden["uniform"].get<std::vector<std::vector<double>>>();
  DrawScratch scratch;
  for (const auto& entry : golden["cases"]) {
    const DrawOptions options{.temperature = entry["temperature"].get<float>(), .gumbel = true};
    for (std::size_t row = 0; row < logits.size(); ++row) {
      const Candidate drawn = draw_gumbel(logits[row], 0, options, {}, uniforms[row], scratch);
      EXPECT_EQ(drawn.token, entry["argmax"][row].get<int>()) << entry["temperature"];
      // The confidence knows neither noise nor temperature.
      const Candidate plain = score(logits[row], 0, drawn.token, {}, scratch);
      EXPECT_EQ(drawn.confidence, plain.confidence);
    }
  }
}

}  // namespace
}  // namespace lacuna::engine
