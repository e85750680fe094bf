// Several different fills of the same holes, made in the same forward passes, that all fit the text
// around them.
#pragma once

#include <vector>

#include "daemon/checked_infill.h"

namespace lacuna::daemon {

// At most `number` fills, each of the constraint that checked_infill() denoises under and of its
// gate, but without repairs: what does not parse is left out, so there may be none. The first one, if
// it is there, is that of the request's own sampling, whose steps are reported; the others are drawn
// at a higher temperature, the surest first. Errors are those of engine::infill().
Result<std::vector<CheckedInfill>> checked_alternatives(const engine::Model& model,
                                                        const engine::InfillRequest& request,
                                                        const SyntaxOptions& syntax, int number);

}  // namespace lacuna::daemon
