// Matmul of kernels/kernels.h with float weights: for exact fills, not for speed.
//
// Work      a block of 256 threads for a tile of 64 rows x 64 outputs; k in steps of 16 through
//           shared memory; a thread sums 4 x 4 numbers.
// Memory    reads the weights once for each 64 rows.
// Numerics  each sum has one accumulator and runs over k upwards: the bits of a row do not depend
//           on the other rows. Tests allow 1e-5 relative to the CPU.
// Measured  not yet: no GPU was at hand.
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/matmul.cuh"

namespace lacuna::kernels::cuda {
namespace {

constexpr int kTile = 64;
constexpr int kStep = 16;
constexpr int kThreads = 256;

__global__ void matmul_f32_kernel(MatmulOp op) {
  __shared__ float x_tile[kStep][kTile + 4];
  __shared__ float w_tile[kStep][kTile + 4];
  const int k_padded = padded_k(op.w.k);
  const float* w = static_cast<const float*>(op.w.data);
  const int thread = threadIdx.x;
  const int first_m = blockIdx.y * kTile;
  const int first_n = blockIdx.x * kTile;
  const int m0 = thread / 16 * 4;
  const int n0 = thread % 16 * 4;
  float sums[4][4] = {};
  for (int begin = 0; begin < op.w.k; begin += kStep) {
    for (int i = thread; i < kTile * kStep; i += kThreads) {
      const int row = i / kStep;
      const int k = begin + i % kStep;
      const bool in_x = first_m + row < op.M && k < op.w.k;
      const bool in_w = first_n + row < op.w.n && k < op.w.k;
      x_tile[i % kStep][row] =
          in_x ? op.x[static_cast<std::size_t>(first_m + row) * op.x_stride + k] : 0;
      w_tile[i % kStep][row] = in_w ? w[static_cast<std::size_t>(first_n + row) * k_padded + k] : 0;
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < kStep; ++k)
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sums[i][j] += x_tile[k][m0 + i] * w_tile[k][n0 + j];
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) {
      const int m = first_m + m0 + i;
      const int n = first_n + n0 + j;
      if (m < op.M && n < op.w.n) finish(op, m, n, sums[i][j]);
    }
}

}  // namespace

void matmul_f32(const MatmulOp& op, CUstream_st* stream) {
  launch(matmul_f32_kernel,
         {.grid = dim3(ceil_div(op.w.n, kTile), ceil_div(op.M, kTile)), .block = kThreads}, stream,
         op);
}

}  // namespace lacuna::kernels::cuda
