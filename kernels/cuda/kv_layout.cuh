// Where the numbers of a KvCache are.
//
// Keys:   [K][stride][P]. Values: [K][P][stride], so that attention finds the values of
//         neighbouring positions side by side, as the tensor core wants them.
// The stride is the capacity rounded up to 64: tiles of attention are read whole.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/dtype.h"

namespace lacuna::kernels::cuda {

template <class T>
struct KvArrays {
  T* keys;
  T* values;
  std::size_t stride;
  int P;

  // Of the slot-th of caches that lie one after the other.
  __device__ explicit KvArrays(const KvCache& cache, int slot = 0)
      : stride(static_cast<std::size_t>(kv_stride(cache.capacity))), P(cache.P) {
    const std::size_t begin = static_cast<std::size_t>(slot) * cache.K * stride * P;
    keys = static_cast<T*>(cache.keys) + begin;
    values = static_cast<T*>(cache.values) + begin;
  }

  __device__ T& key(int head, int place, int p) const {
    return keys[(head * stride + place) * P + p];
  }
  __device__ T& value(int head, int place, int p) const {
    return values[(static_cast<std::size_t>(head) * P + p) * stride + place];
  }
};

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(std::uint16_t bits) { return bf16_to_f32(bits); }
__device__ inline void from_float(float x, float& to) { to = x; }
__device__ inline void from_float(float x, std::uint16_t& to) { to = f32_to_bf16(x); }

}  // namespace lacuna::kernels::cuda
