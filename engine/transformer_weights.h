// What is inside a Transformer. Only transformer.cpp and forward_pass.cpp need it.
#pragma once

#include <vector>

#include "engine/checkpoint/model_config.h"
#include "engine/checkpoint/safetensors.h"
#include "kernels/cpu/packed_matrix.h"

namespace lacuna::engine {

struct LayerWeights {
  std::vector<float> input_norm;
  kernels::PackedMatrix qkv;
  std::vector<float> qkv_bias;  // empty when the model has none
  kernels::PackedMatrix o;
  std::vector<float> post_norm;
  kernels::PackedMatrix gate_up;
  kernels::PackedMatrix down;
};

struct TransformerWeights {
  ModelConfig config;
  TensorView embedding;  // a view into the checkpoint
  std::vector<LayerWeights> layers;
  std::vector<float> norm;
  kernels::PackedMatrix head;
};

}  // namespace lacuna::engine
