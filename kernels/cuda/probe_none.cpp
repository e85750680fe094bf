// Takes the place of this folder in a build without CUDA.
#include "kernels/cuda/cuda_kernels.h"

namespace lacuna::kernels::cuda {

CudaProbe probe() noexcept {
  CudaProbe result;
  result.problem = "built without CUDA";
  return result;
}

std::unique_ptr<Backend> open_cuda(int, KvType, ThreadPool&, const char*) {
  throw DeviceError("built without CUDA", false);
}

std::string cublaslt_version() { return {}; }

DeviceMemory memory_of_cuda(int) { throw DeviceError("built without CUDA", false); }

}  // namespace lacuna::kernels::cuda
