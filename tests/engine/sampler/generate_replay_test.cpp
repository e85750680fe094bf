// The selection of golden/dream_tiny/generate.json without its network: the recorded confidences
// and tokens of every step go into the rules, and the recorded canvases say what must come out.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/denoiser.h"
#include "engine/sampler/rules.h"
#include "tests/engine/sampler/reference_data.h"

namespace lacuna::engine {
namespace {

constexpr int kMask = 93;
using Canvas = std::vector<std::int32_t>;

// One step of one row of a recorded batch.
struct Step {
  StepInfo info;
  Canvas before;
  Canvas after;
  std::vector<Candidate> candidates;  // of the masked positions of `before`
  bool has_ties;                      // at the border of what was selected
};

std::vector<int> masked_positions(const Canvas& canvas) {
  std::vector<int> positions;
  for (std::size_t i = 0; i < canvas.size(); ++i) {
    if (canvas[i] == kMask) positions.push_back(static_cast<int>(i));
  }
  return positions;
}

// Rows of a batch come one after the other in per_step.
std::vector<Step> steps_of(const nlohmann::json& run, std::size_t row) {
  std::vector<Step> steps;
  std::vector<Canvas> canvases = run["input_ids"];
  for (Canvas& canvas : canvases) canvas.resize(run["max_length"], kMask);
  for (std::size_t i = 0; i < run["history"].size(); ++i) {
    std::size_t next = 0;
    for (std::size_t r = 0; r < row; ++r) next += masked_positions(canvases[r]).size();
    const auto& gap = run["selection_gap_per_step"][i];
    Step step{.info = {.step = static_cast<int>(i), .steps = run["steps"], .eps = run["eps"]},
              .before = canvases[row],
              .after = run["history"][i][row],
              .candidates = {},
              .has_ties = !gap.is_null() && gap.get<double>() == 0};
    for (const int position : masked_positions(step.before)) {
      const float confidence = run["per_step"][i]["confidence"][next];
      step.candidates.push_back({.position = position,
                                 .token = run["per_step"][i]["x0"][next],
                                 .probability = confidence,
                                 .confidence = confidence});
      ++next;
    }
    steps.push_back(std::move(step));
    canvases = run["history"][i].get<std::vector<Canvas>>();
  }
  return steps;
}

std::vector<float> sorted_confidences(const Step& step, const std::vector<int>& chosen) {
  std::vector<float> confidences;
  confidences.reserve(chosen.size());
  for (const int i : chosen) {
    confidences.push_back(step.candidates[static_cast<std::size_t>(i)].confidence);
  }
  std::sort(confidences.begin(), confidences.end());
  return confidences;
}

void expect_recorded_choice(const Step& step, std::vector<int> chosen) {
  std::vector<int> expected;
  for (std::size_t i = 0; i < step.candidates.size(); ++i) {
    const auto position = static_cast<std::size_t>(step.candidates[i].position);
    if (step.after[position] == kMask) continue;
    expected.push_back(static_cast<int>(i));
    EXPECT_EQ(step.after[position], step.candidates[i].token);
  }
  if (step.has_ties) {
    EXPECT_EQ(sorted_confidences(step, chosen), sorted_confidences(step, expected));
    return;
  }
  std::sort(chosen.begin(), chosen.end());
  EXPECT_EQ(chosen, expected);
}

TEST(GenerateReplayTest, EveryRecordedStepSelectsTheSamePositions) {
  int n_steps = 0;
  for (const auto& run : load_reference("golden/dream_tiny/generate.json")) {
    // In a batch the reference takes the mean count of its rows, so unequal rows disturb each
    // other; we run rows one by one on purpose.
    if (run["alg"] == "origin" || run["label"] == "batch with unequal mask counts (6 and 2)") {
      continue;
    }
    for (std::size_t row = 0; row < run["input_ids"].size(); ++row) {
      const auto steps = steps_of(run, row);
      const auto rule = make_scheduled_rule(0, static_cast<int>(steps.front().candidates.size()));
      for (const Step& step : steps) {
        SCOPED_TRACE(run["label"].get<std::string>() + ", row " + std::to_string(row) + ", step " +
                     std::to_string(step.info.step));
        std::vector<int> chosen;
        rule->choose(step.info, step.candidates, Random(0), chosen);
        expect_recorded_choice(step, chosen);
        ++n_steps;
      }
    }
  }
  EXPECT_GT(n_steps, 300);
}

// Proposes what was recorded.
class RecordedPredictor : public Predictor {
 public:
  explicit RecordedPredictor(const std::vector<Step>& steps) : steps_(steps) {}

  int row_that_predicts(int position) const override { return std::max(0, position - 1); }

  void predict_batch(std::span<const PredictRequest> requests,
                     std::span<Candidate> candidates) override {
    const auto& recorded = steps_[static_cast<std::size_t>(requests.front().step)].candidates;
    ASSERT_EQ(recorded.size(), candidates.size());
    std::copy(recorded.begin(), recorded.end(), candidates.begin());
  }

  Candidate redraw(const PredictRequest&, int, int) override { return {}; }

 private:
  const std::vector<Step>& steps_;
};

TEST(GenerateReplayTest, TheLoopPassesThroughTheRecordedCanvases) {
  int n_runs = 0;
  for (const auto& run : load_reference("golden/dream_tiny/generate.json")) {
    if (run["alg"] == "origin" || run["input_ids"].size() > 1) continue;
    const auto steps = steps_of(run, 0);
    // Where the reference broke a tie in its own way, its next canvas is not ours.
    if (std::any_of(steps.begin(), steps.end(), [](const Step& step) { return step.has_ties; })) {
      continue;
    }
    SCOPED_TRACE(run["label"].get<std::string>());
    ++n_runs;
    RecordedPredictor predictor(steps);
    const auto algorithm = parse_algorithm(run["alg"].get<std::string>());
    ASSERT_TRUE(algorithm);
    const auto on_step = [&](const StepEvent& event) {
      const Canvas& expected = steps[static_cast<std::size_t>(event.step)].after;
      EXPECT_TRUE(
          std::equal(expected.begin(), expected.end(), event.canvas.begin(), event.canvas.end()))
          << "step " << event.step;
    };
    const auto result = denoise(
        predictor, {.canvas = steps.front().before,
                    .mask_token = kMask,
                    .sampling = {.steps = run["steps"], .algorithm = *algorithm, .eps = run["eps"]},
                    .early_exit = false,
                    .on_step = on_step});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->canvas, run["final"][0].get<Canvas>());
    EXPECT_EQ(result->forward_passes, run["steps"].get<int>());
  }
  EXPECT_GT(n_runs, 15);
}

TEST(GenerateReplayTest, OriginSelectsWhatTheRecordedNumbersDecide) {
  int n_runs = 0;
  for (const auto& run : load_reference("golden/dream_tiny/generate.json")) {
    if (run["alg"] != "origin") continue;
    ++n_runs;
    Canvas canvas = run["input_ids"][0];
    canvas.resize(run["max_length"], kMask);
    for (std::size_t i = 0; i < run["history"].size(); ++i) {
      const std::vector<double> uniforms = run["rand_uniform_per_step"][i];
      const auto masked = masked_positions(canvas);
      ASSERT_EQ(uniforms.size(), masked.size());
      const StepInfo info{.step = static_cast<int>(i), .steps = run["steps"], .eps = run["eps"]};
      const Canvas after = run["history"][i][0];
      for (std::size_t k = 0; k < masked.size(); ++k) {
        const bool was_committed = after[static_cast<std::size_t>(masked[k])] != kMask;
        EXPECT_EQ(origin_commits(uniforms[k], info), was_committed) << i << " " << masked[k];
      }
      canvas = after;
    }
  }
  EXPECT_EQ(n_runs, 2);
}

}  // namespace
}  // namespace lacuna::engine
