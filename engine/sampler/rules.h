// The commit rules by name. Only commit_rule.cpp and tests need them.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/sampler/commit_rule.h"
#include "engine/sampler/options.h"

namespace lacuna::engine {

// Whether origin commits a position at a step, given a uniform number of [0, 1).
bool origin_commits(double uniform, const StepInfo& info);

std::unique_ptr<CommitRule> make_origin_rule();
std::unique_ptr<CommitRule> make_scheduled_rule(float alg_temp, int initial_masks);
// Unless `bounded`, the last step commits no more than any other, and steps go on until nothing is
// masked (LLaDA's loop in Fast-dLLM).
// A step commits at most `most_share` of the masks there are, rounded up.
std::unique_ptr<CommitRule> make_threshold_rule(float threshold, bool bounded,
                                                float most_share = 1);
std::unique_ptr<CommitRule> make_fixed_rule(int tokens_per_step);
std::unique_ptr<CommitRule> make_factor_rule(float factor, bool bounded, int initial_masks);
std::unique_ptr<CommitRule> make_entropy_budget_rule(float budget);
std::unique_ptr<CommitRule> make_quota_rule(bool by_lot, int initial_masks);
std::unique_ptr<CommitRule> make_p2_rule(int initial_masks);
std::unique_ptr<CommitRule> make_remdm_rule(RemaskSchedule schedule, float eta, int initial_masks);
std::unique_ptr<CommitRule> make_confidence_threshold_rule(float threshold, int initial_masks);

// Appends the indices of all usable candidates.
void append_usable(std::span<const Candidate> candidates, std::vector<int>& chosen);

// The number of positions that Fast-dLLM's factor rule commits, given the probabilities of all masked
// ones in decreasing order (at least one).
int factor_count(std::span<const float> probabilities, float factor);

// Keeps the n surest of `chosen`, surest first.
void keep_surest(std::span<const Candidate> candidates, std::size_t n, std::vector<int>& chosen);

}  // namespace lacuna::engine
