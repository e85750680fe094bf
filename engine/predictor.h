// What the denoising loop needs of a model: candidates for masked positions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/rng.h"
#include "engine/sampler/candidate.h"
#include "support/result.h"

namespace lacuna::engine {

struct PredictRequest {
  std::span<const std::int32_t> canvas;
  // Rows to recompute, increasing. Keys and values of all other rows stay as they are: the first
  // request of a canvas must name all rows.
  std::span<const std::int32_t> rows;
  // Positions to predict, increasing. The row that predicts each of them must be among `rows`.
  std::span<const std::int32_t> masked;
  DrawOptions draw;
  const Random* random;
  int step;  // counts forward passes: part of the random counter
  // For each position of the canvas the tokens that it cannot draw. Empty: none anywhere.
  std::span<const std::vector<std::int32_t>> banned = {};

  // The last two arguments of every draw() for a position. Each ban gives it another number.
  std::span<const std::int32_t> banned_at(int position) const {
    if (banned.empty()) return {};
    return banned[static_cast<std::size_t>(position)];
  }
  double uniform_at(int position) const {
    return random->uniform(Random::Purpose::Token, step, position,
                           static_cast<int>(banned_at(position).size()));
  }
};

class Predictor {
 public:
  virtual ~Predictor() = default;

  // The row of the network whose output predicts a position: position - 1 for models with
  // shifted logits (row 0 predicts both 0 and 1), else the position itself.
  virtual int row_that_predicts(int position) const = 0;

  // One forward pass; candidates[i] belongs to masked[i]. `masked` may be empty: the published
  // loop runs all of its passes.
  virtual void predict(const PredictRequest& request, std::span<Candidate> candidates) = 0;

  // Another candidate for masked[index] from the logits of the last predict(). `request` is the
  // same, except that since then tokens may have been committed to the canvas and more tokens
  // banned.
  virtual Candidate redraw(const PredictRequest& request, int index) = 0;
};

}  // namespace lacuna::engine
