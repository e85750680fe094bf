// What is inside a Transformer. Only transformer.cpp and forward_buffers.h need it.
#pragma once

#include <memory>
#include <vector>

#include "engine/checkpoint/model_config.h"
#include "kernels/backend.h"

namespace lacuna::engine {

// Vectors are floats, whatever the format of the matrices.
struct LayerWeights {
  kernels::Memory input_norm;
  std::unique_ptr<kernels::Weights> qkv;
  kernels::Memory qkv_bias;  // empty when the model has none
  std::unique_ptr<kernels::Weights> o;
  kernels::Memory post_norm;
  std::unique_ptr<kernels::Weights> gate_up;
  std::unique_ptr<kernels::Weights> down;
};

// What a pass on a device has allocated.
struct PassMemory {
  virtual ~PassMemory() = default;
};

struct TransformerWeights {
  ModelConfig config;
  kernels::Backend* device = nullptr;  // whose memory all of it lies in; null: the host's
  kernels::Memory embedding;           // rows as the checkpoint has them
  kernels::Memory embedding_scales;    // of integers
  kernels::DType embedding_type = kernels::DType::F32;
  std::vector<LayerWeights> layers;
  kernels::Memory norm;
  std::unique_ptr<kernels::Weights> head;
  // Of the last pass on a device, for the next one: what was taken down for it serves again. Whoever
  // uses the device, which is one thread at a time, may take it.
  mutable std::unique_ptr<PassMemory> kept_pass;
};

}  // namespace lacuna::engine
