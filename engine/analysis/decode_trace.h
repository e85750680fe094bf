// What happened while a canvas was denoised, recorded for analysis.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "engine/canvas.h"
#include "engine/denoiser.h"

namespace lacuna::engine {

struct TracedCommit {
  int step;
  Candidate candidate;
};

struct DecodeTrace {
  std::vector<CanvasHole> holes;
  std::vector<Candidate> first_step;  // every masked position at the first step, by position
  std::vector<TracedCommit> commits;  // in the order of decode_order()
  // All candidates of each step, only where they were asked for.
  std::vector<std::vector<Candidate>> steps;
};

// The positions of the commits, first decided first.
std::vector<int> order_of(const DecodeTrace& trace);

// Gathers traces from the steps that infill() and generate() report, a trace for each canvas.
class TraceRecorder {
 public:
  explicit TraceRecorder(bool keep_steps) : keep_steps_(keep_steps) {}

  // Step 0 begins a new canvas, whose holes are these.
  void step(std::span<const CanvasHole> holes, const StepEvent& event);

  // Ends the recording. A position that drew the mask token and stayed masked is in no commit.
  std::vector<DecodeTrace> finish();

 private:
  bool keep_steps_;
  std::vector<DecodeTrace> traces_;
};

// The mean over traces of what the model thought at the first step, by distance from the begin of
// the hole: the entropy sink is its fall from left to right.
struct FirstStepMean {
  int distance;
  int count;  // positions at this distance
  double probability;
  double confidence;  // of the algorithm's kind: see Candidate
};
std::vector<FirstStepMean> first_step_means(std::span<const DecodeTrace> traces);

}  // namespace lacuna::engine
