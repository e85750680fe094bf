// Dream's rule for maskgit_plus, topk_margin and entropy: the schedule says how many positions a
// step commits. They are the surest ones or, with alg_temp > 0, drawn without replacement with
// probabilities proportional to softmax(confidence / alg_temp).
//
// The draws use Gumbel noise: the n largest of confidence / alg_temp + G, where the G are
// independent standard Gumbel numbers, are distributed exactly as n draws without replacement from
// the softmax, their order included (Kool et al., "Stochastic beams and where to find them",
// ICML 2019). So each position needs one uniform number of its own, however many are drawn.
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "engine/sampler/rules.h"

namespace lacuna::engine {
namespace {

double gumbel(double uniform) {
  // Half a step up from [0, 1), so that the logarithm of 0 is never asked for.
  return -std::log(-std::log(uniform + 0x1p-54));
}

class ScheduledRule : public CommitRule {
 public:
  ScheduledRule(float alg_temp, int initial_masks) : alg_temp_(alg_temp) {
    if (alg_temp_ > 0) keys_.reserve(static_cast<std::size_t>(initial_masks));
  }

  void choose(const StepInfo& info, std::span<const Candidate> candidates, const Random& random,
              std::vector<int>& chosen) override {
    const int n_masks = static_cast<int>(candidates.size());
    const auto n = static_cast<std::size_t>(transfer_count(n_masks, info));
    if (n == 0) return;
    append_usable(candidates, chosen);
    if (alg_temp_ > 0) {
      keep_drawn(info, candidates, random, n, chosen);
    } else {
      keep_surest(candidates, n, chosen);
    }
  }

 private:
  void keep_drawn(const StepInfo& info, std::span<const Candidate> candidates, const Random& random,
                  std::size_t n, std::vector<int>& chosen) {
    keys_.clear();
    for (const Candidate& candidate : candidates) {
      const double uniform =
          random.uniform(Random::Purpose::Position, info.step, candidate.position);
      keys_.push_back(static_cast<double>(candidate.confidence) / alg_temp_ + gumbel(uniform));
    }
    std::sort(chosen.begin(), chosen.end(), [this](int a, int b) {
      const double key_a = keys_[static_cast<std::size_t>(a)];
      const double key_b = keys_[static_cast<std::size_t>(b)];
      return key_a != key_b ? key_a > key_b : a < b;
    });
    if (n < chosen.size()) chosen.resize(n);
  }

  float alg_temp_;
  std::vector<double> keys_;
};

}  // namespace

std::unique_ptr<CommitRule> make_scheduled_rule(float alg_temp, int initial_masks) {
  return std::make_unique<ScheduledRule>(alg_temp, initial_masks);
}

}  // namespace lacuna::engine
