// top_p and top_k on one row of logits, without sorting it.
#pragma once

#include <span>

#include "engine/sampler/candidate.h"

namespace lacuna::engine {

// Both drop tokens by setting their logit to -inf and allocate only from `scratch`, of which they
// use everything but `logits`.

// Keeps the most probable tokens up to and with the first at which the sum of their probabilities,
// rounded to float32, exceeds top_p. Of equal logits at the border the lower ids stay.
void keep_top_p(std::span<float> logits, float top_p, DrawScratch& scratch);

// Keeps the k largest logits and all that equal the k-th.
void keep_top_k(std::span<float> logits, int k, DrawScratch& scratch);

}  // namespace lacuna::engine
