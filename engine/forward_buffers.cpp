#include "engine/forward_buffers.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace lacuna::engine {
namespace {

// Logits live in pieces of about this size: 64 rows of a 152k vocabulary, never a whole canvas.
constexpr std::size_t kLogitBytes = 40U << 20;

template <class T>
kernels::Memory numbers(kernels::Backend& backend, std::size_t count) {
  return backend.allocate(count * sizeof(T));
}

// cos and sin of [capacity, P/2] angles, in float32 like the published code.
struct RopeTables {
  std::vector<float> cos, sin;
};

RopeTables rope_tables(int capacity, int head_size, float theta) {
  const int pairs = head_size / 2;
  RopeTables tables;
  std::vector<float>& cos = tables.cos;
  std::vector<float>& sin = tables.sin;
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
  return tables;
}

kernels::Memory copy_of(kernels::Backend& backend, const std::vector<float>& values) {
  kernels::Memory memory = numbers<float>(backend, values.size());
  backend.upload(memory.as<float>(), values.data(), memory.bytes());
  return memory;
}

// So that requests of about one size find what the one before has left.
ForwardLimits rounded(ForwardLimits limits) {
  constexpr int kGrain = 256;
  const auto up = [](int count) { return (count + kGrain - 1) / kGrain * kGrain; };
  limits.canvas = up(limits.canvas);
  limits.rows = up(limits.rows);
  limits.variant_rows = up(limits.variant_rows);
  return limits;
}

ForwardLimits larger(const ForwardLimits& a, const ForwardLimits& b) {
  return {.canvas = std::max(a.canvas, b.canvas),
          .slots = std::max(a.slots, b.slots),
          .rows = std::max(a.rows, b.rows),
          .variant_rows = std::max(a.variant_rows, b.variant_rows),
          .splices = a.splices || b.splices,
          .watches = a.watches || b.watches};
}

}  // namespace

void Indices::allocate(kernels::Backend& backend, std::size_t count) {
  host.resize(count);
  memory = numbers<std::int32_t>(backend, count);
}

void Indices::upload(kernels::Backend& backend, int count) {
  backend.upload(memory.as<std::int32_t>(), host.data(),
                 static_cast<std::size_t>(count) * sizeof(std::int32_t));
}

KvBuffer::KvBuffer(kernels::Backend& backend, int capacity, const ModelConfig& config, int slots)
    : slot_bytes(backend.kv_bytes(capacity, config.kv_heads, config.head_size)) {
  keys = backend.allocate(slot_bytes * static_cast<std::size_t>(slots));
  values = backend.allocate(keys.bytes());
  view = {.keys = keys.as<float>(),
          .values = values.as<float>(),
          .capacity = capacity,
          .K = config.kv_heads,
          .P = config.head_size};
}

kernels::KvCacheView KvBuffer::slot(int index) const {
  const std::size_t begin = slot_bytes * static_cast<std::size_t>(index);
  kernels::KvCacheView other = view;
  other.keys = reinterpret_cast<float*>(keys.as<std::byte>() + begin);
  other.values = reinterpret_cast<float*>(values.as<std::byte>() + begin);
  return other;
}

std::size_t KvStore::bytes() const {
  std::size_t bytes = 0;
  for (const KvBuffer& layer : layers) bytes += layer.keys.bytes() + layer.values.bytes();
  return bytes;
}

ForwardPass::ForwardPass(const Transformer& transformer, kernels::CpuContext& context,
                         const ForwardLimits& limits, kernels::Precision precision)
    : buffers_(Buffers::for_pass(*transformer.weights_, context, limits, precision)) {}

std::unique_ptr<ForwardPass::Buffers> ForwardPass::Buffers::for_pass(
    const TransformerWeights& weights, kernels::CpuContext& context, ForwardLimits limits,
    kernels::Precision precision) {
  if (limits.rows == 0) limits.rows = limits.canvas * limits.slots;
  if (weights.device == nullptr) return make(weights, context, limits, precision);
  std::unique_ptr<Buffers> kept(static_cast<Buffers*>(weights.kept_pass.release()));
  limits = rounded(limits);
  if (kept == nullptr) return make(weights, context, limits, precision);
  const ForwardLimits both = larger(kept->limits, limits);
  if (both == kept->limits) {
    kept->precision = precision;
    kept->parts.clear();
    kept->n_hidden = 0;
    return kept;
  }
  kept.reset();  // first gives back what there is
  try {
    return make(weights, context, both, precision);
  } catch (const kernels::DeviceError& error) {
    if (!error.out_of_memory) throw;
  }
  return make(weights, context, limits, precision);
}

std::unique_ptr<ForwardPass::Buffers> ForwardPass::Buffers::make(const TransformerWeights& weights,
                                                                 kernels::CpuContext& context,
                                                                 const ForwardLimits& limits,
                                                                 kernels::Precision precision) {
  auto buffers = std::make_unique<Buffers>();
  buffers->weights = &weights;
  buffers->backend = weights.device;
  if (weights.device == nullptr) {
    buffers->cpu = std::make_unique<kernels::CpuBackend>(context);
    buffers->backend = buffers->cpu.get();
  }
  buffers->limits = limits;
  buffers->precision = precision;
  buffers->allocate();
  return buffers;
}

void ForwardPass::Buffers::allocate() {
  const ModelConfig& config = weights->config;
  kernels::Backend& device = *backend;
  const RopeTables rope = rope_tables(limits.canvas, config.head_size, config.rope_theta);
  cos = copy_of(device, rope.cos);
  sin = copy_of(device, rope.sin);
  for (int layer = 0; layer < config.layers; ++layer)
    kv.emplace_back(device, limits.canvas, config, limits.slots);
  if (limits.variant_rows > 0) variant_kv = KvBuffer(device, limits.variant_rows, config);
  if (limits.splices) spliced_kv = KvBuffer(device, limits.canvas, config);
  const auto rows = static_cast<std::size_t>(limits.rows);
  const auto chunk = static_cast<std::size_t>(std::min(limits.rows, kChunk));
  const auto kv_heads = static_cast<std::size_t>(config.kv_heads) * config.head_size;
  const auto heads = static_cast<std::size_t>(heads_width());
  const auto mlp = static_cast<std::size_t>(config.intermediate_size);
  const auto D = static_cast<std::size_t>(width());
  parts.reserve(rows + 1);
  ids.allocate(device, rows);
  places.allocate(device, rows);
  kept.allocate(device, rows);
  sides.allocate(device, static_cast<std::size_t>(limits.variant_rows));
  std::iota(sides.host.begin(), sides.host.end(), 0);
  sides.upload(device, limits.variant_rows);
  x = numbers<float>(device, rows * D);
  q = numbers<float>(device, rows * heads);
  hidden = numbers<float>(device, rows * D);
  norm = numbers<float>(device, chunk * D);
  qkv = numbers<float>(device, chunk * (heads + 2 * kv_heads));
  gate_up = numbers<float>(device, chunk * 2 * mlp);
  activated = numbers<float>(device, chunk * mlp);
  const int kept_logits = device.on_host() ? 0 : logit_rows(limits.rows, config.vocab_size);
  logits = numbers<float>(device, static_cast<std::size_t>(kept_logits) * config.vocab_size);
  if (device.step_device() != nullptr)
    step.emplace(*device.step_device(), device, config.vocab_size);
  if (!limits.watches) return;
  watched.resize(static_cast<std::size_t>(config.heads) * limits.canvas);
  weighed = numbers<float>(device, watched.size());
  watching.allocate(device, rows);
}

int logit_rows(int rows, int vocab_size) {
  const std::size_t row = static_cast<std::size_t>(vocab_size) * sizeof(float);
  const int fit = static_cast<int>(std::max<std::size_t>(1, kLogitBytes / row));
  // A product on a GPU reads the weights once for each 64 rows.
  return std::min(rows, fit > 64 ? fit / 64 * 64 : fit);
}

ForwardPass::ForwardPass(ForwardPass&&) noexcept = default;
ForwardPass& ForwardPass::operator=(ForwardPass&& other) noexcept {
  std::swap(buffers_, other.buffers_);
  return *this;
}
ForwardPass::~ForwardPass() {
  if (buffers_ == nullptr || buffers_->backend->on_host()) return;
  const TransformerWeights& weights = *buffers_->weights;
  weights.kept_pass = std::move(buffers_);
}

const ForwardLimits& ForwardPass::limits() const { return buffers_->limits; }

std::size_t ForwardPass::store_bytes(int capacity) const {
  const ModelConfig& config = buffers_->weights->config;
  return 2 * static_cast<std::size_t>(config.layers) *
         buffers_->backend->kv_bytes(capacity, config.kv_heads, config.head_size);
}

KvStore ForwardPass::make_store(int capacity) {
  const ModelConfig& config = buffers_->weights->config;
  KvStore store;
  store.capacity = capacity;
  for (int layer = 0; layer < config.layers; ++layer)
    store.layers.emplace_back(*buffers_->backend, capacity, config);
  return store;
}

}  // namespace lacuna::engine
