// Fast-dLLM's variant of Dream's sampler without a cache: masks / steps positions are due at each
// step. Of those due, the surest is committed, the others only if they reach the threshold; what
// falls short is due again at the next step. If some fall short at the last step, there are more
// steps, each committing at least one.
//
// The reference demands that steps divides masks. Here the remainder is spread, early steps first.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "engine/sampler/rules.h"

namespace lacuna::engine {
namespace {

class ConfidenceThresholdRule : public CommitRule {
 public:
  ConfidenceThresholdRule(float threshold, int initial_masks)
      : threshold_(threshold), initial_masks_(initial_masks) {}

  void choose(const StepInfo& info, std::span<const Candidate> candidates, const Random&,
              std::vector<int>& chosen) override {
    // What a constraint refused has not been committed, so it is still due.
    const int due = due_before(info.step + 1, info.steps) - due_before(info.step, info.steps) +
                    carried_over_ + info.refused;
    carried_over_ = 0;
    append_usable(candidates, chosen);
    keep_surest(candidates, static_cast<std::size_t>(due), chosen);
    if (chosen.empty()) return;
    const auto too_unsure = [&](int i) {
      return candidates[static_cast<std::size_t>(i)].confidence < threshold_;
    };
    const auto kept_end = std::remove_if(chosen.begin() + 1, chosen.end(), too_unsure);
    carried_over_ = static_cast<int>(chosen.end() - kept_end);
    chosen.erase(kept_end, chosen.end());
  }

  bool runs_past_last_step() const override { return carried_over_ > 0; }

 private:
  // How many positions are due at the steps before `step`, rounded up.
  int due_before(int step, int steps) const {
    const std::int64_t n_steps = std::min(step, steps);
    return static_cast<int>((std::int64_t{initial_masks_} * n_steps + steps - 1) / steps);
  }

  float threshold_;
  int initial_masks_;
  int carried_over_ = 0;
};

}  // namespace

std::unique_ptr<CommitRule> make_confidence_threshold_rule(float threshold, int initial_masks) {
  return std::make_unique<ConfidenceThresholdRule>(threshold, initial_masks);
}

}  // namespace lacuna::engine
