#include <new>

#include <cuda_runtime_api.h>

#include "kernels/cuda/cuda_kernels.h"

namespace lacuna::kernels::cuda {
namespace {

std::string describe(cudaError_t error) {
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0)
    return "no NVIDIA driver is installed";
  if (error == cudaErrorInsufficientDriver)
    return "the NVIDIA driver is older than this build of Lacuna needs (CUDA " +
           std::to_string(CUDART_VERSION / 1000) + ")";
  if (error == cudaErrorNoDevice) return "the NVIDIA driver finds no GPU";
  return std::string("CUDA reports: ") + cudaGetErrorString(error);
}

CudaProbe probe_devices() {
  CudaProbe result;
  result.built = true;
  cudaError_t error = cudaGetDeviceCount(&result.device_count);
  cudaDeviceProp properties{};
  if (error == cudaSuccess && result.device_count > 0)
    error = cudaGetDeviceProperties(&properties, 0);
  else if (error == cudaSuccess)
    error = cudaErrorNoDevice;
  if (error == cudaSuccess) {
    result.name = properties.name;
    result.memory_bytes = properties.totalGlobalMem;
  } else {
    result.device_count = 0;
    result.problem = describe(error);
  }
  static_cast<void>(cudaGetLastError());  // leave no error behind for the next caller
  return result;
}

}  // namespace

CudaProbe probe() noexcept {
  try {
    return probe_devices();
  } catch (const std::bad_alloc&) {
    return {};  // nothing to say it with
  }
}

}  // namespace lacuna::kernels::cuda
