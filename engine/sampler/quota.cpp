// LLaDA's schedule: each step commits a fixed share of the masks that the block began with, the most
// probable first or by lot.
#include <algorithm>
#include <cstddef>

#include "engine/sampler/rules.h"

namespace lacuna::engine {
namespace {

class QuotaRule : public CommitRule {
 public:
  QuotaRule(bool by_lot, int initial_masks) : by_lot_(by_lot), initial_masks_(initial_masks) {
    if (by_lot_) lots_.reserve(static_cast<std::size_t>(initial_masks));
  }

  void choose(const StepInfo& info, std::span<const Candidate> candidates, const Random& random,
              std::vector<int>& chosen) override {
    const int due = quota_at(initial_masks_, info) + info.refused;
    const auto n = static_cast<std::size_t>(due);
    append_usable(candidates, chosen);
    if (by_lot_) {
      keep_drawn(info, candidates, random, n, chosen);
    } else {
      keep_surest(candidates, n, chosen);
    }
  }

 private:
  void keep_drawn(const StepInfo& info, std::span<const Candidate> candidates, const Random& random,
                  std::size_t n, std::vector<int>& chosen) {
    lots_.clear();
    for (const Candidate& candidate : candidates) {
      lots_.push_back(random.uniform(Random::Purpose::Position, info.step, candidate.position));
    }
    std::sort(chosen.begin(), chosen.end(), [this](int a, int b) {
      return lots_[static_cast<std::size_t>(a)] > lots_[static_cast<std::size_t>(b)];
    });
    if (n < chosen.size()) chosen.resize(n);
  }

  bool by_lot_;
  int initial_masks_;
  std::vector<double> lots_;
};

}  // namespace

std::unique_ptr<CommitRule> make_quota_rule(bool by_lot, int initial_masks) {
  return std::make_unique<QuotaRule>(by_lot, initial_masks);
}

}  // namespace lacuna::engine
