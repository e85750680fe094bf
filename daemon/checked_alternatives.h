// Several fills of the same holes, made together, of which those that cannot be shown are marked.
#pragma once

#include <string>
#include <vector>

#include "daemon/checked_infill.h"
#include "engine/alternatives.h"

namespace lacuna::daemon {

struct CheckedAlternative {
  engine::Alternative fill;
  SyntaxState syntax = SyntaxState::Unchecked;
  std::string problem;  // why it is not to be shown; empty: nothing
};

// Up to `number` of them, whose texts differ, in the order of engine::infill_alternatives(). Their
// steps are kept on the road to code that parses as those of one fill are, but what does not parse
// in the end is not repaired: it has a problem, and so has a fill with masks left. Errors are those
// of engine::infill().
Result<std::vector<CheckedAlternative>> checked_alternatives(const engine::Model& model,
                                                             engine::InfillRequest request,
                                                             const SyntaxOptions& syntax,
                                                             int number);

}  // namespace lacuna::daemon
