// Fast-dLLM's factor: with probabilities c1 >= c2 >= ..., n tokens may be committed together while
// (n + 1) (1 - c_n) <= factor. For factor 1 that is the paper's bound under which committing
// together and committing one by one agree (Wu et al., 2505.22618, theorem 1).
#include <algorithm>
#include <cstddef>

#include "engine/sampler/rules.h"

namespace lacuna::engine {
namespace {

class FactorRule : public CommitRule {
 public:
  FactorRule(float factor, bool bounded, int initial_masks) : factor_(factor), bounded_(bounded) {
    probabilities_.reserve(static_cast<std::size_t>(initial_masks));
  }

  void choose(const StepInfo& info, std::span<const Candidate> candidates, const Random&,
              std::vector<int>& chosen) override {
    append_usable(candidates, chosen);
    const auto probability = [&](int i) {
      return candidates[static_cast<std::size_t>(i)].probability;
    };
    std::sort(chosen.begin(), chosen.end(), [&](int a, int b) {
      return probability(a) != probability(b) ? probability(a) > probability(b) : a < b;
    });
    if (chosen.empty() || (bounded_ && info.step >= info.steps - 1)) return;
    probabilities_.clear();
    for (const int i : chosen) probabilities_.push_back(probability(i));
    chosen.resize(static_cast<std::size_t>(factor_count(probabilities_, factor_)));
  }

  bool runs_past_last_step() const override { return !bounded_; }

 private:
  float factor_;
  bool bounded_;
  std::vector<float> probabilities_;
};

}  // namespace

int factor_count(std::span<const float> probabilities, float factor) {
  const int n = static_cast<int>(probabilities.size());
  for (int i = 1; i < n; ++i) {
    // The published loop leaves off at the first that falls short, but when that is the last one,
    // it is committed all the same.
    const float least = 1 - factor / static_cast<float>(i + 2);
    if (probabilities[static_cast<std::size_t>(i)] < least) return i == n - 1 ? n : i;
  }
  return n;
}

std::unique_ptr<CommitRule> make_factor_rule(float factor, bool bounded, int initial_masks) {
  return std::make_unique<FactorRule>(factor, bounded, initial_masks);
}

}  // namespace lacuna::engine
