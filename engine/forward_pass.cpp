#include "engine/forward_pass.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "engine/transformer_weights.h"
#include "kernels/cpu/aligned_buffer.h"
#include "kernels/kernels.h"

namespace lacuna::engine {
namespace {

// Rows that one pass over the weights computes. The buffers of the MLP grow with it (2 F floats a
// row: 77 MB for a 7B model); more rows make the products no faster.
constexpr int kChunk = 512;

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

// Keys and values of one layer.
struct KvBuffer {
  KvBuffer() = default;
  KvBuffer(int capacity, const ModelConfig& config)
      : keys(kernels::kv_floats(capacity, config.kv_heads, config.head_size) * sizeof(float)),
        values(kernels::kv_floats(capacity, config.kv_heads, config.head_size) * sizeof(float)),
        view{.keys = keys.as<float>(),
             .values = values.as<float>(),
             .capacity = capacity,
             .K = config.kv_heads,
             .P = config.head_size} {}

  kernels::AlignedBuffer keys, values;
  kernels::KvCacheView view{};
};

// An input's rows within the rows of the run.
struct Part {
  const ForwardInput* input;
  int first;          // of all rows
  int variant_first;  // of the rows of all variants
  int first_query;    // of the rows that attend: all, in the last layer the wanted ones
  int queries;
  int rows() const { return static_cast<int>(input->rows.size()); }
  int end() const { return first + rows(); }
};

bool all_stopped(std::span<const ForwardInput> inputs) {
  return std::all_of(inputs.begin(), inputs.end(), [](const ForwardInput& input) {
    return input.stop != nullptr && input.stop->stop_requested();
  });
}

}  // namespace

struct ForwardPass::Buffers {
  const TransformerWeights* weights;
  kernels::CpuContext* context;
  ForwardLimits limits;
  kernels::Precision precision;

  std::vector<float> cos, sin;  // [canvas, P/2]
  std::vector<KvBuffer> kv;     // [slots][layers]
  KvBuffer variant_kv;          // of one layer: rows of all variants
  KvBuffer spliced_kv;          // of one layer: what a spliced variant sees

  std::vector<Part> parts;             // of the last run
  std::vector<std::int32_t> ids;       // [rows] tokens of the computed rows
  std::vector<std::int32_t> places;    // [rows] their positions
  std::vector<std::int32_t> sides;     // [variant rows] 0, 1, ...
  std::vector<float> x;                // [rows, D] residual stream
  std::vector<float> q;                // [rows, H P] queries, then what attention made of them
  std::vector<float> hidden;           // [rows, D] final norm of the wanted rows
  std::vector<float> norm;             // [chunk, D]
  std::vector<float> qkv;              // [chunk, (H + 2 K) P]
  std::vector<float> gate_up;          // [chunk, 2 F]
  std::vector<float> activated;        // [chunk, F]
  std::vector<float> watched;          // [H, canvas] weights of attention, for a watch
  std::vector<std::int32_t> watching;  // the rows of the run that they are of
  int n_hidden = 0;

  int width() const { return weights->config.hidden_size; }
  int heads_width() const { return weights->config.heads * weights->config.head_size; }
  float* x_row(int row) { return x.data() + static_cast<std::size_t>(row) * width(); }
  float* q_row(int row) { return q.data() + static_cast<std::size_t>(row) * heads_width(); }
  kernels::KvCacheView cache(int slot, int layer) {
    return kv[static_cast<std::size_t>(slot) * weights->layers.size() + layer].view;
  }

  int lay_out(std::span<const ForwardInput> inputs);
  void project_qkv(int layer, int n_rows);
  void store(int layer, const Part& part, int first, int end, const float* qkv_rows);
  void watch(int layer, const Part& part);
  std::span<const float> mean_attention(int layer, const Part& part);
  void attend(int layer, const Part& part);
  kernels::KvCacheView spliced_cache(int layer, const ForwardInput& input);
  int keep_wanted();
  void output_and_mlp(int layer, int n_rows);
};

ForwardPass::ForwardPass(const Transformer& transformer, kernels::CpuContext& context,
                         const ForwardLimits& limits, kernels::Precision precision)
    : buffers_(std::make_unique<Buffers>()) {
  const ModelConfig& config = transformer.config();
  Buffers& b = *buffers_;
  b.weights = transformer.weights_.get();
  b.context = &context;
  b.limits = limits;
  if (b.limits.rows == 0) b.limits.rows = limits.canvas * limits.slots;
  b.precision = precision;
  rope_tables(limits.canvas, config.head_size, config.rope_theta, b.cos, b.sin);
  for (int i = 0; i < limits.slots * config.layers; ++i) b.kv.emplace_back(limits.canvas, config);
  if (limits.variant_rows > 0) b.variant_kv = KvBuffer(limits.variant_rows, config);
  if (limits.splices) b.spliced_kv = KvBuffer(limits.canvas, config);
  const auto rows = static_cast<std::size_t>(b.limits.rows);
  const auto chunk = static_cast<std::size_t>(std::min(b.limits.rows, kChunk));
  const auto heads = static_cast<std::size_t>(config.heads) * config.head_size;
  const auto kv_heads = static_cast<std::size_t>(config.kv_heads) * config.head_size;
  const auto mlp = static_cast<std::size_t>(config.intermediate_size);
  const auto width = static_cast<std::size_t>(config.hidden_size);
  b.parts.reserve(rows + 1);
  b.ids.resize(rows);
  b.places.resize(rows);
  b.sides.resize(static_cast<std::size_t>(limits.variant_rows));
  for (int i = 0; i < limits.variant_rows; ++i) b.sides[i] = i;
  b.x.resize(rows * width);
  b.q.resize(rows * heads);
  b.hidden.resize(rows * width);
  b.norm.resize(chunk * width);
  b.qkv.resize(chunk * (heads + 2 * kv_heads));
  b.gate_up.resize(chunk * 2 * mlp);
  b.activated.resize(chunk * mlp);
  if (!limits.watches) return;
  b.watched.resize(static_cast<std::size_t>(config.heads) * limits.canvas);
  b.watching.reserve(static_cast<std::size_t>(limits.canvas));
}

ForwardPass::ForwardPass(ForwardPass&&) noexcept = default;
ForwardPass& ForwardPass::operator=(ForwardPass&&) noexcept = default;
ForwardPass::~ForwardPass() = default;

const ForwardLimits& ForwardPass::limits() const { return buffers_->limits; }

// Fills parts, ids and places; returns the number of rows.
int ForwardPass::Buffers::lay_out(std::span<const ForwardInput> inputs) {
  parts.clear();
  int n_rows = 0;
  int n_variant_rows = 0;
  for (const ForwardInput& input : inputs) {
    assert(static_cast<int>(input.canvas.size()) <= limits.canvas && input.slot < limits.slots);
    assert(std::includes(input.rows.begin(), input.rows.end(), input.wanted.begin(),
                         input.wanted.end()));
    assert(!input.splice || (input.variant && limits.splices));
    assert(input.watch == nullptr || (!input.variant && limits.watches));
    if (input.rows.empty()) continue;
    parts.push_back({.input = &input,
                     .first = n_rows,
                     .variant_first = n_variant_rows,
                     .first_query = n_rows,
                     .queries = static_cast<int>(input.rows.size())});
    assert(n_rows + static_cast<int>(input.rows.size()) <= limits.rows);
    for (const std::int32_t row : input.rows) {
      ids[n_rows] = input.canvas[row];
      places[n_rows++] = row;
    }
    if (input.variant) n_variant_rows += static_cast<int>(input.rows.size());
  }
  assert(n_variant_rows <= limits.variant_rows);
  return n_rows;
}

// Queries of all rows to q, their keys and values to the caches: every row's must be there before
// the first row attends.
void ForwardPass::Buffers::project_qkv(int layer_idx, int n_rows) {
  const ModelConfig& config = weights->config;
  const LayerWeights& layer = weights->layers[layer_idx];
  std::size_t next = 0;
  for (int first = 0; first < n_rows; first += kChunk) {
    const int M = std::min(kChunk, n_rows - first);
    kernels::rms_norm(*context, {.y = norm.data(),
                                 .x = x_row(first),
                                 .weight = layer.input_norm.data(),
                                 .M = M,
                                 .D = width(),
                                 .eps = config.rms_norm_eps});
    kernels::matmul(*context, {.y = qkv.data(),
                               .x = norm.data(),
                               .w = &layer.qkv,
                               .bias = layer.qkv_bias.empty() ? nullptr : layer.qkv_bias.data(),
                               .M = M,
                               .x_stride = width(),
                               .accumulate = false,
                               .precision = precision});
    const std::size_t width = static_cast<std::size_t>(layer.qkv.n());
    for (; next < parts.size() && parts[next].first < first + M; ++next) {
      const int begin = std::max(first, parts[next].first);
      const int end = std::min(first + M, parts[next].end());
      store(layer_idx, parts[next], begin, end,
            qkv.data() + static_cast<std::size_t>(begin - first) * width);
      if (end < parts[next].end()) break;  // goes on in the next chunk
    }
  }
}

void ForwardPass::Buffers::store(int layer, const Part& part, int first, int end,
                                 const float* qkv_rows) {
  const ForwardInput& input = *part.input;
  const int in_part = first - part.first;
  kernels::rope_store(
      *context, {.q = q_row(first),
                 .cache = input.variant ? variant_kv.view : cache(input.slot, layer),
                 .qkv = qkv_rows,
                 .positions = places.data() + first,
                 .places = input.variant ? sides.data() + part.variant_first + in_part : nullptr,
                 .cos = cos.data(),
                 .sin = sin.data(),
                 .M = end - first,
                 .H = weights->config.heads});
}

// The slot's keys and values as they stand after the input's splice, with gaps for its rows.
kernels::KvCacheView ForwardPass::Buffers::spliced_cache(int layer, const ForwardInput& input) {
  const CanvasSplice& splice = *input.splice;
  const int by = splice.inserted - splice.removed;
  const int old_size = static_cast<int>(input.canvas.size()) - by;
  const kernels::KvMove move = {.from = cache(input.slot, layer),
                                .to = spliced_kv.view,
                                .cos = cos.data(),
                                .sin = sin.data(),
                                .begin = 0,
                                .end = splice.begin,
                                .by = 0};
  kernels::kv_move(*context, move);
  kernels::KvMove rest = move;
  rest.begin = splice.begin + splice.removed;
  rest.end = old_size;
  rest.by = by;
  kernels::kv_move(*context, rest);
  return spliced_kv.view;
}

// The weights with which the rows `watching` attend to the canvas, the mean over heads: [T]. Their
// queries and all keys must be there.
std::span<const float> ForwardPass::Buffers::mean_attention(int layer, const Part& part) {
  const int H = weights->config.heads;
  const int T = static_cast<int>(part.input->canvas.size());
  kernels::attention_weights(
      *context, {.y = watched.data(),
                 .q = q.data(),
                 .rows = watching.data(),
                 .cache = cache(part.input->slot, layer),
                 .M = static_cast<int>(watching.size()),
                 .H = H,
                 .T = T,
                 .scale = 1.0F / std::sqrt(static_cast<float>(weights->config.head_size))});
  for (int h = 1; h < H; ++h) {
    const float* head = watched.data() + static_cast<std::size_t>(h) * T;
    for (int t = 0; t < T; ++t) watched[t] += head[t];
  }
  for (int t = 0; t < T; ++t) watched[t] /= static_cast<float>(H);
  return std::span(watched).first(static_cast<std::size_t>(T));
}

void ForwardPass::Buffers::watch(int layer, const Part& part) {
  AttentionWatch& watch = *part.input->watch;
  const std::span<const std::int32_t> rows = part.input->rows;
  if (rows.size() == part.input->canvas.size()) {
    watching.clear();
    for (const std::int32_t position : watch.masked()) watching.push_back(part.first + position);
    watch.choose(layer, mean_attention(layer, part));
  }
  const int token = watch.token(layer);
  if (token < 0) return;
  const auto at = std::lower_bound(rows.begin(), rows.end(), token);
  assert(at != rows.end() && *at == token);
  watching.assign(1, part.first + static_cast<int>(at - rows.begin()));
  watch.follow(layer, mean_attention(layer, part));
}

void ForwardPass::Buffers::attend(int layer, const Part& part) {
  const ForwardInput& input = *part.input;
  const kernels::KvCacheView seen =
      input.splice ? spliced_cache(layer, input) : cache(input.slot, layer);
  kernels::KvCacheView mine = variant_kv.view;
  const kernels::KvSwap swap = {.a = seen,
                                .b = mine,
                                .a_places = places.data() + part.first,
                                .b_places = sides.data() + part.variant_first,
                                .M = part.rows()};
  if (input.variant) kernels::kv_swap(*context, swap);
  kernels::attention(*context,
                     {.y = q_row(part.first_query),
                      .q = q_row(part.first_query),
                      .cache = seen,
                      .M = part.queries,
                      .H = weights->config.heads,
                      .T = static_cast<int>(input.canvas.size()),
                      .scale = 1.0F / std::sqrt(static_cast<float>(weights->config.head_size))});
  if (input.variant) kernels::kv_swap(*context, swap);
}

void ForwardPass::Buffers::output_and_mlp(int layer_idx, int n_rows) {
  const ModelConfig& config = weights->config;
  const LayerWeights& layer = weights->layers[layer_idx];
  const int F = config.intermediate_size;
  for (int first = 0; first < n_rows; first += kChunk) {
    const int M = std::min(kChunk, n_rows - first);
    float* residual = x_row(first);
    kernels::matmul(*context, {.y = residual,
                               .x = q_row(first),
                               .w = &layer.o,
                               .bias = nullptr,
                               .M = M,
                               .x_stride = heads_width(),
                               .accumulate = true,
                               .precision = precision});
    kernels::rms_norm(*context, {.y = norm.data(),
                                 .x = residual,
                                 .weight = layer.post_norm.data(),
                                 .M = M,
                                 .D = width(),
                                 .eps = config.rms_norm_eps});
    kernels::matmul(*context, {.y = gate_up.data(),
                               .x = norm.data(),
                               .w = &layer.gate_up,
                               .bias = nullptr,
                               .M = M,
                               .x_stride = width(),
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

// Moves the wanted rows of x and q to the front; returns how many there are. They are an increasing
// subset, so a row never moves back.
int ForwardPass::Buffers::keep_wanted() {
  int to = 0;
  for (Part& part : parts) {
    const std::span<const std::int32_t> rows = part.input->rows;
    part.first_query = to;
    part.queries = static_cast<int>(part.input->wanted.size());
    std::size_t from = 0;
    for (const std::int32_t wanted : part.input->wanted) {
      while (rows[from] != wanted) ++from;
      const int row = part.first + static_cast<int>(from);
      if (row != to) {
        std::copy_n(x_row(row), width(), x_row(to));
        std::copy_n(q_row(row), heads_width(), q_row(to));
      }
      ++to;
    }
  }
  return to;
}

bool ForwardPass::run(std::span<const ForwardInput> inputs) {
  Buffers& b = *buffers_;
  const ModelConfig& config = b.weights->config;
  int n_rows = b.lay_out(inputs);
  kernels::embed(*b.context, {.y = b.x.data(),
                              .table = b.weights->embedding.data.data(),
                              .type = b.weights->embedding.type,
                              .ids = b.ids.data(),
                              .M = n_rows,
                              .D = config.hidden_size,
                              .scales = b.weights->embedding.parts.scales});
  for (int layer = 0; layer < config.layers; ++layer) {
    if (all_stopped(inputs)) return false;
    b.project_qkv(layer, n_rows);
    for (const Part& part : b.parts) {
      if (part.input->watch != nullptr) b.watch(layer, part);
    }
    // Nothing reads the last layer's output but the head, and it only at the wanted rows.
    if (layer == config.layers - 1) n_rows = b.keep_wanted();
    // Variants come last: the others replace keys and values that variants see.
    for (const bool variants : {false, true}) {
      for (const Part& part : b.parts) {
        if (part.input->variant == variants) b.attend(layer, part);
      }
    }
    if (all_stopped(inputs)) return false;
    b.output_and_mlp(layer, n_rows);
  }
  b.n_hidden = n_rows;
  kernels::rms_norm(*b.context, {.y = b.hidden.data(),
                                 .x = b.x.data(),
                                 .weight = b.weights->norm.data(),
                                 .M = b.n_hidden,
                                 .D = config.hidden_size,
                                 .eps = config.rms_norm_eps});
  return true;
}

void ForwardPass::run(std::span<const std::int32_t> canvas, std::span<const std::int32_t> rows,
                      std::span<const std::int32_t> wanted) {
  const ForwardInput input{.canvas = canvas, .rows = rows, .wanted = wanted};
  run({&input, 1});
}

void ForwardPass::splice(int slot, int size, const CanvasSplice& splice) {
  Buffers& b = *buffers_;
  const int by = splice.inserted - splice.removed;
  assert(size + by <= b.limits.canvas);
  for (int layer = 0; by != 0 && layer < b.weights->config.layers; ++layer) {
    const kernels::KvCacheView cache = b.cache(slot, layer);
    kernels::kv_move(*b.context, {.from = cache,
                                  .to = cache,
                                  .cos = b.cos.data(),
                                  .sin = b.sin.data(),
                                  .begin = splice.begin + splice.removed,
                                  .end = size,
                                  .by = by});
  }
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
