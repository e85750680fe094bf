// The CPU as a Backend.
#pragma once

#include "kernels/backend.h"
#include "kernels/cpu/context.h"

namespace lacuna::kernels {

class CpuBackend final : public Backend {
 public:
  // `context` must outlive this.
  explicit CpuBackend(CpuContext& context) : context_(&context) {}

  bool on_host() const override { return true; }
  Memory allocate(std::size_t bytes) override;
  Memory share(const void* data, std::size_t bytes) override;
  void upload(void* to, const void* from, std::size_t bytes) override;
  void download(void* to, const void* from, std::size_t bytes) override;
  std::unique_ptr<Weights> weights(std::span<const MatrixSource> sources, int k,
                                   WeightFormat format) override;
  std::size_t kv_bytes(int capacity, int K, int P) const override;
  void embed(const Embed& op) override;
  void rms_norm(const RmsNorm& op) override;
  void product(const Product& op) override;
  void rope_store(const RopeStore& op) override;
  void attention(const Attention& op) override;
  void attention_weights(const AttentionWeights& op) override;
  void kv_swap(const KvSwap& op) override;
  void kv_move(const KvMove& op) override;
  void swiglu(const SwiGlu& op) override;
  void keep_rows(const KeepRows& op) override;
  void draw(const DrawLogits& op) override;

 private:
  CpuContext* context_;
};

}  // namespace lacuna::kernels
