// The weights of a model, by role. Shapes are those of the Hugging Face files: a linear layer is
// [out, in]. Letters: V vocabulary, D hidden, F intermediate, H heads, HK kv heads, DH head size.
#pragma once

#include <vector>

#include "engine/checkpoint/safetensors.h"

namespace lacuna::engine {

struct LayerTensors {
  TensorView input_norm;  // [D]
  TensorView q;           // [H * DH, D]
  TensorView k;           // [HK * DH, D]
  TensorView v;           // [HK * DH, D]
  TensorView o;           // [D, H * DH]
  TensorView q_bias;      // [H * DH], like the next two with empty data when there is no bias
  TensorView k_bias;      // [HK * DH]
  TensorView v_bias;      // [HK * DH]
  TensorView post_norm;   // [D]
  TensorView gate;        // [F, D]
  TensorView up;          // [F, D]
  TensorView down;        // [D, F]
};

struct ModelTensors {
  TensorView embedding;  // [V, D]
  std::vector<LayerTensors> layers;
  TensorView norm;     // [D]
  TensorView lm_head;  // [V, D]; the same view as embedding when the two are tied
};

}  // namespace lacuna::engine
