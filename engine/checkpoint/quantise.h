// Writes a model folder whose weights take 8 or 4 bits each.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/checkpoint/model_config.h"
#include "kernels/cpu/context.h"
#include "support/result.h"

namespace lacuna::engine {

struct QuantiseProgress {
  std::string_view tensor;  // being rounded
  std::int64_t done;        // weights
  std::int64_t total;
};

struct QuantiseRequest {
  std::filesystem::path source;
  std::filesystem::path out;
  QuantisedWeights weights;                                  // with 4 bits, a group from 8 to 1024
  std::function<void(const QuantiseProgress&)> on_progress;  // on the calling thread; may be empty
  std::stop_token stop;
};

// What rounding did to a matrix.
struct MatrixError {
  std::string name;
  std::vector<std::int64_t> shape;
  int bits;
  double relative;  // root of the mean square error over that of the weights
};

// Makes the folder `out` from the model folder `source`: config.json with the key
// "lacuna_quantization", model.safetensors, and a copy of every other file that is not weights.
// What the tensors look like: bind_tensors.h. Everything is written to a folder beside `out` and
// renamed when complete; on failure nothing is left behind. At most a few MiB of weights are in
// memory at a time.
//
// InvalidInput when `out` exists, its parent folder does not, or the source is quantised already;
// Corrupt when a weight is not finite; Cancelled when `stop` was requested.
Result<std::vector<MatrixError>> quantise_model(const QuantiseRequest& request,
                                                kernels::CpuContext& context);

}  // namespace lacuna::engine
