// Which of the masked positions to commit at a step. Each rule is one small class in one file.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/sampler/candidate.h"

namespace lacuna::engine {

struct StepInfo {
  int step;   // from 0; within the block where there are blocks
  int steps;  // as asked for; the last step is steps - 1, later ones count as last too
  float eps;
  // How many positions that were chosen at the step before could not be committed because a
  // constraint refused them.
  int refused = 0;
};

// 1 - s/t in float32 with t, s = linspace(1, eps, steps + 1)[step, step + 1]; 1 at the last step.
// The probability with which Dream's `origin` commits each masked position.
float transfer_probability(const StepInfo& info);

// The number of tokens that Dream's schedule commits: int(masks * transfer_probability) in
// float32.
int transfer_count(int masks, const StepInfo& info);

// The number that LLaDA's schedule commits at a step: masks / steps, and one more at each of the
// first masks % steps steps. `masks` is the number at step 0.
int quota_at(int masks, const StepInfo& info);

// Whether a candidate can be committed at all: it has a token, and its confidence is a number.
bool is_usable(const Candidate& candidate);

// A strict order: higher confidence first, then the lower position. For usable candidates.
bool is_surer(const Candidate& a, const Candidate& b);

// Rules may keep state from step to step: one object for one run.
class CommitRule {
 public:
  virtual ~CommitRule() = default;

  // Appends indices of usable candidates to `chosen` (empty before), in the order in which the
  // rule chooses them: surest first, for alg_temp > 0 as drawn, for origin by position.
  // `candidates` holds every masked position, by increasing position. Allocates nothing if
  // `chosen` has room for all candidates.
  virtual void choose(const StepInfo& info, std::span<const Candidate> candidates,
                      const Random& random, std::vector<int>& chosen) = 0;

  // Rules that take tokens back. They are asked by revise() instead of choose(): `candidates`
  // holds every position that was masked at the start of the block, and masked[i] whether it still
  // is. Appends masked ones to `chosen`, and committed ones that shall be masked again, before the
  // chosen ones are written, to `revoked`.
  virtual bool revises() const { return false; }
  virtual void revise(const StepInfo& /*info*/, std::span<const Candidate> /*candidates*/,
                      std::span<const std::uint8_t> /*masked*/, const Random& /*random*/,
                      std::vector<int>& /*chosen*/, std::vector<int>& /*revoked*/) {}

  // Asked after the last step and every later one: whether the masks that are left get another
  // step. Each such step chooses at least one position, so there are at most as many as masks.
  virtual bool runs_past_last_step() const { return false; }
};

// The rule of the options, for one block. They must have passed check().
std::unique_ptr<CommitRule> make_commit_rule(const SamplingOptions& options, int initial_masks);

}  // namespace lacuna::engine
