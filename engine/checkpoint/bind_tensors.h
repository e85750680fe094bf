// From names in files to roles in the network. Internal to engine/checkpoint.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/checkpoint/model_config.h"
#include "engine/checkpoint/model_tensors.h"
#include "engine/checkpoint/safetensors.h"
#include "support/result.h"

namespace lacuna::engine {

enum class TensorKind : std::uint8_t {
  Vector,  // norms and biases
  Matrix,  // of a layer
  Table,   // embedding and head
};

// One tensor that a model has.
struct TensorSlot {
  std::string name;
  std::vector<std::int64_t> shape;  // of the numbers, however they are stored
  TensorKind kind;
  TensorView* view;  // its role in the ModelTensors
};

// All tensors that `config` calls for, in the order of a pass; a tied head is none. Gives
// `tensors` its layers.
std::vector<TensorSlot> tensor_slots(const ModelConfig& config, ModelTensors& tensors);

// A matrix of `lacuna_quantization` is stored as several tensors: its integers under its own name,
// and these, whose meaning kernels::QuantisedParts gives.
inline constexpr std::string_view kScaleSuffix = "_scale";    // F32 [rows]
inline constexpr std::string_view kStepSuffix = "_step";      // U8 [rows, groups], of 4 bits
inline constexpr std::string_view kOffsetSuffix = "_offset";  // I8 [rows, groups], of 4 bits

// Finds each tensor that `config` calls for among the files and checks its shape and type.
// Corrupt when one is missing, has another shape, appears in two files, or when there is one that
// the network has no use for (a sign of another architecture); InvalidInput for a type that is
// not supported. The views point into `files`. Of quantised weights the scales are read, and must
// be finite and not negative.
//
// Accepted and not used: buffers of rotary frequencies (`*.rotary_emb.inv_freq`), which old
// exporters saved, and `lm_head.weight` of the right shape although the embeddings are tied.
Result<ModelTensors> bind_tensors(const ModelConfig& config,
                                  std::span<const SafetensorsFile> files);

}  // namespace lacuna::engine
