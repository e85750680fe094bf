// Drafts: canvases of steps to come, guessed from the candidates of the last step and run as
// variants beside the canvas of the current one. A guess that comes true saves a forward pass; one
// that does not is forgotten. Either way the result is that of the plain schedule, token for token
// (FreeDave, Wu and Zhang, 2510.00294).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/cache_policy.h"
#include "engine/predictor.h"
#include "engine/sampler/commit_rule.h"

namespace lacuna::engine {

// A canvas that a step to come may begin with, and what the model makes of it.
struct Draft {
  int step = 0;
  std::vector<std::int32_t> canvas;
  std::vector<std::int32_t> masked;
  std::vector<std::int32_t> rows;
  std::vector<Candidate> candidates;  // one for each of `masked`
  int first_candidate = 0;            // where they stand in their pass

  // For a canvas of `canvas_size` tokens, `masks` of them masked.
  void reserve(int canvas_size, int masks);
  // Appends itself as a variant of the pass, over `rows` of the canvas.
  void ask(const PredictRequest& pass, std::span<const std::int32_t> rows,
           std::vector<PredictRequest>& batch, int& n_candidates);
  // `answers` are those of the whole pass.
  void take(std::span<const Candidate> answers);
  // Whether a pass over this canvas would have said the same.
  bool is(std::span<const std::int32_t> canvas, int step, std::span<const std::int32_t> rows,
          std::span<const std::int32_t> predicted) const;
};

// The rows that one draft computes at most.
int draft_rows(const CacheOptions& cache, int canvas_size, int masks);

class Drafts {
 public:
  // Up to `most` drafts for each pass of a canvas of `canvas_size` tokens, `masks` of them masked;
  // 0 switches everything off.
  Drafts(int most, CacheScope scope, int canvas_size, int masks);

  // Whether the last pass has foreseen this canvas at this step, computed over these rows; if so
  // its candidates, one for each of `predicted`.
  bool find(std::span<const std::int32_t> canvas, int step, std::span<const std::int32_t> rows,
            std::span<const std::int32_t> predicted, std::span<Candidate> candidates);
  // Where the candidates of the draft that find() found stand in its pass.
  int first_candidate() const { return found_->first_candidate; }

  // Appends the drafts that were planned to the pass.
  void ask(const PredictRequest& pass, std::vector<PredictRequest>& batch, int& n_candidates);
  // Keeps their answers.
  void take(std::span<const Candidate> answers);

  // After a step: guesses the canvases after the next ones. `next` is the step that follows, at
  // which `rule` will choose again; `candidates` are those of the step that is over.
  void plan(std::span<const std::int32_t> canvas, std::int32_t mask_token,
            std::span<const Candidate> candidates, CommitRule& rule, const Random& random,
            StepInfo next, int next_step);
  void forget();

 private:
  int most_;
  CacheScope scope_;
  // most_ of each, reused; the first ones count.
  std::vector<Draft> planned_;
  std::vector<Draft> answered_;
  int n_planned_ = 0;
  int n_answered_ = 0;
  const Draft* found_ = nullptr;
  std::vector<Candidate> left_;  // candidates that no draft has committed
  std::vector<int> chosen_;
};

}  // namespace lacuna::engine
