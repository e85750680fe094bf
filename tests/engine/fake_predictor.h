// Predictors without a network, for tests of the denoising loop.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "engine/predictor.h"

namespace lacuna::engine {

using Canvas = std::vector<std::int32_t>;

// What a predictor was asked for at one pass.
struct Asked {
  Canvas canvas;
  std::vector<std::int32_t> rows;
  std::vector<std::int32_t> masked;

  bool operator==(const Asked&) const = default;
};

// Draws from rows of logits that depend on nothing but the canvas and the position. A few rows are
// shared by all places, so that equal confidences are frequent.
class TablePredictor : public Predictor {
 public:
  TablePredictor(std::vector<std::vector<float>> table, bool shifts)
      : table_(std::move(table)), shifts_(shifts) {}

  const std::vector<float>& logits_at(std::span<const std::int32_t> canvas, int position) const {
    std::uint64_t hash = 1469598103934665603U + static_cast<std::uint64_t>(position);
    for (const std::int32_t token : canvas) {
      hash = (hash ^ static_cast<std::uint64_t>(token + 1)) * 1099511628211U;
    }
    return table_[(hash >> 32) % table_.size()];
  }

  int row_that_predicts(int position) const override {
    return shifts_ ? std::max(0, position - 1) : position;
  }

  void predict_batch(std::span<const PredictRequest> requests,
                     std::span<Candidate> candidates) override {
    ++n_passes;
    std::size_t next = 0;
    for (const PredictRequest& request : requests) {
      if (records) {
        asked.push_back({{request.canvas.begin(), request.canvas.end()},
                         {request.rows.begin(), request.rows.end()},
                         {request.masked.begin(), request.masked.end()}});
      }
      for (int i = 0; i < static_cast<int>(request.masked.size()); ++i) {
        candidates[next++] = draw_at(request, i);
      }
    }
  }

  Candidate redraw(const PredictRequest& request, int index, int) override {
    return draw_at(request, index);
  }

  bool records = true;
  std::vector<Asked> asked;
  int n_passes = 0;

 private:
  Candidate draw_at(const PredictRequest& request, int index) {
    const int position = request.masked[static_cast<std::size_t>(index)];
    return candidate_for(request, index, logits_at(request.canvas, position), scratch_);
  }

  std::vector<std::vector<float>> table_;
  bool shifts_;
  DrawScratch scratch_;
};

// Proposes the tokens of a list for each position, the first that is not banned; the probability,
// which is also the confidence, stands beside each. Without one that is left: no token.
class ScriptedPredictor : public Predictor {
 public:
  struct Choice {
    std::int32_t token;
    float probability;
  };

  explicit ScriptedPredictor(std::map<int, std::vector<Choice>> choices)
      : choices_(std::move(choices)) {}

  int row_that_predicts(int position) const override { return position; }

  void predict_batch(std::span<const PredictRequest> requests,
                     std::span<Candidate> candidates) override {
    ++n_passes;
    std::size_t next = 0;
    for (const PredictRequest& request : requests) {
      for (const std::int32_t position : request.masked) {
        candidates[next++] = first_choice(request, position);
      }
    }
  }

  Candidate redraw(const PredictRequest& request, int index, int) override {
    ++n_redraws;
    return first_choice(request, request.masked[static_cast<std::size_t>(index)]);
  }

  int n_passes = 0;
  int n_redraws = 0;

 private:
  Candidate first_choice(const PredictRequest& request, int position) const {
    const auto banned = request.banned_at(position);
    for (const Choice& choice : choices_.at(position)) {
      if (std::find(banned.begin(), banned.end(), choice.token) == banned.end()) {
        return {position, choice.token, choice.probability, choice.probability};
      }
    }
    return {position, -1, 0, -std::numeric_limits<float>::infinity()};
  }

  std::map<int, std::vector<Choice>> choices_;
};

}  // namespace lacuna::engine
