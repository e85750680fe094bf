// ReMDM (Wang et al., "Remasking discrete diffusion models with inference-time scaling",
// 2503.00307): the reverse process in which a committed token is masked again with probability
// sigma, and masked ones are committed the more often, so that the share of masks at each time is
// that of the process without it. Time goes from 1 to eps as in Dream's schedule, alpha = 1 - time.
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "engine/sampler/rules.h"

namespace lacuna::engine {
namespace {

class RemdmRule : public CommitRule {
 public:
  RemdmRule(RemaskSchedule schedule, float eta, int initial_masks)
      : schedule_(schedule), eta_(eta) {
    committed_with_.resize(static_cast<std::size_t>(initial_masks));
  }

  bool revises() const override { return true; }

  void revise(const StepInfo& info, std::span<const Candidate> candidates,
              std::span<const std::uint8_t> masked, const Random& random, std::vector<int>& chosen,
              std::vector<int>& revoked) override {
    const bool last = info.step >= info.steps - 1;
    const double t = time_at(info.step, info);
    const double s = last ? 0 : time_at(info.step + 1, info);
    const double sigma_max = t >= 1 ? 1 : std::min(1.0, s / (1 - t));
    const double sigma =
        schedule_ == RemaskSchedule::Cap ? std::min<double>(eta_, sigma_max) : eta_ * sigma_max;
    // p(committed at s | masked at t), with alpha_t = 1 - t.
    const double commit = last ? 1 : ((1 - s) - (1 - sigma) * (1 - t)) / t;
    const double sum = schedule_ == RemaskSchedule::Confidence ? weight_sum(masked) : 0;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const double uniform =
          random.uniform(Random::Purpose::Position, info.step, candidates[i].position);
      if (masked[i] != 0) {
        if (uniform >= commit || !is_usable(candidates[i])) continue;
        chosen.push_back(static_cast<int>(i));
        committed_with_[i] = candidates[i].probability;
      } else if (!last && uniform < revoke_probability(sigma, sum, i)) {
        revoked.push_back(static_cast<int>(i));
      }
    }
  }

  void choose(const StepInfo&, std::span<const Candidate>, const Random&,
              std::vector<int>&) override {}

 private:
  static double time_at(int i, const StepInfo& info) {
    return 1 + (static_cast<double>(info.eps) - 1) * i / info.steps;
  }

  double weight_sum(std::span<const std::uint8_t> masked) const {
    double sum = 0;
    for (std::size_t i = 0; i < masked.size(); ++i) {
      if (masked[i] == 0) sum += std::exp(-static_cast<double>(committed_with_[i]));
    }
    return sum;
  }

  double revoke_probability(double sigma, double sum, std::size_t i) const {
    if (schedule_ != RemaskSchedule::Confidence) return sigma;
    return sigma * std::exp(-static_cast<double>(committed_with_[i])) / sum;
  }

  RemaskSchedule schedule_;
  float eta_;
  std::vector<float> committed_with_;  // of each position of the block
};

}  // namespace

std::unique_ptr<CommitRule> make_remdm_rule(RemaskSchedule schedule, float eta, int initial_masks) {
  return std::make_unique<RemdmRule>(schedule, eta, initial_masks);
}

}  // namespace lacuna::engine
