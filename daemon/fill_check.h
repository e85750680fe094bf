// The final gate of a fill, its repairs, and what of it has to be withheld.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "daemon/checked_infill.h"
#include "grammar/gate.h"

namespace lacuna::daemon {

std::vector<grammar::Span> spans_of(std::span<const engine::Hole> holes);

// Why the steps of a fill are not checked; empty when they are, or would be if the options said so.
// `gate` is null without a grammar.
std::string why_unconstrained(const SyntaxOptions& syntax, const grammar::Gate* gate);

// Takes what the engine has filled the request's holes with, from `checked.result` to what may be
// shown: tidied, without what it repeats of the text behind it, what does not parse written again
// in at most `syntax.repairs` rounds, and what then does not parse withheld. `checked.holes` has one
// entry for each hole, and says how it ended; `checked.gate_seconds` grows. `gate` is that of the request's text and holes, and
// works. Errors are those of engine::infill().
Result<void> check_fills(const engine::Model& model, const engine::InfillRequest& request,
                         const SyntaxOptions& syntax, grammar::Gate& gate, CheckedInfill& checked);

}  // namespace lacuna::daemon
