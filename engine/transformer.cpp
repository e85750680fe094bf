#include "engine/transformer.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "kernels/cpu/aligned_buffer.h"

namespace lacuna::engine {

using kernels::PackedMatrix;

namespace {

// Rows that one pass over the weights computes. The buffers of the MLP grow with it (2 F floats a
// row: 77 MB for a 7B model); more rows make the products no faster.
constexpr int kChunk = 512;

struct LayerWeights {
  std::vector<float> input_norm;
  PackedMatrix qkv;
  std::vector<float> qkv_bias;  // empty when the model has none
  PackedMatrix o;
  std::vector<float> post_norm;
  PackedMatrix gate_up;
  PackedMatrix down;
};

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

// cos and sin of [capacity, P/2] angles, in float32 like the published code.
void rope_tables(int capacity, int head_size, float theta, std::vector<float>& cos,
                 std::vector<float>& sin) {
  const int pairs = head_size / 2;
  cos.resize(static_cast<std::size_t>(capacity) * pairs);
  sin.resize(cos.size());
  for (int i = 0; i < pairs; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_size);
    const float inverse_frequency = 1.0F / std::pow(theta, exponent);
    for (int t = 0; t < capacity; ++t) {
      const float angle = static_cast<float>(t) * inverse_frequency;
      const std::size_t at = static_cast<std::size_t>(t) * pairs + i;
      cos[at] = std::cos(angle);
      sin[at] = std::sin(angle);
    }
  }
}

}  // namespace

struct Transformer::Weights {
  ModelConfig config;
  TensorView embedding;  // a view into the checkpoint
  std::vector<LayerWeights> layers;
  std::vector<float> norm;
  PackedMatrix head;
};

Transformer::Transformer(std::unique_ptr<const Weights> weights) : weights_(std::move(weights)) {}
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
  auto weights = std::make_unique<Weights>();
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

struct ForwardPass::Buffers {
  const Transformer::Weights* weights;
  kernels::CpuContext* context;
  int capacity;
  kernels::Precision precision;

  std::vector<float> cos, sin;                       // [capacity, P/2]
  std::vector<kernels::AlignedBuffer> keys, values;  // for each layer, kv_floats each
  std::vector<std::int32_t> ids;                     // [capacity] tokens of the computed rows
  std::vector<float> x;          // [capacity, D] residual stream, of computed rows
  std::vector<float> q;          // [capacity, H P]
  std::vector<float> norm;       // [chunk, D]
  std::vector<float> qkv;        // [chunk, (H + 2 K) P]
  std::vector<float> attention;  // [chunk, H P]
  std::vector<float> gate_up;    // [chunk, 2 F]
  std::vector<float> activated;  // [chunk, F]
  std::vector<float> hidden;     // [capacity, D] final norm of the wanted rows
  int n_hidden = 0;

  void project_qkv(int layer_idx, std::span<const std::int32_t> rows);
  void keep_wanted(std::span<const std::int32_t> rows, std::span<const std::int32_t> wanted);
  void attend_and_mlp(int layer_idx, int n_rows, int canvas_size);
  kernels::KvCacheView cache(int layer_idx);
};

ForwardPass::ForwardPass(const Transformer& transformer, kernels::CpuContext& context, int capacity,
                         kernels::Precision precision)
    : buffers_(std::make_unique<Buffers>()) {
  const ModelConfig& config = transformer.config();
  Buffers& b = *buffers_;
  b.weights = transformer.weights_.get();
  b.context = &context;
  b.capacity = capacity;
  b.precision = precision;
  rope_tables(capacity, config.head_size, config.rope_theta, b.cos, b.sin);
  const std::size_t kv = kernels::kv_floats(capacity, config.kv_heads, config.head_size);
  for (int layer = 0; layer < config.layers; ++layer) {
    b.keys.emplace_back(kv * sizeof(float));
    b.values.emplace_back(kv * sizeof(float));
  }
  const auto rows = static_cast<std::size_t>(capacity);
  const auto chunk = static_cast<std::size_t>(std::min(capacity, kChunk));
  const auto heads = static_cast<std::size_t>(config.heads) * config.head_size;
  const auto kv_heads = static_cast<std::size_t>(config.kv_heads) * config.head_size;
  const auto mlp = static_cast<std::size_t>(config.intermediate_size);
  const auto width = static_cast<std::size_t>(config.hidden_size);
  b.ids.resize(rows);
  b.x.resize(rows * width);
  b.q.resize(rows * heads);
  b.norm.resize(chunk * width);
  b.qkv.resize(chunk * (heads + 2 * kv_heads));
  b.attention.resize(chunk * heads);
  b.gate_up.resize(chunk * 2 * mlp);
  b.activated.resize(chunk * mlp);
  b.hidden.resize(rows * width);
}

ForwardPass::ForwardPass(ForwardPass&&) noexcept = default;
ForwardPass& ForwardPass::operator=(ForwardPass&&) noexcept = default;
ForwardPass::~ForwardPass() = default;

int ForwardPass::capacity() const { return buffers_->capacity; }

kernels::KvCacheView ForwardPass::Buffers::cache(int layer_idx) {
  return {.keys = keys[layer_idx].as<float>(),
          .values = values[layer_idx].as<float>(),
          .capacity = capacity,
          .K = weights->config.kv_heads,
          .P = weights->config.head_size};
}

// Queries of all rows to q, their keys and values to the cache: every row's must be there before
// the first row attends.
void ForwardPass::Buffers::project_qkv(int layer_idx, std::span<const std::int32_t> rows) {
  const ModelConfig& config = weights->config;
  const LayerWeights& layer = weights->layers[layer_idx];
  const int D = config.hidden_size;
  const std::size_t q_stride = static_cast<std::size_t>(config.heads) * config.head_size;
  for (std::size_t first = 0; first < rows.size(); first += kChunk) {
    const int M = static_cast<int>(std::min<std::size_t>(kChunk, rows.size() - first));
    kernels::rms_norm(*context, {.y = norm.data(),
                                 .x = x.data() + first * D,
                                 .weight = layer.input_norm.data(),
                                 .M = M,
                                 .D = D,
                                 .eps = config.rms_norm_eps});
    kernels::matmul(*context, {.y = qkv.data(),
                               .x = norm.data(),
                               .w = &layer.qkv,
                               .bias = layer.qkv_bias.empty() ? nullptr : layer.qkv_bias.data(),
                               .M = M,
                               .x_stride = D,
                               .accumulate = false,
                               .precision = precision});
    kernels::rope_store(*context, {.q = q.data() + first * q_stride,
                                   .cache = cache(layer_idx),
                                   .qkv = qkv.data(),
                                   .positions = rows.data() + first,
                                   .cos = cos.data(),
                                   .sin = sin.data(),
                                   .M = M,
                                   .H = config.heads});
  }
}

void ForwardPass::Buffers::attend_and_mlp(int layer_idx, int n_rows, int canvas_size) {
  const ModelConfig& config = weights->config;
  const LayerWeights& layer = weights->layers[layer_idx];
  const int D = config.hidden_size;
  const int F = config.intermediate_size;
  const int HP = config.heads * config.head_size;
  for (int first = 0; first < n_rows; first += kChunk) {
    const int M = std::min(kChunk, n_rows - first);
    float* residual = x.data() + static_cast<std::size_t>(first) * D;
    kernels::attention(*context, {.y = attention.data(),
                                  .q = q.data() + static_cast<std::size_t>(first) * HP,
                                  .cache = cache(layer_idx),
                                  .M = M,
                                  .H = config.heads,
                                  .T = canvas_size,
                                  .scale = 1.0F / std::sqrt(static_cast<float>(config.head_size))});
    kernels::matmul(*context, {.y = residual,
                               .x = attention.data(),
                               .w = &layer.o,
                               .bias = nullptr,
                               .M = M,
                               .x_stride = HP,
                               .accumulate = true,
                               .precision = precision});
    kernels::rms_norm(*context, {.y = norm.data(),
                                 .x = residual,
                                 .weight = layer.post_norm.data(),
                                 .M = M,
                                 .D = D,
                                 .eps = config.rms_norm_eps});
    kernels::matmul(*context, {.y = gate_up.data(),
                               .x = norm.data(),
                               .w = &layer.gate_up,
                               .bias = nullptr,
                               .M = M,
                               .x_stride = D,
                               .accumulate = false,
                               .precision = precision});
    kernels::swiglu(*context, {.y = activated.data(), .gate_up = gate_up.data(), .M = M, .F = F});
    kernels::matmul(*context, {.y = residual,
                               .x = activated.data(),
                               .w = &layer.down,
                               .bias = nullptr,
                               .M = M,
                               .x_stride = F,
                               .accumulate = true,
                               .precision = precision});
  }
}

// Moves the wanted rows of x and q to the front. wanted is an increasing subset of rows, so a row
// never moves back.
void ForwardPass::Buffers::keep_wanted(std::span<const std::int32_t> rows,
                                       std::span<const std::int32_t> wanted) {
  const std::size_t D = weights->config.hidden_size;
  const std::size_t HP =
      static_cast<std::size_t>(weights->config.heads) * weights->config.head_size;
  std::size_t from = 0;
  for (std::size_t to = 0; to < wanted.size(); ++to, ++from) {
    while (rows[from] != wanted[to]) ++from;
    if (from == to) continue;
    std::copy_n(x.data() + from * D, D, x.data() + to * D);
    std::copy_n(q.data() + from * HP, HP, q.data() + to * HP);
  }
}

void ForwardPass::run(std::span<const std::int32_t> canvas, std::span<const std::int32_t> rows,
                      std::span<const std::int32_t> wanted) {
  Buffers& b = *buffers_;
  const ModelConfig& config = b.weights->config;
  assert(static_cast<int>(canvas.size()) <= b.capacity);
  assert(std::includes(rows.begin(), rows.end(), wanted.begin(), wanted.end()));
  for (std::size_t i = 0; i < rows.size(); ++i) b.ids[i] = canvas[rows[i]];
  kernels::embed(*b.context, {.y = b.x.data(),
                              .table = b.weights->embedding.data.data(),
                              .type = b.weights->embedding.type,
                              .ids = b.ids.data(),
                              .M = static_cast<int>(rows.size()),
                              .D = config.hidden_size,
                              .scales = b.weights->embedding.parts.scales});
  const int canvas_size = static_cast<int>(canvas.size());
  for (int layer = 0; layer < config.layers; ++layer) {
    b.project_qkv(layer, rows);
    // Nothing reads the last layer's output but the head, and it only at the wanted rows.
    const bool last = layer == config.layers - 1;
    if (last) b.keep_wanted(rows, wanted);
    b.attend_and_mlp(layer, static_cast<int>(last ? wanted.size() : rows.size()), canvas_size);
  }
  b.n_hidden = static_cast<int>(wanted.size());
  kernels::rms_norm(*b.context, {.y = b.hidden.data(),
                                 .x = b.x.data(),
                                 .weight = b.weights->norm.data(),
                                 .M = b.n_hidden,
                                 .D = config.hidden_size,
                                 .eps = config.rms_norm_eps});
}

void ForwardPass::logits(int first, int count, float* out) {
  const Buffers& b = *buffers_;
  assert(first >= 0 && first + count <= b.n_hidden);
  const int D = b.weights->config.hidden_size;
  kernels::matmul(*b.context, {.y = out,
                               .x = b.hidden.data() + static_cast<std::size_t>(first) * D,
                               .w = &b.weights->head,
                               .bias = nullptr,
                               .M = count,
                               .x_stride = D,
                               .accumulate = false,
                               .precision = b.precision});
}

}  // namespace lacuna::engine
