// EB-Sampler (Ben-Hamu et al., 2505.24857): positions by increasing entropy, as long as the entropies
// of those before the last add up to no more than the budget. That sum bounds what is lost by
// treating the tokens of one step as independent. The last step commits everything.
#include <cstddef>

#include "engine/sampler/rules.h"

namespace lacuna::engine {
namespace {

class EntropyBudgetRule : public CommitRule {
 public:
  explicit EntropyBudgetRule(float budget) : budget_(budget) {}

  void choose(const StepInfo& info, std::span<const Candidate> candidates, const Random&,
              std::vector<int>& chosen) override {
    append_usable(candidates, chosen);
    keep_surest(candidates, chosen.size(), chosen);
    if (info.step >= info.steps - 1) return;
    float sum = 0;  // of the entropies before position n
    std::size_t n = 0;
    for (; n < chosen.size() && sum <= budget_; ++n) {
      sum -= candidates[static_cast<std::size_t>(chosen[n])].confidence;
    }
    chosen.resize(n);
  }

 private:
  float budget_;
};

}  // namespace

std::unique_ptr<CommitRule> make_entropy_budget_rule(float budget) {
  return std::make_unique<EntropyBudgetRule>(budget);
}

}  // namespace lacuna::engine
