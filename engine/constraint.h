// What may veto a commit. The engine knows nothing of grammars: whoever does implements this.
#pragma once

#include <cstdint>
#include <span>

#include "engine/sampler/candidate.h"

namespace lacuna::engine {

class Constraint {
 public:
  virtual ~Constraint() = default;

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
