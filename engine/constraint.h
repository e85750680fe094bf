// What may veto a commit. The engine knows nothing of grammars: whoever does implements this.
#pragma once

#include <cstdint>
#include <span>

#include "engine/sampler/candidate.h"

namespace lacuna::engine {

class Constraint {
 public:
  virtual ~Constraint() = default;

  // Vets what the sampler chose at one step, surest first. `canvas` is the state before the step
  // (masked positions hold the mask token). Sets accepted[i] to 1 for each proposal that may be
  // written together with the accepted ones before it, else to 0 (their value on entry).
  //
  // A refused token is banned at its position until something else is committed there, and the
  // position draws again within the same step, up to DenoiseRequest::max_redraws times.
  virtual void vet(std::span<const std::int32_t> canvas, std::span<const Candidate> proposals,
                   std::span<std::uint8_t> accepted) = 0;
};

}  // namespace lacuna::engine
