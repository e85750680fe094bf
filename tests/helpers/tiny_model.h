// Random models of a few thousand weights, in memory or as a model directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/checkpoint/model_config.h"
#include "kernels/dtype.h"
#include "tests/helpers/safetensors_writer.h"

namespace lacuna::test {

struct TinyModelOptions {
  engine::Architecture architecture = engine::Architecture::Dream;
  int vocab_size = 48;  // the mask is the last id, pad the one before it
  int hidden_size = 16;
  int intermediate_size = 24;
  int layers = 2;
  int heads = 4;
  int kv_heads = 2;
  std::optional<int> head_size = {};  // written as "head_dim"; otherwise hidden_size / heads
  kernels::DType type = kernels::DType::F32;
  bool tied = false;
  std::uint64_t seed = 1;
  // Put into config.json over what the other options say: R"("logits_shift": false)".
  std::string extra_config = {};
};

struct TinyModel {
  std::string config_json;
  std::vector<TensorToWrite> tensors;  // in the order of the published files
};

// Weights uniform in +-1/sqrt(inputs), norms in [0.5, 1.5], biases in +-0.5: large enough that a
// missing bias or a swapped matrix shows in the logits. The same options give the same model.
TinyModel make_tiny_model(const TinyModelOptions& options = {});

// The same model with weights of 8 or 4 bits, as `lacuna model quantise` stores it.
TinyModel quantised(const TinyModel& model, engine::QuantisedWeights weights);

// config.json and model.safetensors, or with shards > 1 that many files and an index. The folder
// must exist.
void write_model(const std::filesystem::path& folder, const TinyModel& model, int shards = 1);

}  // namespace lacuna::test
