// The denoising loop: forward, draw, choose, vet, commit, report; until no mask is left.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "engine/cache_policy.h"
#include "engine/constraint.h"
#include "engine/predictor.h"
#include "engine/sampler/options.h"
#include "support/result.h"

namespace lacuna::engine {

// What one step did. Spans are valid during the call only.
struct StepEvent {
  int step;                              // from 0
  int steps;                             // as asked for
  std::span<const std::int32_t> canvas;  // after the step
  std::span<const Candidate> commits;    // in the order in which they were accepted
  // Of every position that was masked before the step, as the rule saw them: where a constraint
  // refused one, `commits` may hold another token.
  std::span<const Candidate> candidates;
  int masks_left;
  int rows_computed;  // canvas size at a full pass
  double seconds;
};

struct DenoiseRequest {
  std::vector<std::int32_t> canvas;  // masked positions hold mask_token
  std::int32_t mask_token;
  SamplingOptions sampling = {};
  std::span<const std::uint8_t> allowed = {};  // as in DrawOptions
  // Null means exact_cache().
  CachePolicy* cache = nullptr;
  Constraint* constraint = nullptr;
  // Candidates that may be drawn again at one step after the constraint refused some. What is
  // refused after that stays masked until the next step.
  int max_redraws = 16;
  // False runs all `steps` forward passes like the published loop, although nothing can change
  // any more once no mask is left.
  bool early_exit = true;
  std::function<void(const StepEvent&)> on_step = {};
  std::stop_token stop = {};  // looked at before every step
};

struct DenoiseResult {
  std::vector<std::int32_t> canvas;
  int steps_run = 0;
  int forward_passes = 0;
  // Above 0 only if a constraint refused too much at the last step, if the mask token itself was
  // drawn, or if a position had no candidate at all (see draw()).
  int masks_left = 0;
};

// Masks are the positions whose token is mask_token, wherever they are in the canvas; no other
// position is changed. A position that draws the mask token stays masked although its commit
// counts as made; where that is not wanted, `allowed` forbids the mask token.
//
// At most `steps` steps, or one more for each mask with Algorithm::ConfidenceThreshold. The loop
// allocates nothing after the first step unless a constraint refuses something.
//
// InvalidInput for options that check() refuses, Cancelled when stopped.
Result<DenoiseResult> denoise(Predictor& predictor, const DenoiseRequest& request);

}  // namespace lacuna::engine
