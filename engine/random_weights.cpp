#include "engine/random_weights.h"

#include <algorithm>
#include <cstring>
#include <random>

namespace lacuna::engine {
namespace {

std::size_t count(const std::vector<std::int64_t>& shape) {
  std::size_t n = 1;
  for (const std::int64_t size : shape) n *= static_cast<std::size_t>(size);
  return n;
}

void fill_with_noise(std::vector<std::byte>& numbers, kernels::DType type) {
  std::mt19937 generator(1);
  std::uniform_real_distribution<float> noise(-0.05F, 0.05F);
  const std::size_t size = kernels::size_of(type);
  for (std::size_t at = 0; at + size <= numbers.size(); at += size) {
    const float value = noise(generator);
    const std::uint16_t half = kernels::f32_to_bf16(value);
    std::memcpy(numbers.data() + at,
                type == kernels::DType::F32 ? static_cast<const void*>(&value) : &half, size);
  }
}

}  // namespace

RandomWeights random_weights(const ModelConfig& config, kernels::DType type) {
  const std::int64_t D = config.hidden_size;
  const std::int64_t F = config.intermediate_size;
  const std::int64_t V = config.vocab_size;
  const std::int64_t q = static_cast<std::int64_t>(config.heads) * config.head_size;
  const std::int64_t kv = static_cast<std::int64_t>(config.kv_heads) * config.head_size;

  RandomWeights weights;
  const std::size_t largest = static_cast<std::size_t>(std::max({V * D, F * D, q * D}));
  weights.numbers.resize(largest * kernels::size_of(type));
  fill_with_noise(weights.numbers, type);
  const auto view = [&](std::vector<std::int64_t> shape) {
    const std::size_t bytes = count(shape) * kernels::size_of(type);
    return TensorView{
        .type = type, .shape = std::move(shape), .data = std::span(weights.numbers).first(bytes)};
  };
  const auto bias = [&](std::int64_t n) { return config.qkv_bias ? view({n}) : TensorView{}; };
  for (int layer = 0; layer < config.layers; ++layer) {
    weights.tensors.layers.push_back({.input_norm = view({D}),
                                      .q = view({q, D}),
                                      .k = view({kv, D}),
                                      .v = view({kv, D}),
                                      .o = view({D, q}),
                                      .q_bias = bias(q),
                                      .k_bias = bias(kv),
                                      .v_bias = bias(kv),
                                      .post_norm = view({D}),
                                      .gate = view({F, D}),
                                      .up = view({F, D}),
                                      .down = view({D, F})});
  }
  weights.tensors.embedding = view({V, D});
  weights.tensors.norm = view({D});
  weights.tensors.lm_head = weights.tensors.embedding;  // the same numbers where they are not tied
  return weights;
}

ModelConfig qwen2_half_billion() {
  ModelConfig config;
  config.architecture = Architecture::Qwen2;
  config.vocab_size = 151936;
  config.hidden_size = 896;
  config.intermediate_size = 4864;
  config.layers = 24;
  config.heads = 14;
  config.kv_heads = 2;
  config.head_size = 64;
  config.max_positions = 32768;
  config.rms_norm_eps = 1e-6F;
  config.rope_theta = 1e6F;
  config.tied_embeddings = true;
  config.qkv_bias = true;
  config.shift_logits = true;
  return config;
}

ModelConfig dream_seven_billion() {
  ModelConfig config = qwen2_half_billion();
  config.architecture = Architecture::Dream;
  config.vocab_size = 152064;
  config.hidden_size = 3584;
  config.intermediate_size = 18944;
  config.layers = 28;
  config.heads = 28;
  config.kv_heads = 4;
  config.head_size = 128;
  config.max_positions = 131072;
  config.tied_embeddings = false;
  return config;
}

}  // namespace lacuna::engine
