// One masked position at one step: which token it would take, and how sure that is.
//
// The distribution is the published one: logits / temperature, then top_p, then top_k, then
// softmax. Confidence is computed after all of this, so temperature and the filters change the
// order of decoding. The reference gives dropped tokens the lowest finite logit; their probability
// is exactly 0 there and here.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/rng.h"
#include "engine/sampler/copy_mix.h"
#include "engine/sampler/options.h"

namespace lacuna::engine {

struct Candidate {
  int position = 0;
  std::int32_t token = 0;
  float probability = 0;  // of `token`
  float confidence = 0;   // larger is surer; its scale depends on the kind
  // Of `token` without temperature, top_p and top_k: what draws at different temperatures have in
  // common.
  float plain_probability = 0;
};

enum class Confidence : std::uint8_t {
  Probability,      // probability of the drawn token
  Margin,           // largest probability minus the second largest
  NegativeEntropy,  // sum of p log(p + 1e-10)
};

Confidence confidence_of(Algorithm algorithm);

struct DrawOptions {
  float temperature = 0;
  std::optional<float> top_p = {};
  std::optional<int> top_k = {};
  Confidence confidence = Confidence::Probability;
  // One byte for each vocabulary row, 0 forbids the token; empty allows all.
  std::span<const std::uint8_t> allowed = {};
  std::int32_t forbidden = -1;  // one more token, or -1
  // LLaDA: the token is drawn by Gumbel noise (draw_gumbel), and the temperature does not reach
  // the confidence.
  bool gumbel = false;
  // These tokens may be drawn, but with confidence 0, and the others' is as if they did not exist
  // (LLaDA's confidence_eos_eot_inf at temperature 0). Only for Confidence::Probability.
  std::span<const std::int32_t> distrusted = {};
  // Copies to mix into the row, after what is forbidden and before the temperature; null: none.
  const CopyEvidence* copies = nullptr;
  const CopyMixing* copy_mixing = nullptr;  // with `copies`
};

// Memory of one thread for draw(); grows to the vocabulary's size once. Contents mean nothing
// between calls.
struct DrawScratch {
  struct Entry {
    float logit;
    float probability;
    std::int32_t token;
  };

  std::vector<float> logits;     // [V] tempered, forbidden and dropped ones -inf
  std::vector<float> weights;    // [V] exp(logit - largest logit)
  std::vector<double> sums;      // of weights, one for each block of the row
  std::vector<float> maxima;     // of logits, one for each column of the row
  std::vector<Entry> entries;    // what a filter still has to look at
  std::vector<double> uniforms;  // [V] for draw_gumbel()
  CopyEvidence copies;           // for candidate_for()
};

// Draws a candidate from one row of logits (V floats, unchanged). `uniform` in [0, 1) decides at
// temperature > 0; at temperature 0 the first of the most probable tokens is taken. `banned`
// tokens cannot be drawn: they are forbidden as by `allowed`, before every filter. If everything
// is forbidden, or a logit is NaN or +inf, the token is -1 and the confidence -inf.
//
// top_k keeps all that tie with the k-th. Where tokens of equal logits stand at the border of
// top_p, the lower ids are kept; the reference keeps as many, but which ones depends on its sort.
//
// The result does not depend on the machine: see row_math.h.
Candidate draw(std::span<const float> logits, int position, const DrawOptions& options,
               std::span<const std::int32_t> banned, double uniform, DrawScratch& scratch);

// LLaDA's draw (ML-GSAI/LLaDA, generate.py): the token with the largest
// exp(logit) / (-ln u)^temperature, in double, for one number of [0, 1) in `uniforms` for each
// token; confidence and probability are those of the softmax of the logits without noise and
// without temperature. top_p and top_k are not used.
Candidate draw_gumbel(std::span<const float> logits, int position, const DrawOptions& options,
                      std::span<const std::int32_t> banned, std::span<const double> uniforms,
                      DrawScratch& scratch);

// The candidate of a given token instead of a drawn one: its probability, and the confidence that
// it would have if it had been drawn.
Candidate score(std::span<const float> logits, int position, std::int32_t token,
                const DrawOptions& options, DrawScratch& scratch);

}  // namespace lacuna::engine
