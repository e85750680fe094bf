// A model directory, opened and checked: configuration, generation defaults, and a view of each
// weight. Knows no tokenizer and computes nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "engine/checkpoint/generation_defaults.h"
#include "engine/checkpoint/model_config.h"
#include "engine/checkpoint/model_tensors.h"
#include "engine/checkpoint/safetensors.h"
#include "support/result.h"

namespace lacuna::engine {

class Checkpoint {
 public:
  // Reads config.json and generation_config.json (which may be absent) and maps the weights:
  // model.safetensors, else the shards that model.safetensors.index.json names, else the only
  // *.safetensors file in the folder. Costs the headers only; weights are read when touched.
  //
  // NotFound when a file is missing, Corrupt when one is damaged or the weights do not fit
  // config.json, InvalidInput when Lacuna cannot run such a model. The message names the file.
  static Result<Checkpoint> open(const std::filesystem::path& folder);

  // The same for a model that is in memory: the model built into the executable, and tests.
  // `weights` is the content of one safetensors file and must outlive this object.
  static Result<Checkpoint> parse(std::string_view config_json, std::span<const std::byte> weights,
                                  std::string_view generation_config_json = "{}");

  const ModelConfig& config() const { return config_; }
  const GenerationDefaults& generation_defaults() const { return generation_; }
  // Views into the mapped files: they live as long as this object (moving it is fine).
  const ModelTensors& tensors() const { return tensors_; }

  // Weights of the model, each tensor counted once; a tied head counts nothing.
  std::int64_t parameter_count() const;
  // The weight files, in the order of their names; empty after parse().
  const std::vector<std::filesystem::path>& weight_files() const { return weight_files_; }

 private:
  Checkpoint() = default;
  static Result<Checkpoint> assemble(ModelConfig config, GenerationDefaults generation,
                                     std::vector<SafetensorsFile> files);

  ModelConfig config_;
  GenerationDefaults generation_;
  std::vector<std::filesystem::path> weight_files_;
  std::vector<SafetensorsFile> files_;  // own the memory that tensors_ points into
  ModelTensors tensors_;
};

}  // namespace lacuna::engine
