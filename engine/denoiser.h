// The denoising loop: forward, draw, choose, vet, commit, edit, report; until no mask is left.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
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
  // Positions that hold a mask again (p2, remdm). Their tokens were committed at earlier steps.
  std::span<const std::int32_t> revoked = {};
  // What then became of the canvas where holes change their length, in this order. Positions of
  // commits are those before it.
  std::span<const CanvasSplice> edits = {};
  // Of every position that was masked before the step, as the rule saw them: where a constraint
  // refused one, `commits` may hold another token.
  std::span<const Candidate> candidates;
  int masks_left;
  int rows_computed;  // canvas size at a full pass; 0 when an earlier pass had foreseen the step
  double seconds;
};

// Holes that find their own length (DreamOn, Wu et al., 2602.01326): a position that draws the
// expand token becomes two masks; one that draws the delete token vanishes.
struct ElasticHoles {
  std::int32_t expand_token;
  std::int32_t delete_token;
  int max_canvas;      // tokens; at this size the expand token cannot be drawn
  int max_expansions;  // of all steps
  // One byte for each hole, from left to right, 0 where it must not grow; empty: all may.
  std::span<const std::uint8_t> grows = {};
  // A delete also deletes what was still masked to its right in the hole: DreamOn's
  // pad_delete_to_right. Its delete token ends the text.
  bool delete_to_right = true;
};

struct DenoiseRequest {
  std::vector<std::int32_t> canvas;  // masked positions hold mask_token
  std::int32_t mask_token;
  // For each position its hole, from 0 on and from left to right, or -1; masks lie in holes. Empty:
  // every run of masks is one.
  std::span<const std::int32_t> hole_of = {};
  SamplingOptions sampling = {};
  std::span<const std::uint8_t> allowed = {};  // as in DrawOptions
  // Tokens with confidence 0, as in DrawOptions.
  std::span<const std::int32_t> distrusted = {};
  // None: every pass is full.
  CacheOptions cache = {.scope = CacheScope::None};
  // Needs a predictor with room for max_canvas tokens; not with block_length, verify or a guidance.
  std::optional<ElasticHoles> elastic = {};
  // One byte for each vocabulary row, 1 for tokens that end a hole: as soon as nothing before such
  // a token is masked, it and what follows it in its hole are cut off. Empty: none. The same
  // restrictions as for elastic holes.
  std::span<const std::uint8_t> ends_hole = {};
  // What to copy from; null: nothing is copied.
  const CopySource* copies = nullptr;
  Constraint* constraint = nullptr;
  // Candidates that may be drawn again at one step after the constraint refused some. What is
  // refused after that stays masked until the next step.
  int max_redraws = 16;
  // False runs all `steps` forward passes like the published loop, although nothing can change
  // any more once no mask is left.
  bool early_exit = true;
  std::function<void(const StepEvent&)> on_step = {};
  // Increasing: the rows that the first step computes, with those between two full passes; of the
  // others the request's slot has keys and values already. None: all. Not with refresh_drift or a
  // guidance, whose first pass must be full.
  std::optional<std::vector<std::int32_t>> first_rows = {};
  // After the pass of the first step, before anything is committed.
  std::function<void()> on_first_pass = {};
  std::stop_token stop = {};  // looked at in every step, between the layers of its passes
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
// At most `steps` steps; where a rule runs past them (CommitRule::runs_past_last_step) one more for
// each mask, counting those that expansions add. The loop allocates nothing after the first step
// of a block unless a constraint refuses something or a hole grows.
//
// InvalidInput for options that check() refuses, Cancelled when stopped.
Result<DenoiseResult> denoise(Predictor& predictor, const DenoiseRequest& request);

// Several canvases, each with its own options, one forward pass for all of them at each step: what
// each gives alone, in float32 bit for bit. Request i uses slot i, and with guidance slot n + i;
// one that is done leaves the batch, the others go on. A stop cancels its own request only.
std::vector<Result<DenoiseResult>> denoise_batch(Predictor& predictor,
                                                 std::span<const DenoiseRequest> requests);

// What the predictor of a request needs room for.
ForwardLimits limits_of(const DenoiseRequest& request);
// The same for denoise_batch().
ForwardLimits limits_of(std::span<const DenoiseRequest> requests);

}  // namespace lacuna::engine
