#include "kernels/cpu/cpu_backend.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace lacuna::kernels {
namespace {

class PackedWeights final : public Weights {
 public:
  explicit PackedWeights(PackedMatrix matrix) : matrix_(std::move(matrix)) {}
  std::size_t bytes() const override { return matrix_.bytes(); }
  const PackedMatrix& matrix() const { return matrix_; }

 private:
  PackedMatrix matrix_;
};

}  // namespace

Memory CpuBackend::allocate(std::size_t bytes) {
  AlignedBuffer buffer(bytes);
  return {buffer.release(), bytes, std::free};
}

Memory CpuBackend::share(const void* data, std::size_t bytes) {
  return {const_cast<void*>(data), bytes, [](void*) {}};
}

void CpuBackend::upload(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

void CpuBackend::download(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

std::unique_ptr<Weights> CpuBackend::weights(std::span<const MatrixSource> sources, int k,
                                             WeightFormat format) {
  return std::make_unique<PackedWeights>(PackedMatrix::pack(*context_, sources, k, format));
}

std::size_t CpuBackend::kv_bytes(int capacity, int K, int P) const {
  return kv_floats(capacity, K, P) * sizeof(float);
}

void CpuBackend::product(const Product& op) {
  kernels::matmul(*context_, {.y = op.y,
                              .x = op.x,
                              .w = &static_cast<const PackedWeights*>(op.w)->matrix(),
                              .bias = op.bias,
                              .M = op.M,
                              .x_stride = op.x_stride,
                              .accumulate = op.accumulate,
                              .precision = op.precision});
}

void CpuBackend::keep_rows(const KeepRows& op) {
  const auto D = static_cast<std::size_t>(op.D);
  for (int m = 0; m < op.M; ++m) {
    assert(op.rows[m] >= m);
    if (op.rows[m] == m) continue;
    std::copy_n(op.x + static_cast<std::size_t>(op.rows[m]) * D, D,
                op.x + static_cast<std::size_t>(m) * D);
  }
}

void CpuBackend::embed(const Embed& op) { kernels::embed(*context_, op); }
void CpuBackend::rms_norm(const RmsNorm& op) { kernels::rms_norm(*context_, op); }
void CpuBackend::rope_store(const RopeStore& op) { kernels::rope_store(*context_, op); }
void CpuBackend::attention(const Attention& op) { kernels::attention(*context_, op); }
void CpuBackend::attention_weights(const AttentionWeights& op) {
  kernels::attention_weights(*context_, op);
}
void CpuBackend::kv_swap(const KvSwap& op) { kernels::kv_swap(*context_, op); }
void CpuBackend::kv_move(const KvMove& op) { kernels::kv_move(*context_, op); }
void CpuBackend::swiglu(const SwiGlu& op) { kernels::swiglu(*context_, op); }
void CpuBackend::draw(const DrawLogits&) { assert(false); }

}  // namespace lacuna::kernels
