// Fast-dLLM's parallel decoding: every position whose token is probable enough, and always the
// surest one. Bounded, the last step commits everything, so that `steps` is a bound.
#include <algorithm>
#include <cstddef>

#include "engine/sampler/rules.h"

namespace lacuna::engine {
namespace {

class ThresholdRule : public CommitRule {
 public:
  ThresholdRule(float threshold, bool bounded) : threshold_(threshold), bounded_(bounded) {}

  void choose(const StepInfo& info, std::span<const Candidate> candidates, const Random&,
              std::vector<int>& chosen) override {
    append_usable(candidates, chosen);
    keep_surest(candidates, chosen.size(), chosen);
    if (chosen.empty() || (bounded_ && info.step >= info.steps - 1)) return;
    const auto too_unsure = [&](int i) {
      return candidates[static_cast<std::size_t>(i)].probability < threshold_;
    };
    chosen.erase(std::remove_if(chosen.begin() + 1, chosen.end(), too_unsure), chosen.end());
  }

  bool runs_past_last_step() const override { return !bounded_; }

 private:
  float threshold_;
  bool bounded_;
};

}  // namespace

std::unique_ptr<CommitRule> make_threshold_rule(float threshold, bool bounded) {
  return std::make_unique<ThresholdRule>(threshold, bounded);
}

}  // namespace lacuna::engine
