// Which of the masked positions to commit at a step. Each rule is one small class in one file.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/sampler/candidate.h"

namespace lacuna::engine {

struct StepInfo {
  int step;   // from 0
  int steps;  // as asked for; the last step is steps - 1
  float eps;
};

// The number of tokens that Dream's schedule commits: int(masks * (1 - s/t)) in float32 with
// t, s = linspace(1, eps, steps + 1)[step, step + 1]; everything at the last step.
int transfer_count(int masks, const StepInfo& info);

// Rules may keep state from step to step: one object for one run.
class CommitRule {
 public:
  virtual ~CommitRule() = default;

  // Appends indices into `candidates` to `chosen` (empty before), surest first where the rule
  // has an order. `candidates` holds every masked position, by increasing position. Equal
  // confidences: the lower position first.
  virtual void choose(const StepInfo& info, std::span<const Candidate> candidates,
                      const Random& random, std::vector<int>& chosen) = 0;

  // Whether masks that are left after the last step get further steps.
  virtual bool runs_past_last_step() const { return false; }
};

// The rule of the options. They must have passed check().
std::unique_ptr<CommitRule> make_commit_rule(const SamplingOptions& options, int initial_masks);

}  // namespace lacuna::engine
