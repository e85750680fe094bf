// The memory of a ForwardPass. Only forward_pass.cpp and forward_buffers.cpp need it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/forward_pass.h"
#include "engine/forward_step.h"
#include "engine/kv_store.h"
#include "engine/transformer_weights.h"
#include "kernels/cpu/cpu_backend.h"

namespace lacuna::engine {

// Rows that one pass over the weights computes. The buffers of the MLP grow with it (2 F floats a
// row: 77 MB for a 7B model); more rows make the products no faster.
inline constexpr int kChunk = 512;

// Indices that the host writes and operations read.
struct Indices {
  std::vector<std::int32_t> host;
  kernels::Memory memory;

  void allocate(kernels::Backend& backend, std::size_t count);
  void upload(kernels::Backend& backend, int count);
  const std::int32_t* from(int first) const { return memory.as<std::int32_t>() + first; }
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

struct ForwardPass::Buffers : PassMemory {
  const TransformerWeights* weights;
  std::unique_ptr<kernels::CpuBackend> cpu;  // where the weights are the host's
  kernels::Backend* backend;
  ForwardLimits limits;
  kernels::Precision precision;

  kernels::Memory cos, sin;  // [canvas, P/2]
  std::vector<KvBuffer> kv;  // [layers] of all slots
  KvBuffer variant_kv;       // of one layer: rows of all variants
  KvBuffer spliced_kv;       // of one layer: what a spliced variant sees

  std::vector<Part> parts;     // of the last run
  Indices ids;                 // [rows] tokens of the computed rows
  Indices places;              // [rows] their positions
  Indices sides;               // [variant rows] 0, 1, ...
  Indices kept;                // [rows] those that the last layer keeps
  kernels::Memory x;           // [rows, D] residual stream
  kernels::Memory q;           // [rows, H P] queries, then what attention made of them
  kernels::Memory hidden;      // [rows, D] final norm of the wanted rows
  kernels::Memory norm;        // [chunk, D]
  kernels::Memory qkv;         // [chunk, (H + 2 K) P]
  kernels::Memory gate_up;     // [chunk, 2 F]
  kernels::Memory activated;   // [chunk, F]
  kernels::Memory weighed;     // [H, canvas] weights of attention, for a watch
  std::vector<float> watched;  // [H, canvas] the same for the host
  Indices watching;            // the rows of the run that they are of
  kernels::Memory logits;      // [logit_rows, V] where they stay on the device
  int n_hidden = 0;
  std::optional<StepMemory> step;  // where the device can take steps down

  int width() const { return weights->config.hidden_size; }
  int heads_width() const { return weights->config.heads * weights->config.head_size; }
  float* x_row(int row) { return x.as<float>() + static_cast<std::size_t>(row) * width(); }
  float* q_row(int row) { return q.as<float>() + static_cast<std::size_t>(row) * heads_width(); }
  kernels::KvCacheView cache(int slot, int layer) {
    return kv[static_cast<std::size_t>(layer)].slot(slot);
  }

  // Takes what the last pass has left on the device, where that is enough.
  static std::unique_ptr<Buffers> for_pass(const TransformerWeights& weights,
                                           kernels::CpuContext& context, ForwardLimits limits,
                                           kernels::Precision precision);
  static std::unique_ptr<Buffers> make(const TransformerWeights& weights,
                                       kernels::CpuContext& context, const ForwardLimits& limits,
                                       kernels::Precision precision);
  void allocate();

  int lay_out(std::span<const ForwardInput> inputs);
  void upload_layout(int n_rows);
  void project_qkv_rows(int layer, int first, int M);
  void project_qkv(int layer, int n_rows);
  void store(int layer, const Part& part, int first, int end, const float* qkv_rows);
  void watch(int layer, const Part& part);
  std::span<const float> mean_attention(int layer, const Part& part, int rows);
  void attend(int layer, const Part& part);
  kernels::KvCacheView spliced_cache(int layer, const ForwardInput& input);
  int count_wanted();
  void keep_rows(const std::int32_t* rows, int M);
  void final_norm(int n_rows);
  void embed(const std::int32_t* ids, int n_rows);
  void output_and_mlp(int layer, int n_rows);
  void project(int first, int count, float* out);

  // Of the inputs that are laid out: forward_step.cpp.
  void run_step(int n_rows, std::span<const kernels::DrawLogits> draws);
  void write_step(int n_rows, int n_kept, std::span<const kernels::DrawLogits> draws);
  void queue_step(const StepShape& shape);
};

}  // namespace lacuna::engine
