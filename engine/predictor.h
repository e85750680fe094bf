// What the denoising loop needs of a model: candidates for masked positions.
#pragma once

#include <cstdint>
#include <span>

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
};

class Predictor {
 public:
  virtual ~Predictor() = default;

  // The row of the network whose output predicts a position: position - 1 for models with
  // shifted logits (row 0 predicts both 0 and 1), else the position itself.
  virtual int row_that_predicts(int position) const = 0;

  // One forward pass; candidates[i] belongs to masked[i].
  virtual void predict(const PredictRequest& request, std::span<Candidate> candidates) = 0;

  // Another candidate for masked[index] of the last predict(), without the banned tokens.
  virtual Candidate redraw(const PredictRequest& request, int index,
                           std::span<const std::int32_t> banned) = 0;
};

}  // namespace lacuna::engine
