// How long holes are expected to be by what would stand in them: what grammar/ knows, in the tokens
// of a model.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/hole.h"
#include "engine/length_prior.h"
#include "engine/model.h"
#include "grammar/gate.h"
#include "grammar/holes.h"

namespace lacuna::daemon {

// One for each hole, for engine::InfillRequest; none where nothing is known. `holes` are sorted.
std::vector<std::optional<engine::LengthPrior>> length_priors(const engine::Model& model,
                                                              const grammar::Grammar& grammar,
                                                              std::string_view text,
                                                              std::span<const engine::Hole> holes);

// The same for holes that are described already, and of which a gate was made.
std::vector<std::optional<engine::LengthPrior>> length_priors(
    const engine::Model& model, const grammar::Grammar& grammar, std::string_view text,
    std::span<const grammar::PickedHole> places, grammar::Gate& gate);

}  // namespace lacuna::daemon
