// The commit rules by name. Only commit_rule.cpp and tests need them.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/sampler/commit_rule.h"

namespace lacuna::engine {

// Whether origin commits a position at a step, given a uniform number of [0, 1).
bool origin_commits(double uniform, const StepInfo& info);

std::unique_ptr<CommitRule> make_origin_rule();
std::unique_ptr<CommitRule> make_scheduled_rule(float alg_temp, int initial_masks);
std::unique_ptr<CommitRule> make_threshold_rule(float threshold);
std::unique_ptr<CommitRule> make_confidence_threshold_rule(float threshold, int initial_masks);

// Appends the indices of all usable candidates.
void append_usable(std::span<const Candidate> candidates, std::vector<int>& chosen);

// Keeps the n surest of `chosen`, surest first.
void keep_surest(std::span<const Candidate> candidates, std::size_t n, std::vector<int>& chosen);

}  // namespace lacuna::engine
