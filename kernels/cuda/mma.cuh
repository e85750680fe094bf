// The tensor core's product of a warp: D[16, 8] += A[16, 16] B[16, 8], bf16 in, float sums.
//
// Lane 4 g + t holds, in the order of the registers (PTX ISA, mma.m16n8k16):
//   a: A[g, 2t..2t+1], A[g+8, 2t..2t+1], A[g, 2t+8..2t+9], A[g+8, 2t+8..2t+9]
//   b: B[2t..2t+1, g], B[2t+8..2t+9, g]
//   d: D[g, 2t], D[g, 2t+1], D[g+8, 2t], D[g+8, 2t+1]
// where two bf16 share a register, the lower index in the lower half.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/dtype.h"

namespace lacuna::kernels::cuda {

__device__ inline std::uint32_t pack_bf16(float low, float high) {
  return f32_to_bf16(low) | static_cast<std::uint32_t>(f32_to_bf16(high)) << 16;
}

#ifdef LACUNA_CUDA_EMULATOR

__device__ inline float half_of(std::uint32_t pair, int i) {
  return bf16_to_f32(static_cast<std::uint16_t>(i == 0 ? pair : pair >> 16));
}

__device__ inline void mma_bf16(float (&d)[4], const std::uint32_t (&a)[4],
                                const std::uint32_t (&b)[2]) {
  struct Fragments {
    std::uint32_t a[4];
    std::uint32_t b[2];
  } all[32];
  const int lane = cuda_emulator::lane();
  const Fragments mine = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  std::memcpy(cuda_emulator::lane_slot(lane), &mine, sizeof mine);
  cuda_emulator::warp_barrier();
  for (int i = 0; i < 32; ++i) std::memcpy(&all[i], cuda_emulator::lane_slot(i), sizeof mine);
  cuda_emulator::warp_barrier();
  const auto A = [&](int row, int k) {
    return half_of(all[row % 8 * 4 + k % 8 / 2].a[row / 8 + k / 8 * 2], k % 2);
  };
  const auto B = [&](int k, int column) {
    return half_of(all[column * 4 + k % 8 / 2].b[k / 8], k % 2);
  };
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + i / 2 * 8;
    const int column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < 16; ++k) d[i] += A(row, k) * B(k, column);
  }
}

#else

__device__ inline void mma_bf16(float (&d)[4], const std::uint32_t (&a)[4],
                                const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#endif

}  // namespace lacuna::kernels::cuda
