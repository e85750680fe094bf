// What of a function to write again when not all of it: the parts that a model is least sure of.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "grammar/holes.h"

namespace lacuna::grammar {

// The least certain parts of a body, sorted, as holes to denoise together. `certainty` has for each
// byte of the text its share of the probability that a model gives to the token over it: the product
// over the bytes of a token is that of the token.
//
// Parts are statements; of one that has blocks, the nodes around them. Those with the lowest mean
// logarithm of probability come first. What does not fit is looked into for nodes that do and are less
// certain than the whole of it.
// Together they have at most `strength` (0 to 1) of the body's tokens, as the language counts them
// and without comments, but there always is one part. Neighbours become one hole. With strength 1,
// or where there is nothing to choose from, the hole is the body.
std::vector<PickedHole> least_certain(std::string_view text, const SyntaxTree& tree,
                                      const PickedHole& body, std::span<const float> certainty,
                                      double strength);

}  // namespace lacuna::grammar
