// The options of Dream's sampler (`diffusion_generate` of DreamLM/Dream and apple/ml-diffucoder),
// under their published names.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "support/result.h"

namespace lacuna::engine {

enum class Algorithm : std::uint8_t {
  Origin,               // each masked position is committed with probability 1 - s/t
  MaskgitPlus,          // highest probability of the drawn token first
  TopkMargin,           // largest gap between the two best tokens first
  Entropy,              // lowest entropy first
  ConfidenceThreshold,  // Fast-dLLM's Dream variant: the quota's best, but only above `threshold`
};

// "origin", "maskgit_plus", "topk_margin", "entropy", "confidence_threshold".
std::string_view name_of(Algorithm algorithm);
Result<Algorithm> parse_algorithm(std::string_view name);

struct SamplingOptions {
  int steps = 64;  // in [1, 1000000]
  Algorithm algorithm = Algorithm::Entropy;
  float temperature = 0;            // 0: the most probable token; else in [1e-6, 100]
  std::optional<float> top_p = {};  // in (0, 1]; 1 is off
  std::optional<int> top_k = {};    // at least 1
  // Above 0 (same bounds as temperature): positions are drawn instead of taken best first. Only
  // where a fixed number is committed at a step: maskgit_plus, topk_margin, entropy.
  float alg_temp = 0;
  float eps = 1e-3F;  // in [0, 1]: the last time of the schedule
  // In [0, 1]. Commits every position whose token is at least this probable, and at least the
  // surest one (Fast-dLLM); `steps` is then an upper bound. Always a probability, also where the
  // algorithm orders positions by another score. ConfidenceThreshold needs it and reads it in its
  // own way; origin, which chooses positions at random, refuses it.
  std::optional<float> threshold = {};
  std::uint64_t seed = 0;
};

// InvalidInput names the option and its bounds. NaN and infinities are refused.
Result<void> check(const SamplingOptions& options);

}  // namespace lacuna::engine
