#include "engine/sampler/commit_rule.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "engine/sampler/rules.h"

namespace lacuna::engine {

bool is_usable(const Candidate& candidate) {
  // False for NaN too.
  return candidate.token >= 0 && candidate.confidence > -std::numeric_limits<float>::infinity();
}

bool is_surer(const Candidate& a, const Candidate& b) {
  if (a.confidence != b.confidence) return a.confidence > b.confidence;
  return a.position < b.position;
}

void append_usable(std::span<const Candidate> candidates, std::vector<int>& chosen) {
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (is_usable(candidates[i])) chosen.push_back(static_cast<int>(i));
  }
}

void keep_surest(std::span<const Candidate> candidates, std::size_t n, std::vector<int>& chosen) {
  const auto surer = [candidates](int a, int b) {
    return is_surer(candidates[static_cast<std::size_t>(a)],
                    candidates[static_cast<std::size_t>(b)]);
  };
  if (n < chosen.size()) {
    std::nth_element(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(n), chosen.end(),
                     surer);
    chosen.resize(n);
  }
  std::sort(chosen.begin(), chosen.end(), surer);
}

std::unique_ptr<CommitRule> make_commit_rule(const SamplingOptions& options, int initial_masks) {
  // Dream's steps are a bound; LLaDA's block ends when nothing in it is masked.
  const bool bounded = options.algorithm != Algorithm::LowConfidence;
  switch (options.algorithm) {
    case Algorithm::Origin:
      return make_origin_rule();
    case Algorithm::ConfidenceThreshold:
      return make_confidence_threshold_rule(options.threshold.value_or(1), initial_masks);
    case Algorithm::P2:
      return make_p2_rule(initial_masks);
    case Algorithm::Remdm:
      return make_remdm_rule(options.remask_schedule, options.eta, initial_masks);
    default:
      break;
  }
  if (options.threshold) {
    // WINO leaves some masks to each step, so that there is another one to have second thoughts at.
    constexpr float kWideIn = 0.7F;
    return make_threshold_rule(*options.threshold, bounded, options.revoke ? kWideIn : 1);
  }
  if (options.tokens_per_step) return make_fixed_rule(*options.tokens_per_step);
  if (options.factor) return make_factor_rule(*options.factor, bounded, initial_masks);
  if (options.entropy_budget) return make_entropy_budget_rule(*options.entropy_budget);
  if (options.algorithm == Algorithm::LowConfidence || options.algorithm == Algorithm::Random) {
    return make_quota_rule(options.algorithm == Algorithm::Random, initial_masks);
  }
  return make_scheduled_rule(options.alg_temp, initial_masks);
}

}  // namespace lacuna::engine
