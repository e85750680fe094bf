#include "engine/checkpoint/checkpoint.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/checkpoint/bind_tensors.h"
#include "engine/checkpoint/json_fields.h"
#include "engine/checkpoint/quote.h"
#include "support/file.h"

namespace lacuna::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uint64_t kMaxConfigBytes = 1 << 20;
constexpr std::uint64_t kMaxIndexBytes = 64 << 20;
constexpr std::size_t kMaxShards = 4096;

// The files of the weights, and for a sharded model which tensor each one must hold.
struct WeightFiles {
  std::vector<fs::path> paths;
  std::map<std::string, std::size_t> file_of_tensor;
};

Error in_file(const fs::path& path, const Error& error) {
  return fail(error.code, path.string() + ": " + error.message);
}

bool path_exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// A name from an untrusted file that is joined to a folder: one plain component, so that it
// cannot lead out of the folder. (A symbolic link inside the folder is the user's own doing; the
// Hugging Face cache is made of them.)
bool is_plain_file_name(std::string_view name) {
  return name.ends_with(".safetensors") && name.find_first_of("/\\") == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

Result<WeightFiles> parse_index(std::string_view text, const fs::path& folder) {
  const Result<json> index = parse_json_object(text);
  if (!index) return index.error();
  const auto weight_map = index->find("weight_map");
  if (weight_map == index->end() || !weight_map->is_object() || weight_map->empty()) {
    return fail(ErrorCode::Corrupt, "the key weight_map is missing or empty");
  }
  std::map<std::string, std::size_t> shards;
  for (const auto& [tensor, shard] : weight_map->items()) {
    const auto* name = shard.get_ptr<const std::string*>();
    if (name == nullptr || !is_plain_file_name(*name)) {
      return fail(ErrorCode::Corrupt, "weight_map names " +
                                          (name == nullptr ? "no string" : quote(*name)) + " for " +
                                          quote(tensor) + "; a *.safetensors file name is needed");
    }
    shards.emplace(*name, 0);
  }
  if (shards.size() > kMaxShards) {
    return fail(ErrorCode::Corrupt, "weight_map names " + std::to_string(shards.size()) +
                                        " files; the limit is " + std::to_string(kMaxShards));
  }
  WeightFiles files;
  for (auto& [name, index_of_shard] : shards) {
    index_of_shard = files.paths.size();
    files.paths.push_back(folder / name);
  }
  for (const auto& [tensor, shard] : weight_map->items()) {
    files.file_of_tensor.emplace(tensor, shards.at(shard.get_ref<const std::string&>()));
  }
  return files;
}

Result<WeightFiles> only_safetensors_file(const fs::path& folder) {
  WeightFiles files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".safetensors") files.paths.push_back(entry->path());
  }
  if (files.paths.empty()) {
    return fail(ErrorCode::NotFound, folder.string() + " has no *.safetensors file");
  }
  if (files.paths.size() > 1) {
    return fail(ErrorCode::InvalidInput,
                folder.string() + " has " + std::to_string(files.paths.size()) +
                    " *.safetensors files and no model.safetensors.index.json");
  }
  return files;
}

Result<WeightFiles> find_weight_files(const fs::path& folder) {
  const fs::path single = folder / "model.safetensors";
  if (path_exists(single)) return WeightFiles{{single}, {}};
  const fs::path index = folder / "model.safetensors.index.json";
  if (!path_exists(index)) return only_safetensors_file(folder);
  const Result<std::string> text = read_file(index, kMaxIndexBytes);
  if (!text) return text.error();
  Result<WeightFiles> files = parse_index(*text, folder);
  if (!files) return in_file(index, files.error());
  return files;
}

Result<std::vector<SafetensorsFile>> open_weight_files(const WeightFiles& weights) {
  std::vector<SafetensorsFile> files;
  files.reserve(weights.paths.size());
  for (const fs::path& path : weights.paths) {
    Result<SafetensorsFile> file = SafetensorsFile::open(path);
    if (!file) return file.error();
    files.push_back(std::move(*file));
  }
  for (const auto& [tensor, file] : weights.file_of_tensor) {
    if (files[file].find(tensor) != nullptr) continue;
    return in_file(weights.paths[file],
                   fail(ErrorCode::Corrupt, "tensor " + quote(tensor) +
                                                " is missing although the index names it here"));
  }
  return files;
}

// Absent is fine: most models of research groups have none.
Result<GenerationDefaults> read_generation_defaults(const fs::path& folder) {
  const fs::path path = folder / "generation_config.json";
  if (!path_exists(path)) return GenerationDefaults{};
  const Result<std::string> text = read_file(path, kMaxConfigBytes);
  if (!text) return text.error();
  Result<GenerationDefaults> defaults = parse_generation_defaults(*text);
  if (!defaults) return in_file(path, defaults.error());
  return defaults;
}

}  // namespace

Result<Checkpoint> Checkpoint::open(const fs::path& folder) {
  const fs::path config_path = folder / "config.json";
  const Result<std::string> config_text = read_file(config_path, kMaxConfigBytes);
  if (!config_text) return config_text.error();
  Result<GenerationDefaults> generation = read_generation_defaults(folder);
  if (!generation) return generation.error();
  Result<ModelConfig> config = parse_model_config(*config_text, *generation);
  if (!config) return in_file(config_path, config.error());

  Result<WeightFiles> weights = find_weight_files(folder);
  if (!weights) return weights.error();
  Result<std::vector<SafetensorsFile>> files = open_weight_files(*weights);
  if (!files) return files.error();
  Result<Checkpoint> checkpoint =
      assemble(std::move(*config), std::move(*generation), std::move(*files));
  if (!checkpoint) return in_file(folder, checkpoint.error());
  checkpoint->weight_files_ = std::move(weights->paths);
  return checkpoint;
}

Result<Checkpoint> Checkpoint::parse(std::string_view config_json,
                                     std::span<const std::byte> weights,
                                     std::string_view generation_config_json) {
  Result<GenerationDefaults> generation = parse_generation_defaults(generation_config_json);
  if (!generation) return generation.error();
  Result<ModelConfig> config = parse_model_config(config_json, *generation);
  if (!config) return config.error();
  Result<SafetensorsFile> file = SafetensorsFile::parse(weights);
  if (!file) return file.error();
  std::vector<SafetensorsFile> files;
  files.push_back(std::move(*file));
  return assemble(std::move(*config), std::move(*generation), std::move(files));
}

Result<Checkpoint> Checkpoint::assemble(ModelConfig config, GenerationDefaults generation,
                                        std::vector<SafetensorsFile> files) {
  Result<ModelTensors> tensors = bind_tensors(config, files);
  if (!tensors) return tensors.error();
  Checkpoint checkpoint;
  checkpoint.config_ = std::move(config);
  checkpoint.generation_ = std::move(generation);
  checkpoint.files_ = std::move(files);
  checkpoint.tensors_ = std::move(*tensors);
  return checkpoint;
}

std::int64_t Checkpoint::parameter_count() const {
  const auto count = [](const TensorView& tensor) {
    return std::accumulate(tensor.shape.begin(), tensor.shape.end(),
                           std::int64_t{tensor.data.empty() ? 0 : 1}, std::multiplies<>());
  };
  std::int64_t total = count(tensors_.embedding) + count(tensors_.norm);
  if (!config_.tied_embeddings) total += count(tensors_.lm_head);
  for (const LayerTensors& layer : tensors_.layers) {
    for (const TensorView* tensor :
         {&layer.input_norm, &layer.q, &layer.k, &layer.v, &layer.o, &layer.q_bias, &layer.k_bias,
          &layer.v_bias, &layer.post_norm, &layer.gate, &layer.up, &layer.down}) {
      total += count(*tensor);
    }
  }
  return total;
}

}  // namespace lacuna::engine
