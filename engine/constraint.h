// What may veto a commit. The engine knows nothing of grammars: whoever does implements this.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "engine/sampler/candidate.h"

namespace lacuna::engine {

// What a step starts from. Valid during the call only.
struct ConstraintStep {
  std::span<const std::int32_t> canvas;  // masked positions hold mask_token
  // For each position its hole, from left to right from 0 on, or -1 outside of holes.
  std::span<const std::int32_t> hole_of;
  std::int32_t mask_token;
  // What each masked position would take now, by position; those of other blocks are missing.
  std::span<const Candidate> candidates;
};

class Constraint {
 public:
  virtual ~Constraint() = default;

  // infill() begins with a canvas: its first hole is hole `first_hole` of the request, and the holes
  // before that are filled with `filled`.
  virtual void begin_canvas(int /*first_hole*/, std::span<const std::string> /*filled*/) {}

  // The token to take at a position where too many have been refused at a step, or -1: it stays
  // masked then. Proposed like any other, with probability 0.
  virtual std::int32_t fallback(int /*position*/) const { return -1; }

  // Before the first vet() of a step.
  virtual void begin_step(const ConstraintStep& /*step*/) {}

  // Vets what the sampler chose, surest first. `canvas` holds everything that is committed so far,
  // masked positions hold the mask token. Sets accepted[i] to 1 for each proposal that may be
  // written together with the accepted ones before it, else to 0 (their value on entry).
  //
  // A refused token is banned at its position for the rest of the run: later candidates for the
  // position are drawn without it. Within the step the position draws again, and the new proposals
  // come in another call, after the accepted ones are written; DenoiseRequest::max_redraws bounds
  // how many. Every proposal has a token that is not the mask token.
  virtual void vet(std::span<const std::int32_t> canvas, std::span<const Candidate> proposals,
                   std::span<std::uint8_t> accepted) = 0;
};

}  // namespace lacuna::engine
