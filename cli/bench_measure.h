// The measurements of `lacuna bench`.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model.h"

namespace lacuna::cli {

// Seconds of several runs of the same thing, after one that is not counted.
struct Timing {
  double best = 0;
  double median = 0;
};

// The median of an even number of runs is the mean of the two in the middle. At least one.
Timing timing_of(std::vector<double> seconds);
Timing time_runs(int runs, const std::function<void()>& body);

struct PassTiming {
  int tokens;  // of the canvas
  int rows;    // recomputed; equal to `tokens` in a full pass
  Timing time;
  double gflops;  // multiplications and additions per second in the best run, in 1e9
  // Of `time`, until everything was queued for a device; else all of it.
  Timing host;
};

// Whether a device of this transformer takes steps down. While one of the other exists it does not.
bool takes_steps_down(const engine::Transformer& transformer);
class WithoutGraphs {
 public:
  explicit WithoutGraphs(const engine::Transformer& transformer);
  WithoutGraphs(const WithoutGraphs&) = delete;
  WithoutGraphs& operator=(const WithoutGraphs&) = delete;
  ~WithoutGraphs();

 private:
  kernels::StepDevice* steps_;
};

// A pass over `rows` rows in the middle of a canvas of `tokens`, with the logits of at most 16 of
// them: what a step costs besides drawing. Ids are arbitrary.
PassTiming time_pass(const engine::Transformer& transformer, kernels::CpuContext& context,
                     kernels::Precision precision, int tokens, int rows, int runs);

// The first step of a fill after a token was typed in front of its hole of 16: what an earlier pass
// has left is taken, the rest computed, and all kept for the next one (engine/resident_cache.h).
PassTiming time_edit(const engine::Transformer& transformer, kernels::CpuContext& context,
                     kernels::Precision precision, int tokens, int runs);

// The arithmetic of such a pass: products with weights, attention, and logits.
double operations_of(const engine::ModelConfig& config, int tokens, int rows, int logit_rows);

struct FillTiming {
  int tokens;
  int forward_passes;
  Timing time;
};

// Two holes of 16 tokens in a small Python file, with the default options.
Result<FillTiming> time_fill(const engine::Model& model, int runs);

struct TokenizerTiming {
  std::size_t bytes;
  std::size_t tokens;
  Timing time;
};

// Encodes source-like text in which hardly a name repeats.
TokenizerTiming time_tokenizer(const engine::Tokenizer& tokenizer, int runs);

}  // namespace lacuna::cli
