#include "engine/transformer.h"

#include <cstdint>
#include <cstring>
#include <utility>

#include "engine/transformer_weights.h"

namespace lacuna::engine {

using kernels::PackedMatrix;

namespace {

PackedMatrix pack(kernels::CpuContext& context, kernels::WeightFormat format,
                  std::initializer_list<TensorView> stacked) {
  std::vector<kernels::MatrixSource> sources;
  for (const TensorView& tensor : stacked) {
    sources.push_back({.data = tensor.data.data(),
                       .type = tensor.type,
                       .rows = static_cast<int>(tensor.shape[0]),
                       .parts = tensor.parts});
  }
  return PackedMatrix::pack(context, sources, static_cast<int>(stacked.begin()->shape[1]), format);
}

// Norm weights and biases are few: kept as float whatever the format.
void append_floats(const TensorView& tensor, std::vector<float>& values) {
  const std::byte* bytes = tensor.data.data();
  const std::size_t size = kernels::size_of(tensor.type);
  for (std::size_t at = 0; at < tensor.data.size(); at += size) {
    if (tensor.type == kernels::DType::F32) {
      float value = 0;
      std::memcpy(&value, bytes + at, sizeof value);
      values.push_back(value);
    } else {
      std::uint16_t bits = 0;
      std::memcpy(&bits, bytes + at, sizeof bits);
      values.push_back(tensor.type == kernels::DType::BF16 ? kernels::bf16_to_f32(bits)
                                                           : kernels::f16_to_f32(bits));
    }
  }
}

std::vector<float> floats(std::initializer_list<TensorView> stacked) {
  std::vector<float> values;
  for (const TensorView& tensor : stacked) append_floats(tensor, values);
  return values;
}

}  // namespace

Transformer::Transformer(std::unique_ptr<const TransformerWeights> weights)
    : weights_(std::move(weights)) {}
Transformer::Transformer(Transformer&&) noexcept = default;
Transformer& Transformer::operator=(Transformer&&) noexcept = default;
Transformer::~Transformer() = default;

const ModelConfig& Transformer::config() const { return weights_->config; }

std::size_t Transformer::weight_bytes() const {
  std::size_t bytes = weights_->embedding.data.size() + weights_->head.bytes();
  for (const LayerWeights& layer : weights_->layers) {
    bytes += layer.qkv.bytes() + layer.o.bytes() + layer.gate_up.bytes() + layer.down.bytes();
  }
  return bytes;
}

Transformer Transformer::load(const ModelConfig& config, const ModelTensors& tensors,
                              kernels::CpuContext& context, kernels::WeightFormat format) {
  auto weights = std::make_unique<TransformerWeights>();
  weights->config = config;
  weights->embedding = tensors.embedding;
  weights->layers.reserve(tensors.layers.size());
  for (const LayerTensors& layer : tensors.layers) {
    weights->layers.push_back({.input_norm = floats({layer.input_norm}),
                               .qkv = pack(context, format, {layer.q, layer.k, layer.v}),
                               .qkv_bias = config.qkv_bias
                                               ? floats({layer.q_bias, layer.k_bias, layer.v_bias})
                                               : std::vector<float>{},
                               .o = pack(context, format, {layer.o}),
                               .post_norm = floats({layer.post_norm}),
                               .gate_up = pack(context, format, {layer.gate, layer.up}),
                               .down = pack(context, format, {layer.down})});
  }
  weights->norm = floats({tensors.norm});
  weights->head = pack(context, format, {tensors.lm_head});
  return Transformer(std::move(weights));
}

}  // namespace lacuna::engine
