// Open-dLLM's p2 (path planning): every step looks at all positions of the block, and the least
// probable of them, fewer at each step, are masked afterwards, whether they were before or not.
#include <algorithm>
#include <cstddef>
#include <numeric>

#include "engine/sampler/rules.h"

namespace lacuna::engine {
namespace {

class P2Rule : public CommitRule {
 public:
  explicit P2Rule(int initial_masks) { order_.reserve(static_cast<std::size_t>(initial_masks)); }

  bool revises() const override { return true; }

  void revise(const StepInfo& info, std::span<const Candidate> candidates,
              std::span<const std::uint8_t> masked, const Random&, std::vector<int>& chosen,
              std::vector<int>& revoked) override {
    const auto n = static_cast<int>(candidates.size());
    const float kappa = static_cast<float>(info.step + 1) / static_cast<float>(info.steps);
    const int n_masked =
        info.step >= info.steps - 1 ? 0 : static_cast<int>(static_cast<float>(n) * (1.0F - kappa));
    order_.resize(candidates.size());
    std::iota(order_.begin(), order_.end(), 0);
    // Least probable first; of equal ones the later position, so that the earlier one stays.
    std::sort(order_.begin(), order_.end(), [&](int a, int b) {
      const float p_a = candidates[static_cast<std::size_t>(a)].confidence;
      const float p_b = candidates[static_cast<std::size_t>(b)].confidence;
      return p_a != p_b ? p_a < p_b : a > b;
    });
    for (int i = 0; i < n; ++i) {
      const int index = order_[static_cast<std::size_t>(i)];
      const bool is_masked = masked[static_cast<std::size_t>(index)] != 0;
      if (i < n_masked && !is_masked) revoked.push_back(index);
      if (i >= n_masked && is_masked && is_usable(candidates[static_cast<std::size_t>(index)])) {
        chosen.push_back(index);
      }
    }
    std::reverse(chosen.begin(), chosen.end());  // surest first
  }

  void choose(const StepInfo&, std::span<const Candidate>, const Random&,
              std::vector<int>&) override {}

 private:
  std::vector<int> order_;
};

}  // namespace

std::unique_ptr<CommitRule> make_p2_rule(int initial_masks) {
  return std::make_unique<P2Rule>(initial_masks);
}

}  // namespace lacuna::engine
