// Dream's `origin`: each masked position is committed with the same probability, whatever its
// confidence. It is the discretised reverse process that the model was trained for.
#include <cstddef>

#include "engine/sampler/rules.h"

namespace lacuna::engine {
namespace {

class OriginRule : public CommitRule {
 public:
  void choose(const StepInfo& info, std::span<const Candidate> candidates, const Random& random,
              std::vector<int>& chosen) override {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const double uniform =
          random.uniform(Random::Purpose::Position, info.step, candidates[i].position);
      if (origin_commits(uniform, info) && is_usable(candidates[i])) {
        chosen.push_back(static_cast<int>(i));
      }
    }
  }
};

}  // namespace

bool origin_commits(double uniform, const StepInfo& info) {
  return uniform < transfer_probability(info);
}

std::unique_ptr<CommitRule> make_origin_rule() { return std::make_unique<OriginRule>(); }

}  // namespace lacuna::engine
