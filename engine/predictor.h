// What the denoising loop needs of a model: candidates for positions of a canvas.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "engine/copy_source.h"
#include "engine/forward_pass.h"
#include "engine/rng.h"
#include "engine/sampler/candidate.h"

namespace lacuna::engine {

// Classifier-free guidance (LLaDA's generate): logits = u + (scale + 1) (c - u), where c are those
// of the canvas and u those of another canvas of the same size, in which the prompt is masked.
struct Guidance {
  float scale = 0;                            // 0: none
  std::span<const std::int32_t> canvas = {};  // the unconditional one
  int slot = 1;                               // where its keys and values are
};

// One canvas of a forward pass; slot, variant and splice are those of ForwardInput.
struct PredictRequest {
  std::span<const std::int32_t> canvas;
  // Rows to recompute, increasing. Keys and values of all other rows stay as they are: the first
  // request of a canvas must name all rows.
  std::span<const std::int32_t> rows;
  // Positions to predict, increasing. The row that predicts each of them must be among `rows`.
  std::span<const std::int32_t> masked;
  DrawOptions draw;
  const Random* random;
  int step;  // part of the random counter
  // For each position of the canvas the tokens that it cannot draw. Empty: none anywhere.
  std::span<const std::vector<std::int32_t>> banned = {};
  // One token for each of `masked`: its candidate has this token instead of a drawn one.
  std::span<const std::int32_t> given = {};
  // Tells several draws from the same logits apart.
  int attempt = 0;
  int slot = 0;
  bool variant = false;
  std::optional<CanvasSplice> splice = {};
  Guidance guidance = {};
  // What `canvas` and the file around it have to copy is mixed in; null: nothing is.
  const CopySource* copies = nullptr;
  // Is told of the pass, unless this is a variant.
  AttentionWatch* watch = nullptr;
  // A pass that nobody wants any more may end early: see predict_batch(). Null: it is wanted.
  const std::stop_token* stop = nullptr;

  std::span<const std::int32_t> banned_at(int position) const {
    if (banned.empty()) return {};
    return banned[static_cast<std::size_t>(position)];
  }
  // What decides at temperature > 0. Each ban gives a position another number.
  double uniform_at(int position) const {
    return random->uniform(Random::Purpose::Token, step, position,
                           static_cast<int>(banned_at(position).size()) + (attempt << 20));
  }
};

// The candidate of masked[index] from the logits that predict it.
Candidate candidate_for(const PredictRequest& request, int index, std::span<const float> logits,
                        DrawScratch& scratch);

class Predictor {
 public:
  virtual ~Predictor() = default;

  // The row of the network whose output predicts a position: position - 1 for models with
  // shifted logits (row 0 predicts both 0 and 1), else the position itself.
  virtual int row_that_predicts(int position) const = 0;

  // One forward pass over all requests; the candidates of each stand after those of the requests
  // before it, in the order of `masked`, which may be empty: the published loop runs all of its
  // passes. When `stop` was requested of every request, the pass may be left in the middle: then the
  // candidates mean nothing, nor do the keys and values.
  virtual void predict_batch(std::span<const PredictRequest> requests,
                             std::span<Candidate> candidates) = 0;
  void predict(const PredictRequest& request, std::span<Candidate> candidates) {
    predict_batch({&request, 1}, candidates);
  }

  // Another candidate for masked[index] from the logits of the last pass. `request` is the same,
  // except that since then tokens may have been committed to the canvas and more tokens banned;
  // `first` is the number of candidates of the requests before it.
  virtual Candidate redraw(const PredictRequest& request, int index, int first) = 0;

  // The canvas of `size` tokens in a slot has been spliced. Nothing to do without a cache.
  virtual void splice(int /*slot*/, int /*size*/, const CanvasSplice& /*splice*/) {}
};

}  // namespace lacuna::engine
