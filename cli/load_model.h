// From the options of a command to a model that is ready to run.
#pragma once

#include <memory>

#include "cli/common_options.h"
#include "cli/model_path.h"
#include "cli/terminal.h"
#include "engine/device.h"
#include "engine/model.h"

namespace lacuna::cli {

// How weights are kept and multiplied.
struct Numbers {
  kernels::WeightFormat format;
  kernels::Precision precision;
};

// What --dtype and --exact mean for weights stored as `stored` on a CPU with `isa`. bf16 weights
// stay bf16, which is exact, and integers int8; exact products are those in float32.
Numbers choose_numbers(const CommonOptions& options, kernels::DType stored, kernels::Isa isa);

// The same on a GPU, where bf16 weights have bf16 products and exact products need float weights.
Numbers choose_gpu_numbers(const CommonOptions& options, kernels::DType stored);

// "int8", "bf16", "f32", or "bf16 weights, f32 products".
std::string describe(Numbers numbers);

struct LoadedModel {
  ModelPlace place;
  engine::Device device;
  Numbers numbers;
  double seconds;       // to load
  std::uint64_t bytes;  // of the weight files
  std::int64_t parameters;
  std::unique_ptr<kernels::CpuContext> context;  // outlives the model
  engine::Model model;
};

// Whether a GPU shall take steps down: unless LACUNA_CUDA_GRAPHS=0, which finds out whether a mistake
// is theirs.
bool wants_graphs();

// The model that --model means, found through the environment of the process.
Result<ModelPlace> place_of_model(const CommonOptions& options);

// `terminal` shows that something is going on where it can; may be null.
Result<LoadedModel> load_model(const CommonOptions& options, bool needs_tokenizer,
                               Terminal* terminal, const engine::LoadProgress& on_progress = {});

}  // namespace lacuna::cli
