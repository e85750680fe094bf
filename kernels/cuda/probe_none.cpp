// Takes the place of this folder in a build without CUDA.
#include "kernels/cuda/cuda_kernels.h"

namespace lacuna::kernels::cuda {

CudaProbe probe() noexcept {
  CudaProbe result;
  result.problem = "built without CUDA";
  return result;
}

}  // namespace lacuna::kernels::cuda
