// The same number of tokens at every step, the surest first, until nothing is masked: DreamOn's
// number_transfer_tokens.
#include <cstddef>

#include "engine/sampler/rules.h"

namespace lacuna::engine {
namespace {

class FixedRule : public CommitRule {
 public:
  explicit FixedRule(int tokens_per_step) : tokens_per_step_(tokens_per_step) {}

  void choose(const StepInfo&, std::span<const Candidate> candidates, const Random&,
              std::vector<int>& chosen) override {
    append_usable(candidates, chosen);
    keep_surest(candidates, static_cast<std::size_t>(tokens_per_step_), chosen);
  }

  bool runs_past_last_step() const override { return true; }

 private:
  int tokens_per_step_;
};

}  // namespace

std::unique_ptr<CommitRule> make_fixed_rule(int tokens_per_step) {
  return std::make_unique<FixedRule>(tokens_per_step);
}

}  // namespace lacuna::engine
