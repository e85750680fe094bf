// Fills of the same holes, made in step: what infill() and infill_alternatives() are made of.
#pragma once

#include <span>
#include <vector>

#include "engine/infill.h"

namespace lacuna::engine {

// One result for each request, which is what infill() gives for it. At least one request; they may
// differ in their sampling, their constraints and whom they tell, but in nothing else. A canvas at a
// time; canvases of a few thousand tokens together share their forward passes.
Result<std::vector<InfillResult>> infill_batch(const Model& model,
                                               std::span<const InfillRequest> requests);

}  // namespace lacuna::engine
