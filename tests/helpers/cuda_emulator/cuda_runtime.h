// What nvcc knows by itself, for a C++ compiler. See emulator.h.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "cuda_runtime_api.h"
#include "emulator.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static

#define threadIdx (::cuda_emulator::here().thread)
#define blockIdx (::cuda_emulator::here().block)
#define blockDim (::cuda_emulator::here().block_size)
#define gridDim (::cuda_emulator::here().grid)

struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

inline void __syncthreads() { cuda_emulator::block_barrier(); }
inline void __syncwarp(unsigned = 0xFFFFFFFFU) { cuda_emulator::warp_barrier(); }

template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  static_assert(std::is_arithmetic_v<T>);
  return cuda_emulator::read_lane(value, cuda_emulator::lane() ^ mask);
}
template <class T>
T __shfl_sync(unsigned, T value, int lane) {
  static_assert(std::is_arithmetic_v<T>);
  return cuda_emulator::read_lane(value, lane);
}

inline float rsqrtf(float x) { return 1.0F / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
