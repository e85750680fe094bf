// The options of the samplers, under their published names: Dream's `diffusion_generate` (DreamLM/
// Dream, apple/ml-diffucoder), LLaDA's `generate` (ML-GSAI/LLaDA), Fast-dLLM (NVlabs/Fast-dLLM),
// Open-dLLM's p2, ReMDM (kuleshov-group/remdm), and those that build on them.
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
  LowConfidence,        // LLaDA: a quota for each step, highest probability first
  Random,               // LLaDA: the same quota, positions by lot
  P2,                   // Open-dLLM: every step may take back the least probable tokens
  Remdm,                // ReMDM: every committed token may be taken back with some probability
};

// "origin", "maskgit_plus", "topk_margin", "entropy", "confidence_threshold", "low_confidence",
// "random", "p2", "remdm".
std::string_view name_of(Algorithm algorithm);
Result<Algorithm> parse_algorithm(std::string_view name);

// How probable it is that ReMDM takes back a committed token at a step from time t to s, with
// alpha = 1 - time, and sigma_max = min(1, (1 - alpha_s) / alpha_t) (Wang et al., "Remasking
// discrete diffusion models with inference-time scaling", 2503.00307, section 4).
enum class RemaskSchedule : std::uint8_t {
  Cap,         // min(eta, sigma_max)
  Rescale,     // eta sigma_max
  Confidence,  // eta sigma_max, shared out by softmax(-probability with which it was committed)
};

std::string_view name_of(RemaskSchedule schedule);  // "cap", "rescale", "conf"
Result<RemaskSchedule> parse_remask_schedule(std::string_view name);

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
  // In [0, 1], with a threshold (WINO, 2507.18578, whose values are 0.6 and 0.9): a committed token
  // is masked again when the model, shown all but that token, gives it a smaller probability. A
  // step takes back fewer tokens than it commits.
  std::optional<float> revoke = {};
  // The number of tokens that each step commits, at least 1, in place of a schedule: DreamOn's
  // number_transfer_tokens. `steps` is no bound then. Only where threshold can be used.
  std::optional<int> tokens_per_step = {};
  // Above 0 (Fast-dLLM): with probabilities c1 >= c2 >= ... commits the first and goes on while
  // c_n >= 1 - factor / (n + 1).
  std::optional<float> factor = {};
  // In nats, from 0 (EB-Sampler, Ben-Hamu et al., 2505.24857): commits positions by increasing
  // entropy as long as the entropies before the last of them add up to at most this. Only for
  // entropy. Of threshold, tokens_per_step, factor and entropy_budget at most one is given.
  std::optional<float> entropy_budget = {};
  // Semi-autoregressive: the masks are cut into blocks of this many, from left to right, and each
  // block is finished, with its share of the steps, before the next.
  std::optional<int> block_length = {};
  // Drafts that each forward pass tries ahead of the schedule (FreeDave, 2510.00294): the same
  // result in fewer passes. At most 64; only where a schedule says how many tokens a step commits.
  int verify = 0;
  // Above 0 (Info-Gain sampler, information_gain.h): of up to this many sets of tokens, at most 64,
  // each step commits the one after which the model is surest of the rest. One more pass for each
  // step, from which the next step is served. Only for entropy where a schedule or tokens_per_step
  // says how many tokens a step commits.
  int info_gain = 0;
  // How far the sets may be from the surest one: in [1e-6, 100].
  float position_temperature = 0.2F;
  // In [0, 1]: where every token of the surest set is more probable than this, it is committed
  // without looking.
  float gain_bypass = 0.8F;
  // Guidance scale (LLaDA), 0 is off: two canvases for each pass, in one of which all that was not
  // masked is masked too.
  float cfg_scale = 0;
  // Of alg remdm, eta in [0, 1].
  RemaskSchedule remask_schedule = RemaskSchedule::Cap;
  float eta = 0.02F;
  std::uint64_t seed = 0;
};

// InvalidInput names the option and its bounds. NaN and infinities are refused.
Result<void> check(const SamplingOptions& options);

}  // namespace lacuna::engine
