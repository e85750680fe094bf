// Dream's `diffusion_generate`, step by step, against recorded runs of the published code.
#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "engine/denoiser.h"
#include "engine/sampler/commit_rule.h"
#include "tests/helpers/reference_model.h"

namespace lacuna::engine {
namespace {

using Commits = std::set<std::pair<int, std::int32_t>>;

SamplingOptions options_of(const nlohmann::json& entry) {
  SamplingOptions options;
  options.steps = entry["steps"].get<int>();
  options.algorithm = *parse_algorithm(entry["alg"].get<std::string>());
  options.temperature = entry["temperature"].get<float>();
  if (!entry["top_p"].is_null()) options.top_p = entry["top_p"].get<float>();
  if (!entry["top_k"].is_null()) options.top_k = entry["top_k"].get<int>();
  options.eps = entry["eps"].get<float>();
  return options;
}

// One step from a canvas that the reference was in: what the engine would commit, and whether the
// choice was free because the last chosen and the first refused confidence are equal.
struct Step {
  std::vector<Candidate> candidates;
  Commits chosen;
  bool tie;
};

Step step_from(ReferenceModel& model, const Ids& canvas, const SamplingOptions& options, int step) {
  Ids masked;
  for (std::size_t i = 0; i < canvas.size(); ++i) {
    if (canvas[i] == model.mask_token()) masked.push_back(static_cast<std::int32_t>(i));
  }
  Step result{.candidates = std::vector<Candidate>(masked.size()), .chosen = {}, .tie = false};
  const Random random(0);
  TransformerPredictor predictor = model.predictor(static_cast<int>(canvas.size()));
  predictor.predict({.canvas = canvas,
                     .rows = iota_ids(canvas.size()),
                     .masked = masked,
                     .draw = {.temperature = options.temperature,
                              .top_p = options.top_p,
                              .top_k = options.top_k,
                              .confidence = confidence_of(options.algorithm),
                              .allowed = {}},
                     .random = &random,
                     .step = step},
                    result.candidates);
  std::vector<int> chosen;
  make_commit_rule(options, static_cast<int>(masked.size()))
      ->choose({.step = step, .steps = options.steps, .eps = options.eps}, result.candidates,
               random, chosen);
  float last_chosen = 1e30F;
  std::set<int> indices(chosen.begin(), chosen.end());
  for (const int i : indices) {
    const Candidate& candidate = result.candidates[i];
    // A chosen position may draw the mask token itself: it uses up quota and stays masked.
    if (candidate.token != model.mask_token()) {
      result.chosen.emplace(candidate.position, candidate.token);
    }
    last_chosen = std::min(last_chosen, candidate.confidence);
  }
  for (std::size_t i = 0; i < masked.size(); ++i) {
    if (indices.count(static_cast<int>(i)) == 0 &&
        last_chosen - result.candidates[i].confidence < 1e-5F) {
      result.tie = true;
    }
  }
  return result;
}

// At a tie the reference's choice is as good as ours: it must be a best set by our confidences,
// with our tokens.
void expect_a_best_set(const Step& ours, const Commits& theirs, const std::string& where) {
  ASSERT_EQ(ours.chosen.size(), theirs.size()) << where;
  float worst_chosen = 1e30F;
  float best_refused = -1e30F;
  for (const Candidate& candidate : ours.candidates) {
    if (theirs.count({candidate.position, candidate.token}) != 0) {
      worst_chosen = std::min(worst_chosen, candidate.confidence);
    } else {
      best_refused = std::max(best_refused, candidate.confidence);
    }
  }
  EXPECT_GE(worst_chosen, best_refused - 1e-5F) << where;
  for (const auto& [position, token] : theirs) {
    EXPECT_TRUE(std::any_of(ours.candidates.begin(), ours.candidates.end(),
                            [&, p = position, t = token](const Candidate& c) {
                              return c.position == p && c.token == t;
                            }))
        << where << ": position " << position << " token " << token;
  }
}

class ReferenceDenoiseTest : public testing::TestWithParam<const char*> {};

TEST_P(ReferenceDenoiseTest, EveryCommitOfEveryStepMatches) {
  ReferenceModel model(GetParam());
  int case_idx = 0;
  int ties = 0;
  const nlohmann::json golden = read_reference(std::string(GetParam()) + "/golden.json");
  for (const auto& entry : golden["sampling"]) {
    const SamplingOptions options = options_of(entry);
    Ids canvas = entry["ids"].get<Ids>();
    bool tied = false;
    for (int step = 0; step < options.steps; ++step) {
      const std::string where =
          "case " + std::to_string(case_idx) + " step " + std::to_string(step);
      Commits theirs;
      for (const auto& commit : entry["commits_per_step"][step]) {
        theirs.emplace(commit[0].get<int>(), commit[1].get<std::int32_t>());
      }
      const Step ours = step_from(model, canvas, options, step);
      if (ours.tie) {
        expect_a_best_set(ours, theirs, where);
      } else {
        EXPECT_EQ(ours.chosen, theirs) << where;
      }
      tied |= ours.tie;
      for (const auto& [position, token] : theirs) canvas[position] = token;
    }
    EXPECT_EQ(canvas, entry["result"].get<Ids>()) << "case " << case_idx;

    if (!tied) {  // the engine's own loop, left to itself, ends where the reference ended
      DenoiseRequest request;
      request.canvas = entry["ids"].get<Ids>();
      request.mask_token = model.mask_token();
      request.sampling = options;
      TransformerPredictor predictor = model.predictor(static_cast<int>(canvas.size()));
      const auto run = denoise(predictor, request);
      ASSERT_TRUE(run.has_value());
      EXPECT_EQ(run->canvas, canvas) << "case " << case_idx;
    }
    ties += tied ? 1 : 0;
    ++case_idx;
  }
  EXPECT_GE(case_idx, 20);
  EXPECT_LT(ties, case_idx / 2) << "most cases should pin the order down";
}

INSTANTIATE_TEST_SUITE_P(Models, ReferenceDenoiseTest,
                         testing::Values("dream-tiny", "dream-tiny-bf16-sharded"),
                         [](const auto& suite) {
                           return std::string(suite.param).find("bf16") == std::string::npos
                                      ? "float32"
                                      : "bf16_sharded";
                         });

TEST(ReferenceGenerateTest, TheHistoryOfEveryGreedyRunMatches) {
  ReferenceModel model("golden/dream_tiny");
  int runs = 0;
  const nlohmann::json golden = read_reference("golden/dream_tiny/generate.json");
  for (const auto& entry : golden) {
    const bool greedy = entry["temperature"].get<float>() == 0 && entry["alg"] != "origin";
    if (!greedy || entry["input_ids"].size() != 1) continue;
    DenoiseRequest request;
    request.canvas = entry["input_ids"][0].get<Ids>();
    request.canvas.resize(entry["max_length"].get<std::size_t>(), model.mask_token());
    request.mask_token = model.mask_token();
    request.sampling = options_of(entry);
    request.early_exit = false;
    std::vector<Ids> history;
    request.on_step = [&](const StepEvent& event) {
      history.emplace_back(event.canvas.begin(), event.canvas.end());
    };
    TransformerPredictor predictor = model.predictor(static_cast<int>(request.canvas.size()));
    const auto run = denoise(predictor, request);
    ASSERT_TRUE(run.has_value());
    const std::string label = entry["label"].get<std::string>();
    ASSERT_EQ(history.size(), entry["history"].size()) << label;
    EXPECT_EQ(run->forward_passes, request.sampling.steps) << label;
    for (std::size_t step = 0; step < history.size(); ++step) {
      // After a tie the reference's order is its own; the final text must still agree below where
      // the reference says that the lowest index reproduces it.
      if (!entry["lowest_index_tie_break_reproduces"].get<bool>()) break;
      ASSERT_EQ(history[step], entry["history"][step][0].get<Ids>()) << label << " step " << step;
    }
    ++runs;
  }
  EXPECT_EQ(runs, 28);
}

// Dream pads the texts of a batch on the left, with an attention mask and positions from the first
// real token on. Here each is a canvas of its own, and the history of every row is the published
// one behind its padding.
TEST(ReferenceGenerateTest, TheHistoryOfALeftPaddedBatchMatches) {
  ReferenceModel model("golden/dream_tiny");
  int steps = 0;
  for (const auto& entry : read_reference("golden/dream_tiny/generate.json")) {
    if (!entry.contains("attention_mask")) continue;
    std::vector<DenoiseRequest> requests(entry["input_ids"].size());
    std::vector<std::size_t> padding;
    for (std::size_t row = 0; row < requests.size(); ++row) {
      const Ids mask = entry["attention_mask"][row].get<Ids>();
      padding.push_back(
          static_cast<std::size_t>(std::find(mask.begin(), mask.end(), 1) - mask.begin()));
      Ids canvas = entry["input_ids"][row].get<Ids>();
      canvas.resize(entry["max_length"].get<std::size_t>(), model.mask_token());
      canvas.erase(canvas.begin(), canvas.begin() + static_cast<std::ptrdiff_t>(padding[row]));
      requests[row] = {.canvas = canvas,
                       .mask_token = model.mask_token(),
                       .sampling = options_of(entry),
                       .early_exit = false};
      requests[row].on_step = [&, row](const StepEvent& event) {
        Ids expected = entry["history"][event.step][row].get<Ids>();
        expected.erase(expected.begin(),
                       expected.begin() + static_cast<std::ptrdiff_t>(padding[row]));
        EXPECT_EQ(Ids(event.canvas.begin(), event.canvas.end()), expected)
            << "row " << row << " step " << event.step;
        ++steps;
      };
    }
    EXPECT_NE(padding[0], padding[1]);
    TransformerPredictor predictor(model.transformer, model.context, limits_of(requests),
                                   kernels::Precision::F32);
    for (const auto& result : denoise_batch(predictor, requests)) EXPECT_TRUE(result.has_value());
  }
  EXPECT_EQ(steps, 16);
}

// The cases with recorded randomness: the reference's samples and uniforms are fed in, and what is
// checked is every confidence and which positions get committed.
TEST(ReferenceGenerateTest, ConfidencesOfRecordedSamplesMatch) {
  ReferenceModel model("golden/dream_tiny");
  int rows = 0;
  const nlohmann::json golden = read_reference("golden/dream_tiny/generate.json");
  for (const auto& entry : golden) {
    if (entry["input_ids"].size() != 1 || entry["alg"] == "origin") continue;
    const SamplingOptions options = options_of(entry);
    Ids canvas = entry["input_ids"][0].get<Ids>();
    canvas.resize(entry["max_length"].get<std::size_t>(), model.mask_token());
    for (int step = 0; step < options.steps; ++step) {
      const Step ours = step_from(model, canvas, options, step);
      const auto& theirs = entry["per_step"][step];
      for (std::size_t i = 0; i < ours.candidates.size(); ++i) {
        const bool same_token = ours.candidates[i].token == theirs["x0"][i].get<std::int32_t>();
        if (options.temperature == 0) {
          EXPECT_TRUE(same_token) << entry["label"] << " step " << step << " row " << i;
        }
        // A probability belongs to the sampled token; entropy and margin to the row.
        if (same_token || options.algorithm != Algorithm::MaskgitPlus) {
          EXPECT_NEAR(ours.candidates[i].confidence, theirs["confidence"][i].get<float>(), 1e-4F)
              << entry["label"] << " step " << step << " row " << i;
          ++rows;
        }
      }
      canvas = entry["history"][step][0].get<Ids>();
    }
  }
  EXPECT_GT(rows, 1000);
}

TEST(CacheTest, ARefreshAtEveryStepEqualsTheExactRunBitForBitWithEachCache) {
  ReferenceModel model("dream-tiny");
  const nlohmann::json golden = read_reference("dream-tiny/golden.json");
  for (const auto& entry : golden["sampling"]) {
    DenoiseRequest request;
    request.canvas = entry["ids"].get<Ids>();
    request.mask_token = model.mask_token();
    request.sampling = options_of(entry);
    std::vector<std::vector<Candidate>> exact;
    for (const CacheScope scope :
         {CacheScope::None, CacheScope::Holes, CacheScope::Block, CacheScope::Prefix}) {
      request.cache = {.scope = scope, .refresh = 1};
      std::vector<std::vector<Candidate>> steps;
      request.on_step = [&](const StepEvent& event) {
        steps.emplace_back(event.candidates.begin(), event.candidates.end());
      };
      TransformerPredictor predictor = model.predictor(static_cast<int>(request.canvas.size()));
      ASSERT_TRUE(denoise(predictor, request).has_value());
      if (scope == CacheScope::None) exact = steps;
      ASSERT_EQ(steps.size(), exact.size()) << name_of(scope);
      for (std::size_t step = 0; step < exact.size(); ++step) {
        ASSERT_EQ(steps[step].size(), exact[step].size()) << name_of(scope);
        for (std::size_t i = 0; i < exact[step].size(); ++i) {
          ASSERT_EQ(steps[step][i].token, exact[step][i].token) << name_of(scope);
          ASSERT_EQ(steps[step][i].confidence, exact[step][i].confidence) << name_of(scope);
        }
      }
    }
  }
}

}  // namespace
}  // namespace lacuna::engine
