// Several fills of the same holes, made together, of which those that cannot be shown are marked.
#pragma once

#include <string>
#include <vector>

#include "daemon/checked_infill.h"
#include "engine/alternatives.h"
#include "grammar/grammar.h"

namespace lacuna::cli {

struct CheckedAlternative {
  engine::Alternative fill;
  daemon::SyntaxState syntax = daemon::SyntaxState::Unchecked;
  std::string problem;  // why it is not to be shown; empty: nothing
};

// Up to `number` of them, whose texts differ, in the order of engine::infill_alternatives(). Their
// steps are kept on the road to code that parses as those of one fill are, but what does not parse
// in the end is not repaired: it has a problem, and so has a fill with masks left. `grammar` may be
// null: then nothing is checked.
Result<std::vector<CheckedAlternative>> checked_alternatives(const engine::Model& model,
                                                             engine::InfillRequest request,
                                                             const grammar::Grammar* grammar,
                                                             int number);

}  // namespace lacuna::cli
