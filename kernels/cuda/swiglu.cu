// SwiGlu of kernels/kernels.h.
//
// Work      a thread for each number of y, in blocks of 256; grid.y is the row.
// Memory    reads 2*M*F, writes M*F floats.
// Measured  not yet: no GPU was at hand.
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/kernels.h"

namespace lacuna::kernels::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void swiglu_kernel(SwiGlu op) {
  const int f = blockIdx.y * kThreads + threadIdx.x;
  if (f >= op.F) return;
  const float* gate = op.gate_up + static_cast<std::size_t>(blockIdx.x) * 2 * op.F;
  const float up = gate[op.F + f];
  op.y[static_cast<std::size_t>(blockIdx.x) * op.F + f] = gate[f] / (1.0F + expf(-gate[f])) * up;
}

}  // namespace

void swiglu(const SwiGlu& op, CUstream_st* stream) {
  if (op.M == 0) return;
  launch(swiglu_kernel, {.grid = dim3(op.M, ceil_div(op.F, kThreads)), .block = kThreads}, stream,
         op);
}

}  // namespace lacuna::kernels::cuda
