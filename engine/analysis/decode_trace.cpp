#include "engine/analysis/decode_trace.h"

#include <algorithm>

#include "engine/analysis/ar_ness.h"

namespace lacuna::engine {
namespace {

// The hole that a position lies in; null for masks outside all holes (those of a prompt).
const CanvasHole* hole_at(const DecodeTrace& trace, int position) {
  for (const CanvasHole& hole : trace.holes) {
    if (position >= hole.begin && position < hole.begin + hole.length) return &hole;
  }
  return nullptr;
}

// Of a commit and of nothing else in its trace: a position is committed once.
void sort_as_decoded(std::vector<TracedCommit>& commits) {
  std::vector<TimedCommit> timed;
  std::map<int, TracedCommit> at_position;
  for (const TracedCommit& commit : commits) {
    const Candidate& candidate = commit.candidate;
    timed.push_back({commit.step, candidate.position, candidate.confidence});
    at_position.emplace(candidate.position, commit);
  }
  commits.clear();
  for (const int position : decode_order(std::move(timed))) {
    commits.push_back(at_position.at(position));
  }
}

}  // namespace

std::vector<int> order_of(const DecodeTrace& trace) {
  std::vector<int> order;
  order.reserve(trace.commits.size());
  for (const TracedCommit& commit : trace.commits) order.push_back(commit.candidate.position);
  return order;
}

void TraceRecorder::step(std::span<const CanvasHole> holes, const StepEvent& event) {
  if (event.step == 0 || traces_.empty()) {
    DecodeTrace& begun = traces_.emplace_back();
    begun.holes.assign(holes.begin(), holes.end());
    begun.first_step.assign(event.candidates.begin(), event.candidates.end());
  }
  DecodeTrace& trace = traces_.back();
  for (const Candidate& commit : event.commits) trace.commits.push_back({event.step, commit});
  // A token that was taken back is decided when it is written for the last time.
  for (const std::int32_t position : event.revoked) {
    std::erase_if(trace.commits, [position](const TracedCommit& commit) {
      return commit.candidate.position == position;
    });
  }
  if (keep_steps_) trace.steps.emplace_back(event.candidates.begin(), event.candidates.end());
}

std::vector<DecodeTrace> TraceRecorder::finish() {
  for (DecodeTrace& trace : traces_) sort_as_decoded(trace.commits);
  return std::move(traces_);
}

std::vector<FirstStepMean> first_step_means(std::span<const DecodeTrace> traces) {
  std::map<int, FirstStepMean> sums;
  for (const DecodeTrace& trace : traces) {
    for (const Candidate& candidate : trace.first_step) {
      const CanvasHole* hole = hole_at(trace, candidate.position);
      if (hole == nullptr) continue;
      FirstStepMean& sum = sums[candidate.position - hole->begin];
      sum.count += 1;
      sum.probability += candidate.probability;
      sum.confidence += candidate.confidence;
    }
  }
  std::vector<FirstStepMean> means;
  means.reserve(sums.size());
  for (const auto& [distance, sum] : sums) {
    means.push_back({distance, sum.count, sum.probability / sum.count, sum.confidence / sum.count});
  }
  return means;
}

}  // namespace lacuna::engine
