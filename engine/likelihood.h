// How probable a model finds the text that belongs in a hole.
#pragma once

#include <string_view>
#include <vector>

#include "engine/infill.h"

namespace lacuna::engine {

// The probability of each token of `answer` in the only hole of `request` while all of it is masked,
// in a canvas with as many masks, among tokens of text, with copies as the options say: one forward
// pass. Temperature and filters do not count. Fails as infill() does, and with InvalidInput for an
// answer without a token.
Result<std::vector<float>> answer_probabilities(const Model& model, const InfillRequest& request,
                                                std::string_view answer);

}  // namespace lacuna::engine
