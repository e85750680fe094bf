// The two versions of attention: attention() chooses by the type of the cache.
#pragma once

#include "kernels/cuda/cuda_kernels.h"

namespace lacuna::kernels::cuda {

void attention_f32(const AttentionOp& op, CUstream_st* stream);
void attention_bf16(const AttentionOp& op, CUstream_st* stream);

}  // namespace lacuna::kernels::cuda
