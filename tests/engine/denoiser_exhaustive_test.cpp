// denoise() against the published loop, written here from its description, on every canvas of up
// to six tokens: all sets of masks, all numbers of steps up to 8, algorithms and filters.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "engine/denoiser.h"
#include "tests/engine/fake_predictor.h"

namespace lacuna::engine {
namespace {

// The vocabulary: three tokens and the mask token, which can be drawn too.
constexpr std::int32_t kMask = 3;
constexpr int kVocabulary = 4;

TablePredictor make_predictor() {
  std::mt19937 engine(8);
  std::normal_distribution<float> normal(0, 2);
  std::vector<std::vector<float>> table(7, std::vector<float>(kVocabulary));
  for (auto& row : table) {
    for (float& x : row) x = normal(engine);
  }
  return {table, false};
}

std::vector<double> filtered_softmax(const std::vector<float>& logits,
                                     const SamplingOptions& options) {
  std::vector<double> p(logits.begin(), logits.end());
  const auto normalise = [&p] {
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& x : p) x /= sum;
  };
  for (double& x : p) x = std::exp(x);
  normalise();
  std::vector<double> sorted = p;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  double cutoff = 0;
  if (options.top_p) {
    double mass = 0;
    std::size_t n = 0;
    while (mass <= *options.top_p) mass += sorted[n++];
    cutoff = sorted[n - 1];
  }
  if (options.top_k)
    cutoff = std::max(cutoff, sorted[static_cast<std::size_t>(*options.top_k - 1)]);
  for (double& x : p) x = x < cutoff ? 0 : x;
  normalise();
  return p;
}

double confidence(std::vector<double> p, Algorithm algorithm) {
  double entropy = 0;
  for (const double x : p) entropy += x * std::log(x + 1e-10);
  std::sort(p.begin(), p.end(), std::greater<>());
  if (algorithm == Algorithm::Entropy) return entropy;
  return algorithm == Algorithm::TopkMargin ? p[0] - p[1] : p[0];
}

// The canvas after each step, at temperature 0. Equal confidences: the lower position first.
std::vector<Canvas> published_loop(const TablePredictor& predictor, Canvas x,
                                   const SamplingOptions& options) {
  std::vector<Canvas> history;
  std::vector<float> times;
  const float dt = (options.eps - 1) / static_cast<float>(options.steps);
  for (int i = 0; i <= options.steps; ++i) {
    const bool is_first_half = i < (options.steps + 1) / 2;
    times.push_back(is_first_half ? 1 + dt * static_cast<float>(i)
                                  : options.eps - dt * static_cast<float>(options.steps - i));
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(options.steps); ++i) {
    struct Row {
      std::size_t position;
      std::int32_t token;
      double confidence;
    };
    std::vector<Row> rows;
    for (std::size_t j = 0; j < x.size(); ++j) {
      if (x[j] != kMask) continue;
      const auto p = filtered_softmax(predictor.logits_at(x, static_cast<int>(j)), options);
      const auto best = std::max_element(p.begin(), p.end()) - p.begin();
      rows.push_back({j, static_cast<std::int32_t>(best), confidence(p, options.algorithm)});
    }
    const bool is_last = i + 1 == static_cast<std::size_t>(options.steps);
    const float share = is_last ? 1 : 1 - times[i + 1] / times[i];
    const auto n = static_cast<std::size_t>(static_cast<float>(rows.size()) * share);
    std::stable_sort(rows.begin(), rows.end(),
                     [](const Row& a, const Row& b) { return a.confidence > b.confidence; });
    for (std::size_t k = 0; k < n; ++k) x[rows[k].position] = rows[k].token;
    history.push_back(x);
  }
  return history;
}

std::vector<SamplingOptions> all_options() {
  std::vector<SamplingOptions> all;
  for (const auto algorithm : {Algorithm::MaskgitPlus, Algorithm::TopkMargin, Algorithm::Entropy}) {
    for (int steps = 1; steps <= 8; ++steps) {
      all.push_back({.steps = steps, .algorithm = algorithm});
      all.push_back({.steps = steps, .algorithm = algorithm, .top_p = 0.8F});
      all.push_back({.steps = steps, .algorithm = algorithm, .top_k = 2});
      all.push_back({.steps = steps, .algorithm = algorithm, .top_p = 0.95F, .top_k = 3});
    }
  }
  return all;
}

TEST(DenoiserExhaustiveTest, EveryStepIsThatOfThePublishedLoop) {
  TablePredictor predictor = make_predictor();
  predictor.records = false;
  int n_runs = 0;
  for (const SamplingOptions& options : all_options()) {
    for (std::size_t length = 1; length <= 6; ++length) {
      for (unsigned masks = 1; masks < 1U << length; ++masks) {
        Canvas canvas(length);
        for (std::size_t i = 0; i < length; ++i) {
          canvas[i] = (masks >> i & 1U) != 0 ? kMask : static_cast<std::int32_t>(i % 3);
        }
        const auto expected = published_loop(predictor, canvas, options);
        std::vector<Canvas> history;
        const auto result =
            denoise(predictor, {.canvas = canvas,
                                .mask_token = kMask,
                                .sampling = options,
                                .early_exit = false,
                                .on_step = [&](const StepEvent& event) {
                                  history.emplace_back(event.canvas.begin(), event.canvas.end());
                                }});
        ASSERT_TRUE(result);
        ASSERT_EQ(history, expected) << name_of(options.algorithm) << ", steps " << options.steps
                                     << ", length " << length << ", masks " << masks;
        ASSERT_EQ(result->forward_passes, options.steps);
        ++n_runs;
      }
    }
  }
  EXPECT_EQ(n_runs, 96 * 120);
}

}  // namespace
}  // namespace lacuna::engine
