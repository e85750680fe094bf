// The weights of a bidirectional transformer (Dream, DiffuCoder, DreamOn, Open-dCoder, LLaDA), ready
// for forward_pass.h.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "engine/checkpoint/checkpoint.h"
#include "kernels/backend.h"
#include "kernels/cpu/context.h"

namespace lacuna::engine {

struct TransformerWeights;  // transformer_weights.h

// Told while weights are packed: of `total` parts of about one size, `done` are there. May be empty.
using LoadProgress = std::function<void(int done, int total)>;

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
                          kernels::CpuContext& context, kernels::WeightFormat format,
                          const LoadProgress& on_progress = {});
  // The same into the memory of a device, which must outlive this; passes of this transformer run
  // there. The tensors may go away afterwards.
  static Transformer load(const ModelConfig& config, const ModelTensors& tensors,
                          kernels::Backend& device, kernels::WeightFormat format,
                          const LoadProgress& on_progress = {});

  Transformer(Transformer&&) noexcept;
  Transformer& operator=(Transformer&&) noexcept;
  ~Transformer();

  const ModelConfig& config() const;
  std::size_t weight_bytes() const;
  kernels::Backend* device() const;  // null: the host

 private:
  friend class ForwardPass;
  explicit Transformer(std::unique_ptr<const TransformerWeights> weights);
  std::unique_ptr<const TransformerWeights> weights_;
};

}  // namespace lacuna::engine
