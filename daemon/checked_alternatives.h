// Several fills of the same holes, made together, of which those that cannot be shown are marked.
#pragma once

#include <string>
#include <vector>

#include "daemon/checked_infill.h"
#include "engine/alternatives.h"

namespace lacuna::daemon {

struct CheckedAlternative {
  engine::SamplingOptions sampling;  // with which checked_infill() gives the same
  CheckedInfill checked;
  std::string problem;  // why it is not to be shown; empty: nothing
};

// Up to `number` of them, in the order of engine::infill_alternatives(), each checked and repaired
// as checked_infill() does it with one fill. One has a problem if a hole of it had to be withheld,
// or if masks are left in it. The texts of those without a problem differ. Errors are those of
// engine::infill().
Result<std::vector<CheckedAlternative>> checked_alternatives(const engine::Model& model,
                                                             engine::InfillRequest request,
                                                             const SyntaxOptions& syntax,
                                                             int number);

}  // namespace lacuna::daemon
