// Fast-dLLM's parallel decoding: every position whose token is probable enough, and always the
// surest one. The last step commits everything, so that `steps` is a bound.
#include <algorithm>
#include <cstddef>

#include "engine/sampler/rules.h"

namespace lacuna::engine {
namespace {

class ThresholdRule : public CommitRule {
 public:
  explicit ThresholdRule(float threshold) : threshold_(threshold) {}

  void choose(const StepInfo& info, std::span<const Candidate> candidates, const Random&,
              std::vector<int>& chosen) override {
    append_usable(candidates, chosen);
    keep_surest(candidates, chosen.size(), chosen);
    if (chosen.empty() || info.step >= info.steps - 1) return;
    const auto too_unsure = [&](int i) {
      return candidates[static_cast<std::size_t>(i)].probability < threshold_;
    };
    chosen.erase(std::remove_if(chosen.begin() + 1, chosen.end(), too_unsure), chosen.end());
  }

 private:
  float threshold_;
};

}  // namespace

std::unique_ptr<CommitRule> make_threshold_rule(float threshold) {
  return std::make_unique<ThresholdRule>(threshold);
}

}  // namespace lacuna::engine
