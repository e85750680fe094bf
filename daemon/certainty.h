// How sure a model is of text that stands already.
#pragma once

#include <vector>

#include "engine/infill.h"
#include "engine/model.h"
#include "grammar/outline.h"

namespace lacuna::daemon {

// How probable the tokens of `part` are while each is masked, with one in kMaskedTogether of those
// around it. For each byte of the request's text the share of it in its token: the product over the
// bytes of a token is the token's probability. 1 outside `part`.
// That takes kMaskedTogether forward passes, more for a part that fills more than half a canvas.
// The request's holes, constraint and sampling do not count. InvalidInput when a line is too long
// for the canvas, Cancelled when stopped.
Result<std::vector<float>> certainty_of(const engine::Model& model,
                                        const engine::InfillRequest& request, grammar::Span part);

// Masked one by one, tokens would be known by their neighbours; all at once, by none.
inline constexpr int kMaskedTogether = 4;

}  // namespace lacuna::daemon
