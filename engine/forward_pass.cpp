#include "engine/forward_pass.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdlib>

#include "engine/forward_buffers.h"

namespace lacuna::engine {
namespace {

bool all_stopped(std::span<const ForwardInput> inputs) {
  return std::all_of(inputs.begin(), inputs.end(), [](const ForwardInput& input) {
    return input.stop != nullptr && input.stop->stop_requested();
  });
}

}  // namespace

// Fills parts, ids, places and kept; returns the number of rows.
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
      ids.host[n_rows] = input.canvas[row];
      places.host[n_rows++] = row;
    }
    if (input.variant) n_variant_rows += static_cast<int>(input.rows.size());
  }
  assert(n_variant_rows <= limits.variant_rows);
  int n_kept = 0;
  for (const Part& part : parts) {
    std::size_t from = 0;
    for (const std::int32_t wanted : part.input->wanted) {
      while (part.input->rows[from] != wanted) ++from;
      kept.host[n_kept++] = part.first + static_cast<int>(from);
    }
  }
  return n_rows;
}

void ForwardPass::Buffers::upload_layout(int n_rows) {
  int n_kept = 0;
  for (const Part& part : parts) n_kept += static_cast<int>(part.input->wanted.size());
  ids.upload(*backend, n_rows);
  places.upload(*backend, n_rows);
  kept.upload(*backend, n_kept);
}

void ForwardPass::Buffers::embed(const std::int32_t* row_ids, int n_rows) {
  backend->embed({.y = x.as<float>(),
                  .table = weights->embedding.as<void>(),
                  .type = weights->embedding_type,
                  .ids = row_ids,
                  .M = n_rows,
                  .D = width(),
                  .scales = weights->embedding_scales.as<void>()});
}

// Of up to kChunk rows: to the buffer `qkv`.
void ForwardPass::Buffers::project_qkv_rows(int layer_idx, int first, int M) {
  const LayerWeights& layer = weights->layers[layer_idx];
  backend->rms_norm({.y = norm.as<float>(),
                     .x = x_row(first),
                     .weight = layer.input_norm.as<float>(),
                     .M = M,
                     .D = width(),
                     .eps = weights->config.rms_norm_eps});
  backend->product({.y = qkv.as<float>(),
                    .x = norm.as<float>(),
                    .w = layer.qkv.get(),
                    .bias = layer.qkv_bias.as<float>(),
                    .M = M,
                    .x_stride = width(),
                    .accumulate = false,
                    .precision = precision});
}

// Queries of all rows to q, their keys and values to the caches: every row's must be there before
// the first row attends.
void ForwardPass::Buffers::project_qkv(int layer_idx, int n_rows) {
  const ModelConfig& config = weights->config;
  std::size_t next = 0;
  for (int first = 0; first < n_rows; first += kChunk) {
    const int M = std::min(kChunk, n_rows - first);
    project_qkv_rows(layer_idx, first, M);
    const auto qkv_width =
        static_cast<std::size_t>(config.heads + 2 * config.kv_heads) * config.head_size;
    for (; next < parts.size() && parts[next].first < first + M; ++next) {
      const int begin = std::max(first, parts[next].first);
      const int end = std::min(first + M, parts[next].end());
      store(layer_idx, parts[next], begin, end,
            qkv.as<float>() + static_cast<std::size_t>(begin - first) * qkv_width);
      if (end < parts[next].end()) break;  // goes on in the next chunk
    }
  }
}

void ForwardPass::Buffers::store(int layer, const Part& part, int first, int end,
                                 const float* qkv_rows) {
  const ForwardInput& input = *part.input;
  const int in_part = first - part.first;
  backend->rope_store({.q = q_row(first),
                       .cache = input.variant ? variant_kv.view : cache(input.slot, layer),
                       .qkv = qkv_rows,
                       .positions = places.from(first),
                       .places = input.variant ? sides.from(part.variant_first + in_part) : nullptr,
                       .cos = cos.as<float>(),
                       .sin = sin.as<float>(),
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
                                .cos = cos.as<float>(),
                                .sin = sin.as<float>(),
                                .begin = 0,
                                .end = splice.begin,
                                .by = 0};
  backend->kv_move(move);
  kernels::KvMove rest = move;
  rest.begin = splice.begin + splice.removed;
  rest.end = old_size;
  rest.by = by;
  backend->kv_move(rest);
  return spliced_kv.view;
}

// The weights with which the first `rows` of `watching` attend to the canvas, the mean over heads:
// [T]. Their queries and all keys must be there.
std::span<const float> ForwardPass::Buffers::mean_attention(int layer, const Part& part, int rows) {
  const int H = weights->config.heads;
  const int T = static_cast<int>(part.input->canvas.size());
  watching.upload(*backend, rows);
  backend->attention_weights(
      {.y = weighed.as<float>(),
       .q = q.as<float>(),
       .rows = watching.from(0),
       .cache = cache(part.input->slot, layer),
       .M = rows,
       .H = H,
       .T = T,
       .scale = 1.0F / std::sqrt(static_cast<float>(weights->config.head_size))});
  backend->download(watched.data(), weighed.as<float>(),
                    static_cast<std::size_t>(H) * T * sizeof(float));
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
    int count = 0;
    for (const std::int32_t position : watch.masked())
      watching.host[count++] = part.first + position;
    watch.choose(layer, mean_attention(layer, part, count));
  }
  const int token = watch.token(layer);
  if (token < 0) return;
  const auto at = std::lower_bound(rows.begin(), rows.end(), token);
  assert(at != rows.end() && *at == token);
  watching.host[0] = part.first + static_cast<int>(at - rows.begin());
  watch.follow(layer, mean_attention(layer, part, 1));
}

void ForwardPass::Buffers::attend(int layer, const Part& part) {
  const ForwardInput& input = *part.input;
  const kernels::KvCacheView seen =
      input.splice ? spliced_cache(layer, input) : cache(input.slot, layer);
  kernels::KvCacheView mine = variant_kv.view;
  const kernels::KvSwap swap = {.a = seen,
                                .b = mine,
                                .a_places = places.from(part.first),
                                .b_places = sides.from(part.variant_first),
                                .M = part.rows()};
  if (input.variant) backend->kv_swap(swap);
  backend->attention({.y = q_row(part.first_query),
                      .q = q_row(part.first_query),
                      .cache = seen,
                      .M = part.queries,
                      .H = weights->config.heads,
                      .T = static_cast<int>(input.canvas.size()),
                      .scale = 1.0F / std::sqrt(static_cast<float>(weights->config.head_size))});
  if (input.variant) backend->kv_swap(swap);
}

void ForwardPass::Buffers::output_and_mlp(int layer_idx, int n_rows) {
  const ModelConfig& config = weights->config;
  const LayerWeights& layer = weights->layers[layer_idx];
  const int F = config.intermediate_size;
  for (int first = 0; first < n_rows; first += kChunk) {
    const int M = std::min(kChunk, n_rows - first);
    float* residual = x_row(first);
    backend->product({.y = residual,
                      .x = q_row(first),
                      .w = layer.o.get(),
                      .bias = nullptr,
                      .M = M,
                      .x_stride = heads_width(),
                      .accumulate = true,
                      .precision = precision});
    backend->rms_norm({.y = norm.as<float>(),
                       .x = residual,
                       .weight = layer.post_norm.as<float>(),
                       .M = M,
                       .D = width(),
                       .eps = config.rms_norm_eps});
    backend->product({.y = gate_up.as<float>(),
                      .x = norm.as<float>(),
                      .w = layer.gate_up.get(),
                      .bias = nullptr,
                      .M = M,
                      .x_stride = width(),
                      .accumulate = false,
                      .precision = precision});
    backend->swiglu({.y = activated.as<float>(), .gate_up = gate_up.as<float>(), .M = M, .F = F});
    backend->product({.y = residual,
                      .x = activated.as<float>(),
                      .w = layer.down.get(),
                      .bias = nullptr,
                      .M = M,
                      .x_stride = F,
                      .accumulate = true,
                      .precision = precision});
  }
}

// From now on the wanted rows are all; returns how many there are.
int ForwardPass::Buffers::count_wanted() {
  int n_kept = 0;
  for (Part& part : parts) {
    part.first_query = n_kept;
    part.queries = static_cast<int>(part.input->wanted.size());
    n_kept += part.queries;
  }
  return n_kept;
}

// Moves rows of x and q to the front. They are an increasing subset, so a row never moves back.
void ForwardPass::Buffers::keep_rows(const std::int32_t* rows, int M) {
  backend->keep_rows({.x = x.as<float>(), .rows = rows, .M = M, .D = width()});
  backend->keep_rows({.x = q.as<float>(), .rows = rows, .M = M, .D = heads_width()});
}

void ForwardPass::Buffers::final_norm(int n_rows) {
  backend->rms_norm({.y = hidden.as<float>(),
                     .x = x.as<float>(),
                     .weight = weights->norm.as<float>(),
                     .M = n_rows,
                     .D = width(),
                     .eps = weights->config.rms_norm_eps});
}

bool ForwardPass::run(std::span<const ForwardInput> inputs) {
  Buffers& b = *buffers_;
  const ModelConfig& config = b.weights->config;
  int n_rows = b.lay_out(inputs);
  if (b.step && b.step->fits(inputs)) {
    if (all_stopped(inputs)) return false;
    b.run_step(n_rows, {});
    return true;
  }
  b.upload_layout(n_rows);
  b.embed(b.ids.from(0), n_rows);
  for (int layer = 0; layer < config.layers; ++layer) {
    if (all_stopped(inputs)) return false;
    b.project_qkv(layer, n_rows);
    for (const Part& part : b.parts) {
      if (part.input->watch != nullptr) b.watch(layer, part);
    }
    // Nothing reads the last layer's output but the head, and it only at the wanted rows.
    if (layer == config.layers - 1) {
      n_rows = b.count_wanted();
      b.keep_rows(b.kept.from(0), n_rows);
    }
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
  b.final_norm(n_rows);
  return true;
}

bool ForwardPass::draws_in_step(std::span<const ForwardInput> inputs,
                                std::span<const kernels::DrawLogits> draws) const {
  return buffers_->step && buffers_->step->fits(inputs) && StepMemory::fits(draws);
}

bool ForwardPass::run(std::span<const ForwardInput> inputs,
                      std::span<const kernels::DrawLogits> draws) {
  const int n_rows = buffers_->lay_out(inputs);
  if (all_stopped(inputs)) return false;
  buffers_->run_step(n_rows, draws);
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
    b.backend->kv_move({.from = cache,
                        .to = cache,
                        .cos = b.cos.as<float>(),
                        .sin = b.sin.as<float>(),
                        .begin = splice.begin + splice.removed,
                        .end = size,
                        .by = by});
  }
}

void ForwardPass::save(int slot, int size, KvStore& store) {
  Buffers& b = *buffers_;
  assert(size <= store.capacity);
  for (int layer = 0; layer < b.weights->config.layers; ++layer) {
    b.backend->kv_move({.from = b.cache(slot, layer),
                        .to = store.layers[static_cast<std::size_t>(layer)].view,
                        .cos = b.cos.as<float>(),
                        .sin = b.sin.as<float>(),
                        .begin = 0,
                        .end = size,
                        .by = 0});
  }
}

void ForwardPass::load(int slot, const KvStore& store, std::span<const KvRun> runs) {
  Buffers& b = *buffers_;
  for (int layer = 0; layer < b.weights->config.layers; ++layer) {
    for (const KvRun& run : runs) {
      assert(std::abs(run.by) < b.limits.canvas && run.end + run.by <= b.limits.canvas);
      b.backend->kv_move({.from = store.layers[static_cast<std::size_t>(layer)].view,
                          .to = b.cache(slot, layer),
                          .cos = b.cos.as<float>(),
                          .sin = b.sin.as<float>(),
                          .begin = run.begin,
                          .end = run.end,
                          .by = run.by});
    }
  }
}

void ForwardPass::Buffers::project(int first, int count, float* out) {
  assert(first >= 0 && first + count <= n_hidden);
  backend->product({.y = out,
                    .x = hidden.as<float>() + static_cast<std::size_t>(first) * width(),
                    .w = weights->head.get(),
                    .bias = nullptr,
                    .M = count,
                    .x_stride = width(),
                    .accumulate = false,
                    .precision = precision});
}

void ForwardPass::logits(int first, int count, float* out) {
  Buffers& b = *buffers_;
  if (!keeps_logits()) return b.project(first, count, out);
  const auto V = static_cast<std::size_t>(b.weights->config.vocab_size);
  const int most = logit_rows(b.limits.rows, b.weights->config.vocab_size);
  for (int done = 0; done < count; done += most) {
    const int rows = std::min(most, count - done);
    b.project(first + done, rows, b.logits.as<float>());
    b.backend->download(out + static_cast<std::size_t>(done) * V, b.logits.as<float>(),
                        static_cast<std::size_t>(rows) * V * sizeof(float));
  }
}

bool ForwardPass::keeps_logits() const { return !buffers_->backend->on_host(); }

void ForwardPass::keep_logits(int first, int count) {
  assert(count <= logit_rows(buffers_->limits.rows, buffers_->weights->config.vocab_size));
  buffers_->project(first, count, buffers_->logits.as<float>());
}

void ForwardPass::draw(kernels::DrawLogits draw) {
  draw.logits = buffers_->logits.as<float>();
  draw.V = buffers_->weights->config.vocab_size;
  buffers_->backend->draw(draw);
}

}  // namespace lacuna::engine
