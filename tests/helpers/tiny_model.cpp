#include "tests/helpers/tiny_model.h"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <random>
#include <span>
#include <utility>

#include <nlohmann/json.hpp>

#include "kernels/cpu/quantised_rows.h"

namespace lacuna::test {
namespace {

using nlohmann::json;
using Shape = std::vector<std::int64_t>;

class TensorMaker {
 public:
  TensorMaker(kernels::DType type, std::uint64_t seed) : type_(type), random_(seed) {}

  void matrix(const std::string& name, std::int64_t rows, std::int64_t columns) {
    const float bound = 1.0F / std::sqrt(static_cast<float>(columns));
    add(name, {rows, columns}, -bound, bound);
  }
  void norm(const std::string& name, std::int64_t size) { add(name, {size}, 0.5F, 1.5F); }
  void bias(const std::string& name, std::int64_t size) { add(name, {size}, -0.5F, 0.5F); }

  std::vector<TensorToWrite> take() { return std::move(tensors_); }

 private:
  void add(const std::string& name, const Shape& shape, float low, float high) {
    std::size_t count = 1;
    for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
    std::vector<float> values(count);
    // Not std::uniform_real_distribution: its numbers differ between standard libraries.
    for (float& value : values) {
      value = low + (high - low) * static_cast<float>(random_() >> 40) * 0x1p-24F;
    }
    tensors_.push_back(make_tensor(name, type_, shape, values));
  }

  kernels::DType type_;
  std::mt19937_64 random_;
  std::vector<TensorToWrite> tensors_;
};

json make_config(const TinyModelOptions& options) {
  const bool dream = options.architecture == engine::Architecture::Dream;
  json config = {
      {"architectures", {dream ? "DreamModel" : "Qwen2ForCausalLM"}},
      {"model_type", dream ? "Dream" : "qwen2"},
      {"vocab_size", options.vocab_size},
      {"hidden_size", options.hidden_size},
      {"intermediate_size", options.intermediate_size},
      {"num_hidden_layers", options.layers},
      {"num_attention_heads", options.heads},
      {"num_key_value_heads", options.kv_heads},
      {"hidden_act", "silu"},
      {"max_position_embeddings", 512},
      {"rms_norm_eps", 1e-6},
      {"rope_theta", 10000.0},
      {"rope_scaling", nullptr},
      {"tie_word_embeddings", options.tied},
      {"mask_token_id", options.vocab_size - 1},
      {"pad_token_id", options.vocab_size - 2},
  };
  if (options.head_size) config["head_dim"] = *options.head_size;
  config.update(json::parse("{" + options.extra_config + "}"));
  return config;
}

void write(const std::filesystem::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

}  // namespace

TinyModel make_tiny_model(const TinyModelOptions& options) {
  const std::int64_t D = options.hidden_size;
  const std::int64_t F = options.intermediate_size;
  const std::int64_t head_size = options.head_size.value_or(options.hidden_size / options.heads);
  const std::int64_t q_rows = options.heads * head_size;
  const std::int64_t kv_rows = options.kv_heads * head_size;
  TensorMaker maker(options.type, options.seed);
  maker.matrix("model.embed_tokens.weight", options.vocab_size, D);
  for (int layer = 0; layer < options.layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    maker.matrix(prefix + "self_attn.q_proj.weight", q_rows, D);
    maker.bias(prefix + "self_attn.q_proj.bias", q_rows);
    maker.matrix(prefix + "self_attn.k_proj.weight", kv_rows, D);
    maker.bias(prefix + "self_attn.k_proj.bias", kv_rows);
    maker.matrix(prefix + "self_attn.v_proj.weight", kv_rows, D);
    maker.bias(prefix + "self_attn.v_proj.bias", kv_rows);
    maker.matrix(prefix + "self_attn.o_proj.weight", D, q_rows);
    maker.matrix(prefix + "mlp.gate_proj.weight", F, D);
    maker.matrix(prefix + "mlp.up_proj.weight", F, D);
    maker.matrix(prefix + "mlp.down_proj.weight", D, F);
    maker.norm(prefix + "input_layernorm.weight", D);
    maker.norm(prefix + "post_attention_layernorm.weight", D);
  }
  maker.norm("model.norm.weight", D);
  if (!options.tied) maker.matrix("lm_head.weight", options.vocab_size, D);
  return {make_config(options).dump(1), maker.take()};
}

TinyModel quantised(const TinyModel& model, engine::QuantisedWeights weights) {
  json config = json::parse(model.config_json);
  config["lacuna_quantization"] = {{"bits", weights.bits}};
  if (weights.bits == 4) config["lacuna_quantization"]["group"] = weights.group;
  TinyModel result = {config.dump(1), {}};
  const auto add = [&](const std::string& name, const char* type, Shape shape, const auto& data) {
    const auto bytes = std::as_bytes(std::span(data));
    result.tensors.push_back(
        {name, type, std::move(shape),
         std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())});
  };
  for (const TensorToWrite& tensor : model.tensors) {
    if (tensor.shape.size() != 2) {
      result.tensors.push_back(tensor);
      continue;
    }
    const bool table = tensor.name.find("layers") == std::string::npos;
    const int bits = table ? 8 : weights.bits;
    const int n = static_cast<int>(tensor.shape[0]);
    const int k = static_cast<int>(tensor.shape[1]);
    const int groups = bits == 4 ? (k + weights.group - 1) / weights.group : 0;
    const auto type = bits == 4 ? kernels::DType::I4 : kernels::DType::I8;
    const auto row_bytes = kernels::row_bytes(type, k);
    const kernels::MatrixSource source = {
        .data = tensor.data.data(),
        .type = tensor.type_name == "F32" ? kernels::DType::F32 : kernels::DType::BF16,
        .rows = n};
    std::vector<float> row(static_cast<std::size_t>(k));
    std::vector<float> scales;
    std::vector<std::uint8_t> data(row_bytes * static_cast<std::size_t>(n));
    std::vector<std::uint8_t> steps(static_cast<std::size_t>(n) * groups);
    std::vector<std::int8_t> offsets(steps.size());
    for (std::size_t r = 0; r < static_cast<std::size_t>(n); ++r) {
      kernels::read_row(source, static_cast<int>(r), k, row.data());
      std::uint8_t* to = data.data() + r * row_bytes;
      scales.push_back(
          bits == 8 ? kernels::quantise_row_int8(row.data(), k, reinterpret_cast<std::int8_t*>(to))
                    : kernels::quantise_row_int4(row.data(), k, weights.group,
                                                 {.codes = to,
                                                  .steps = steps.data() + r * groups,
                                                  .offsets = offsets.data() + r * groups}));
    }
    add(tensor.name, bits == 4 ? "U8" : "I8", {n, static_cast<std::int64_t>(row_bytes)}, data);
    add(tensor.name + "_scale", "F32", {n}, scales);
    if (bits == 8) continue;
    add(tensor.name + "_step", "U8", {n, groups}, steps);
    add(tensor.name + "_offset", "I8", {n, groups}, offsets);
  }
  return result;
}

void write_model(const std::filesystem::path& folder, const TinyModel& model, int shards) {
  write(folder / "config.json", model.config_json);
  if (shards == 1) {
    write(folder / "model.safetensors", safetensors_bytes(model.tensors, {{"format", "pt"}}));
    return;
  }
  const auto n_shards = static_cast<std::size_t>(shards);
  json weight_map = json::object();
  for (std::size_t shard = 0; shard < n_shards; ++shard) {
    char name[64];
    std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", shard + 1, n_shards);
    const std::size_t begin = model.tensors.size() * shard / n_shards;
    const std::size_t end = model.tensors.size() * (shard + 1) / n_shards;
    const std::vector<TensorToWrite> part(
        model.tensors.begin() + static_cast<std::ptrdiff_t>(begin),
        model.tensors.begin() + static_cast<std::ptrdiff_t>(end));
    for (const TensorToWrite& tensor : part) weight_map[tensor.name] = name;
    write(folder / name, safetensors_bytes(part, {{"format", "pt"}}));
  }
  const json index = {{"metadata", {{"total_size", 0}}}, {"weight_map", weight_map}};
  write(folder / "model.safetensors.index.json", index.dump(1));
}

}  // namespace lacuna::test
