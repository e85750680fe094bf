// Embed of kernels/kernels.h, and the gathering of rows.
//
// Work      a block of 256 threads for each row.
// Memory    reads M rows of the table, writes M*D floats.
// Measured  not yet: no GPU was at hand.
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/kernels.h"

namespace lacuna::kernels::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void embed_kernel(Embed op) {
  const std::size_t id = static_cast<std::size_t>(op.ids[blockIdx.x]);
  const std::size_t from = id * static_cast<std::size_t>(op.D);
  float* y = op.y + static_cast<std::size_t>(blockIdx.x) * op.D;
  const float scale = op.type == DType::I8 ? static_cast<const float*>(op.scales)[id] : 1.0F;
  for (int d = threadIdx.x; d < op.D; d += kThreads) {
    const std::size_t at = from + static_cast<std::size_t>(d);
    switch (op.type) {
      case DType::F32:
        y[d] = static_cast<const float*>(op.table)[at];
        break;
      case DType::F16:
        y[d] = f16_to_f32(static_cast<const std::uint16_t*>(op.table)[at]);
        break;
      case DType::BF16:
        y[d] = bf16_to_f32(static_cast<const std::uint16_t*>(op.table)[at]);
        break;
      case DType::I8:
        y[d] = static_cast<float>(static_cast<const std::int8_t*>(op.table)[at]) * scale;
        break;
      case DType::I4:
        break;  // no table has it
    }
  }
}

__global__ void gather_rows_kernel(GatherRows op) {
  const std::size_t from = static_cast<std::size_t>(op.rows[blockIdx.x]) * op.D;
  const std::size_t to = static_cast<std::size_t>(blockIdx.x) * op.D;
  for (int d = threadIdx.x; d < op.D; d += kThreads) op.y[to + d] = op.x[from + d];
}

}  // namespace

void embed(const Embed& op, CUstream_st* stream) {
  if (op.M == 0) return;
  launch(embed_kernel, {.grid = op.M, .block = kThreads}, stream, op);
}

void gather_rows(const GatherRows& op, CUstream_st* stream) {
  if (op.M == 0) return;
  launch(gather_rows_kernel, {.grid = op.M, .block = kThreads}, stream, op);
}

}  // namespace lacuna::kernels::cuda
