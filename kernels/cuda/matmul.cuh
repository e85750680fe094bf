// The versions of matmul: matmul() chooses by the type of the weights.
#pragma once

#include "kernels/cuda/cuda_kernels.h"

namespace lacuna::kernels::cuda {

void matmul_f32(const MatmulOp& op, CUstream_st* stream);
void matmul_tensor(const MatmulOp& op, CUstream_st* stream);
// x as bf16 into the scratch: [rows rounded up to 64][padded_k(k)], zeros where x has nothing.
void round_rows(const MatmulOp& op, CUstream_st* stream);

#if defined(__CUDACC__) || defined(LACUNA_CUDA_EMULATOR)
__device__ inline void finish(const MatmulOp& op, int m, int n, float sum) {
  float& y = op.y[static_cast<std::size_t>(m) * op.w.n + n];
  if (op.bias != nullptr) sum += op.bias[n];
  y = op.accumulate ? y + sum : sum;
}
#endif

}  // namespace lacuna::kernels::cuda
