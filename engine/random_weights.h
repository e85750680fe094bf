// Random weights of any shape, to measure a model without its files.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/checkpoint/model_config.h"
#include "engine/checkpoint/model_tensors.h"

namespace lacuna::engine {

// Tensors of a model whose numbers all come from one buffer as large as the largest of them: the
// shapes are right, the layers are equal. Speed does not depend on the values.
struct RandomWeights {
  std::vector<std::byte> numbers;
  ModelTensors tensors;  // views into `numbers`
};

RandomWeights random_weights(const ModelConfig& config, kernels::DType type);

// The shape of Qwen2.5-0.5B, which Open-dCoder-0.5B has: 24 layers, 896 wide, 494 M parameters.
ModelConfig qwen2_half_billion();
// That of Dream-7B and DiffuCoder-7B: 28 layers, 3,584 wide, 7.6 billion parameters.
ModelConfig dream_seven_billion();

}  // namespace lacuna::engine
