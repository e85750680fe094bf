// Recorded runs of Fast-dLLM's Dream code, replayed call by call: each forward pass of the
// reference is made with the same rows over the same cache, and the tokens that it commits must be
// those of the reference's next call.
//
// Two habits of that code are replayed here although the engine does not share them: the full pass
// commits the first token of a block, whatever its confidence, because later passes leave out the
// row that predicts it; and passes over a window shift inside the window.
#include <algorithm>

#include <gtest/gtest.h>

#include "engine/denoiser.h"
#include "engine/sampler/commit_rule.h"
#include "tests/helpers/reference_model.h"

namespace lacuna::engine {
namespace {

class Replay {
 public:
  Replay(ReferenceModel& model, const nlohmann::json& run)
      : model_(model),
        run_(run),
        prompt_(run["prompt"][0].get<Ids>()),
        final_(run["final"][0].get<Ids>()),
        block_length_(run["block_length"].get<int>()),
        canvas_(prompt_),
        pass_(model.transformer, model.context, {.canvas = static_cast<int>(final_.size())},
              kernels::Precision::F32),
        logits_(final_.size() * static_cast<std::size_t>(model.vocab_size())) {
    canvas_.resize(final_.size(), model.mask_token());
  }

  void check() {
    int block = -1;
    for (const auto& call : run_["forward_inputs"]) {
      const Ids input = call[0].get<Ids>();
      if (input.size() == canvas_.size()) {
        ++block;
        step_ = 1;
        ASSERT_EQ(input, canvas_) << "full pass of block " << block;
        block_begin_ = static_cast<int>(prompt_.size()) + block * block_length_;
        full_pass();
      } else {
        ASSERT_TRUE(std::equal(input.begin(), input.end(), canvas_.begin() + block_begin_))
            << "block " << block << " pass " << step_;
        window_pass(static_cast<int>(input.size()));
        ++step_;
      }
    }
    EXPECT_EQ(canvas_, final_);
  }

 private:
  void forward(int begin, int length) {
    Ids rows(static_cast<std::size_t>(length));
    std::iota(rows.begin(), rows.end(), begin);
    pass_.run(canvas_, rows, rows);
    pass_.logits(0, length, logits_.data());
  }

  Candidate candidate(int position, int row, Confidence confidence) {
    const auto V = static_cast<std::size_t>(model_.vocab_size());
    return draw(
        {logits_.data() + static_cast<std::size_t>(row) * V, V}, position,
        {.temperature = 0, .top_p = {}, .top_k = {}, .confidence = confidence, .allowed = {}}, {},
        0, scratch_);
  }

  void full_pass() {
    forward(0, static_cast<int>(canvas_.size()));
    canvas_[block_begin_] =
        candidate(block_begin_, block_begin_ - 1, Confidence::Probability).token;
  }

  // The window is the block (dual cache) or the block and everything after it (prefix cache).
  void window_pass(int length) {
    forward(block_begin_, length);
    const bool by_threshold = run_["alg"] == "confidence_threshold";
    std::vector<Candidate> candidates;
    for (int i = 1; i < block_length_; ++i) {
      if (canvas_[block_begin_ + i] != model_.mask_token()) continue;
      candidates.push_back(
          candidate(block_begin_ + i, i - 1,
                    by_threshold ? Confidence::Probability : Confidence::NegativeEntropy));
    }
    std::stable_sort(
        candidates.begin(), candidates.end(),
        [](const Candidate& a, const Candidate& b) { return a.confidence > b.confidence; });
    const int masks = static_cast<int>(candidates.size());
    if (masks == 0) return;
    int quota = 1;
    if (by_threshold) {
      const float threshold = run_["threshold"].get<float>();
      while (quota < masks && candidates[quota].confidence >= threshold) ++quota;
    } else {
      const int n_blocks = static_cast<int>(final_.size() - prompt_.size()) / block_length_;
      quota = transfer_count(
          masks, {.step = step_, .steps = run_["steps"].get<int>() / n_blocks, .eps = 1e-3F});
    }
    for (int i = 0; i < quota; ++i) canvas_[candidates[i].position] = candidates[i].token;
  }

  ReferenceModel& model_;
  const nlohmann::json& run_;
  Ids prompt_;
  Ids final_;
  int block_length_;
  Ids canvas_;
  ForwardPass pass_;
  std::vector<float> logits_;
  DrawScratch scratch_;
  int block_begin_ = 0;
  int step_ = 0;
};

TEST(FastDllmReplayTest, PrefixAndDualCacheRunsMatchCallByCall) {
  ReferenceModel model("golden/dream_tiny");
  const nlohmann::json golden = read_reference("golden/dream_tiny/fast_dllm.json");
  int replayed = 0;
  for (const auto& run : golden) {
    if (run["variant"] != "block") continue;
    SCOPED_TRACE(run["alg"].get<std::string>() + (run["dual_cache"] ? " dual" : " prefix") +
                 " block " + run["block_length"].dump() + " threshold " + run["threshold"].dump());
    Replay(model, run).check();
    ++replayed;
  }
  EXPECT_EQ(replayed, 24);
}

TEST(FastDllmReplayTest, ConfidenceThresholdWithoutCacheMatchesStepByStep) {
  ReferenceModel model("golden/dream_tiny");
  const nlohmann::json golden = read_reference("golden/dream_tiny/fast_dllm.json");
  int replayed = 0;
  for (const auto& run : golden) {
    if (run["variant"] != "no_cache") continue;
    SCOPED_TRACE("threshold " + run["threshold"].dump());
    const Ids expected = run["final"][0].get<Ids>();
    DenoiseRequest request;
    request.canvas = run["prompt"][0].get<Ids>();
    request.canvas.resize(expected.size(), model.mask_token());
    request.mask_token = model.mask_token();
    request.sampling.algorithm = Algorithm::ConfidenceThreshold;
    request.sampling.threshold = run["threshold"].get<float>();
    request.sampling.steps = run["steps"].get<int>();
    std::vector<Ids> history;
    request.on_step = [&](const StepEvent& event) {
      history.emplace_back(event.canvas.begin(), event.canvas.end());
    };
    TransformerPredictor predictor = model.predictor(static_cast<int>(expected.size()));
    const auto result = denoise(predictor, request);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->canvas, expected);
    ASSERT_EQ(history.size(), run["history"].size());
    for (std::size_t step = 0; step < history.size(); ++step) {
      ASSERT_EQ(history[step], run["history"][step][0].get<Ids>()) << "step " << step;
    }
    ++replayed;
  }
  EXPECT_EQ(replayed, 3);
}

}  // namespace
}  // namespace lacuna::engine
