// The final gate of a fill, its repairs, and what of it has to be withheld.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "daemon/checked_infill.h"
#include "grammar/gate.h"

namespace lacuna::daemon {

std::vector<grammar::Span> spans_of(std::span<const engine::Hole> holes);

// The gate of the request's text and holes; null where nothing can be judged. Writes what is known
// before a fill into `checked`: the places of the holes, errors that the text has already, and why its
// steps will not be checked, or its holes not at all. Gives the request its length priors. Cancelled
// when the request is stopped.
Result<std::unique_ptr<grammar::Gate>> begin_checks(const engine::Model& model,
                                                    engine::InfillRequest& request,
                                                    const SyntaxOptions& syntax,
                                                    CheckedInfill& checked);

// Takes what the engine has filled the request's holes with, from `checked.result` to what may be
// shown: tidied, without what it repeats of the text behind it, what does not parse written again
// in at most `syntax.repairs` rounds, and what then does not parse withheld. `checked.holes` has one
// entry for each hole, and says how it ended; `checked.gate_seconds` grows. `gate` is that of
// begin_checks(). Errors are those of engine::infill().
Result<void> check_fills(const engine::Model& model, const engine::InfillRequest& request,
                         const SyntaxOptions& syntax, grammar::Gate& gate, CheckedInfill& checked);

}  // namespace lacuna::daemon
