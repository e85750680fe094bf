// Several different fills of the same holes.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/infill.h"

namespace lacuna::engine {

struct AlternativeOptions {
  int number = 1;  // that are wanted
  // Of all tries but the first, where the request's own is not higher: their texts differ, and are
  // still likely ones.
  float temperature = 0.7F;
  // A constraint remembers the fill that it vets, so each try has its own, and the request's is not
  // asked. Null: nothing is vetted.
  std::function<std::unique_ptr<Constraint>()> make_constraint = {};
};

// The sampling of a try, from 0 on: the first is the request's own, the others have the seeds that
// follow it.
SamplingOptions sampling_of_try(const SamplingOptions& sampling,
                                const AlternativeOptions& alternatives, int index);

struct Alternative {
  SamplingOptions sampling;  // with which infill() gives the same
  InfillResult result;       // its seconds are those of all fills in the same passes
};

// Different fills of the same holes, made in the same forward passes: each is what infill() gives
// with the sampling of its try, in float32 bit for bit, whatever else is tried. In the order of the
// tries, without those that repeat the texts of an earlier one; where some do, as many again are
// tried, at most twice `number` in all. So there may be fewer than were wanted, but never none. The
// first try reports its steps, the others do not. Errors are those of infill().
Result<std::vector<Alternative>> infill_alternatives(const Model& model,
                                                     const InfillRequest& request,
                                                     const AlternativeOptions& options);

}  // namespace lacuna::engine
