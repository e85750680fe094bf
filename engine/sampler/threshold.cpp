// Fast-dLLM's parallel decoding: every position whose token is probable enough, and always the
// surest one. Bounded, the last step commits everything, so that `steps` is a bound.
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "engine/sampler/rules.h"

namespace lacuna::engine {
namespace {

class ThresholdRule : public CommitRule {
 public:
  ThresholdRule(float threshold, bool bounded, float most_share)
      : threshold_(threshold), bounded_(bounded), most_share_(most_share) {}

  void choose(const StepInfo& info, std::span<const Candidate> candidates, const Random&,
              std::vector<int>& chosen) override {
    append_usable(candidates, chosen);
    keep_surest(candidates, chosen.size(), chosen);
    if (chosen.empty() || (bounded_ && info.step >= info.steps - 1)) return;
    const auto too_unsure = [&](int i) {
      return candidates[static_cast<std::size_t>(i)].probability < threshold_;
    };
    chosen.erase(std::remove_if(chosen.begin() + 1, chosen.end(), too_unsure), chosen.end());
    const auto most =
        static_cast<std::size_t>(std::ceil(most_share_ * static_cast<float>(candidates.size())));
    if (chosen.size() > most) chosen.resize(most);
  }

  bool runs_past_last_step() const override { return !bounded_; }

 private:
  float threshold_;
  bool bounded_;
  float most_share_;
};

}  // namespace

std::unique_ptr<CommitRule> make_threshold_rule(float threshold, bool bounded, float most_share) {
  return std::make_unique<ThresholdRule>(threshold, bounded, most_share);
}

}  // namespace lacuna::engine
