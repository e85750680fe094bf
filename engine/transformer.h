// One forward pass of a bidirectional Qwen2-style transformer (Dream, DiffuCoder, DreamOn,
// Open-dCoder): tokens in, logits of wanted rows out.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/checkpoint/checkpoint.h"
#include "kernels/cpu/context.h"
#include "kernels/cpu/packed_matrix.h"
#include "kernels/kernels.h"
#include "support/result.h"

namespace lacuna::engine {

// Weights, packed for the matrix products. Immutable after load(): several states may use it, one
// at a time for each CpuContext.
class Transformer {
 public:
  // Packs the tensors, all but the embedding table, which is read from `tensors` (a mapping of
  // the checkpoint, usually) and must outlive this: a pass touches few of its rows, so the
  // system may page the rest out. `format` Bf16 halves the memory of float32 weights and rounds
  // them; weights that are bf16 already stay exact. Int8 halves it again (PackedMatrix::pack()); its
  // products need sizes of at most kMaxInt8Depth. The tensors must have the shapes that
  // Checkpoint::open() has checked.
  static Transformer load(const ModelConfig& config, const ModelTensors& tensors,
                          kernels::CpuContext& context, kernels::WeightFormat format);

  Transformer(Transformer&&) noexcept;
  Transformer& operator=(Transformer&&) noexcept;
  ~Transformer();

  const ModelConfig& config() const;
  std::size_t weight_bytes() const;

 private:
  friend class ForwardPass;
  struct Weights;
  std::unique_ptr<const Weights> weights_;
  explicit Transformer(std::unique_ptr<const Weights> weights);
};

// The memory of one canvas: keys and values of all layers and the buffers of a forward pass.
// Everything is allocated here, once; run() and logits() allocate nothing.
class ForwardPass {
 public:
  // Canvases of up to `capacity` tokens. `transformer` and `context` must outlive this.
  ForwardPass(const Transformer& transformer, kernels::CpuContext& context, int capacity,
              kernels::Precision precision);
  ForwardPass(ForwardPass&&) noexcept;
  ForwardPass& operator=(ForwardPass&&) noexcept;
  ~ForwardPass();

  int capacity() const;

  // Computes the rows `rows` (increasing) of `canvas` through all layers and replaces their keys
  // and values; every other row keeps those of an earlier run(). The final hidden states of the
  // rows in `wanted` (increasing, a subset of `rows`) are kept for logits().
  // Ids must lie in [0, vocab_size), canvas.size() <= capacity().
  void run(std::span<const std::int32_t> canvas, std::span<const std::int32_t> rows,
           std::span<const std::int32_t> wanted);

  // Logits of `count` wanted rows of the last run(), from the first-th on: [count, V], what the
  // network's rows emit, before any shift.
  void logits(int first, int count, float* out);

 private:
  struct Buffers;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace lacuna::engine
