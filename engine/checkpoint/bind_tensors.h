// From names in files to roles in the network. Internal to engine/checkpoint.
#pragma once

#include <span>

#include "engine/checkpoint/model_config.h"
#include "engine/checkpoint/model_tensors.h"
#include "engine/checkpoint/safetensors.h"
#include "support/result.h"

namespace lacuna::engine {

// Finds each tensor that `config` calls for among the files and checks its shape and type.
// Corrupt when one is missing, has another shape, appears in two files, or when there is one that
// the network has no use for (a sign of another architecture); InvalidInput for a type that is
// not supported. The views point into `files`.
//
// Accepted and not used: buffers of rotary frequencies (`*.rotary_emb.inv_freq`), which old
// exporters saved, and `lm_head.weight` of the right shape although the embeddings are tied.
Result<ModelTensors> bind_tensors(const ModelConfig& config,
                                  std::span<const SafetensorsFile> files);

}  // namespace lacuna::engine
