// How a kernel is started, by nvcc or by the emulator of the tests.
#pragma once

#include <cstddef>
#include <type_traits>

#include <cuda_runtime.h>

#include "kernels/cuda/launch.h"

namespace lacuna::kernels::cuda {

struct LaunchShape {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;
};

// Queues kernel(arguments...) on the stream. Throws CudaError when the device refuses.
template <class... Parameters>
void launch(void (*kernel)(Parameters...), const LaunchShape& shape, CUstream_st* stream,
            std::type_identity_t<Parameters>... arguments) {
#ifdef LACUNA_CUDA_EMULATOR
  cuda_emulator::use_stream(stream);
  (__builtin_clear_padding(&arguments), ...);
  (cuda_emulator::check_argument(&arguments, sizeof arguments), ...);
  cuda_emulator::start(shape.grid, shape.block, shape.shared_bytes, [=] { kernel(arguments...); });
#else
  void* pointers[] = {&arguments...};
  LACUNA_CUDA_CHECK(cudaLaunchKernel(reinterpret_cast<const void*>(kernel), shape.grid, shape.block,
                                     pointers, shape.shared_bytes, stream));
#endif
}

// A kernel that needs more than 48 KB of dynamic shared memory has to ask for it, once.
template <class Kernel>
void allow_shared_bytes(Kernel* kernel, std::size_t bytes) {
  if (bytes <= 48U << 10) return;
  LACUNA_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                         static_cast<int>(bytes)));
}

#if defined(__CUDACC__) || defined(LACUNA_CUDA_EMULATOR)
// The dynamic shared memory of the block, aligned to 16 bytes.
template <class T>
__device__ inline T* dynamic_shared() {
#ifdef LACUNA_CUDA_EMULATOR
  return static_cast<T*>(cuda_emulator::dynamic_shared());
#else
  extern __shared__ __align__(16) unsigned char memory[];
  return reinterpret_cast<T*>(memory);
#endif
}
#endif

constexpr int ceil_div(int a, int b) { return (a + b - 1) / b; }

}  // namespace lacuna::kernels::cuda
