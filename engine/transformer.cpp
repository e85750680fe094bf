#include "engine/transformer.h"

#include <cstdint>
#include <cstring>
#include <utility>

#include "engine/transformer_weights.h"
#include "kernels/cpu/cpu_backend.h"

namespace lacuna::engine {

namespace {

std::unique_ptr<kernels::Weights> pack(kernels::Backend& backend, kernels::WeightFormat format,
                                       std::initializer_list<TensorView> stacked) {
  std::vector<kernels::MatrixSource> sources;
  for (const TensorView& tensor : stacked) {
    sources.push_back({.data = tensor.data.data(),
                       .type = tensor.type,
                       .rows = static_cast<int>(tensor.shape[0]),
                       .parts = tensor.parts});
  }
  return backend.weights(sources, static_cast<int>(stacked.begin()->shape[1]), format);
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

kernels::Memory floats(kernels::Backend& backend, std::initializer_list<TensorView> stacked) {
  std::vector<float> values;
  for (const TensorView& tensor : stacked) append_floats(tensor, values);
  kernels::Memory memory = backend.allocate(values.size() * sizeof(float));
  backend.upload(memory.as<float>(), values.data(), memory.bytes());
  return memory;
}

std::unique_ptr<TransformerWeights> load_weights(const ModelConfig& config,
                                                 const ModelTensors& tensors,
                                                 kernels::Backend& backend,
                                                 kernels::WeightFormat format,
                                                 const LoadProgress& on_progress) {
  auto weights = std::make_unique<TransformerWeights>();
  weights->config = config;
  const TensorView& table = tensors.embedding;
  weights->embedding = backend.share(table.data.data(), table.data.size());
  weights->embedding_type = table.type;
  if (table.parts.scales != nullptr) {
    weights->embedding_scales =
        backend.share(table.parts.scales, static_cast<std::size_t>(table.shape[0]) * sizeof(float));
  }
  const int parts = static_cast<int>(tensors.layers.size()) + 1;  // the head is the last one
  const auto tell = [&](std::size_t done) {
    if (on_progress) on_progress(static_cast<int>(done), parts);
  };
  weights->layers.reserve(tensors.layers.size());
  for (const LayerTensors& layer : tensors.layers) {
    const auto matrix = [&](std::initializer_list<TensorView> stacked) {
      return pack(backend, format, stacked);
    };
    weights->layers.push_back(
        {.input_norm = floats(backend, {layer.input_norm}),
         .qkv = matrix({layer.q, layer.k, layer.v}),
         .qkv_bias = config.qkv_bias ? floats(backend, {layer.q_bias, layer.k_bias, layer.v_bias})
                                     : kernels::Memory(),
         .o = matrix({layer.o}),
         .post_norm = floats(backend, {layer.post_norm}),
         .gate_up = matrix({layer.gate, layer.up}),
         .down = matrix({layer.down})});
    tell(weights->layers.size());
  }
  weights->norm = floats(backend, {tensors.norm});
  weights->head = pack(backend, format, {tensors.lm_head});
  tell(weights->layers.size() + 1);
  return weights;
}

}  // namespace

Transformer::Transformer(std::unique_ptr<const TransformerWeights> weights)
    : weights_(std::move(weights)) {}
Transformer::Transformer(Transformer&&) noexcept = default;
Transformer& Transformer::operator=(Transformer&&) noexcept = default;
Transformer::~Transformer() = default;

const ModelConfig& Transformer::config() const { return weights_->config; }

kernels::Backend* Transformer::device() const { return weights_->device; }

std::size_t Transformer::weight_bytes() const {
  std::size_t bytes = weights_->embedding.bytes() + weights_->head->bytes();
  for (const LayerWeights& layer : weights_->layers) {
    bytes += layer.qkv->bytes() + layer.o->bytes() + layer.gate_up->bytes() + layer.down->bytes();
  }
  return bytes;
}

Transformer Transformer::load(const ModelConfig& config, const ModelTensors& tensors,
                              kernels::CpuContext& context, kernels::WeightFormat format,
                              const LoadProgress& on_progress) {
  kernels::CpuBackend backend(context);
  return Transformer(load_weights(config, tensors, backend, format, on_progress));
}

Transformer Transformer::load(const ModelConfig& config, const ModelTensors& tensors,
                              kernels::Backend& device, kernels::WeightFormat format,
                              const LoadProgress& on_progress) {
  std::unique_ptr<TransformerWeights> weights =
      load_weights(config, tensors, device, format, on_progress);
  weights->device = &device;
  return Transformer(std::move(weights));
}

}  // namespace lacuna::engine
