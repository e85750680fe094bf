// One masked position at one step: which token it would take, and how sure that is.
//
// The distribution is the published one: logits / temperature, then top_p, then top_k, then
// softmax. Dropped tokens get the lowest finite logit, as in the reference, not -inf. Confidence
// is computed after all of this, so temperature and the filters change the order of decoding.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/rng.h"
#include "engine/sampler/options.h"

namespace lacuna::engine {

struct Candidate {
  int position = 0;
  std::int32_t token = 0;
  float probability = 0;  // of `token`
  float confidence = 0;   // larger is surer; its scale depends on the kind
};

enum class Confidence : std::uint8_t {
  Probability,      // probability of the drawn token
  Margin,           // largest probability minus the second largest
  NegativeEntropy,  // sum of p log(p + 1e-10)
};

Confidence confidence_of(Algorithm algorithm);

struct DrawOptions {
  float temperature = 0;
  std::optional<float> top_p;
  std::optional<int> top_k;
  Confidence confidence = Confidence::Probability;
  // One byte for each vocabulary row, 0 forbids the token; empty allows all.
  std::span<const std::uint8_t> allowed;
};

// Memory of one thread for draw(); grows to the vocabulary's size once.
struct DrawScratch {
  std::vector<float> probabilities;
  std::vector<std::int32_t> order;
};

// Draws a candidate from one row of logits (V floats, unchanged). `uniform` in [0, 1) decides at
// temperature > 0; at temperature 0 the first of the most probable tokens is taken. `banned`
// tokens cannot be drawn. If everything is forbidden the token is -1 and the confidence -inf.
Candidate draw(std::span<const float> logits, int position, const DrawOptions& options,
               std::span<const std::int32_t> banned, double uniform, DrawScratch& scratch);

}  // namespace lacuna::engine
