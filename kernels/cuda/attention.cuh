// The two versions of attention: attention() chooses by the type of the cache.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/cuda_kernels.h"

namespace lacuna::kernels::cuda {

void attention_f32(const AttentionOp& op, CUstream_st* stream);
void attention_bf16(const AttentionOp& op, CUstream_st* stream);

#if defined(__CUDACC__) || defined(LACUNA_CUDA_EMULATOR)
// The part that a row belongs to; one without rows if nobody wants the row.
__device__ inline StepPart part_of_row(const AttentionOp& op, int row) {
  if (op.parts == nullptr) return {0, op.M, 0, op.T};
  for (int i = 0; i < op.n_parts; ++i) {
    const StepPart part = op.parts[i];
    if (row >= part.first && row < part.first + part.rows) return part;
  }
  return {0, 0, 0, 0};
}
#endif

}  // namespace lacuna::kernels::cuda
