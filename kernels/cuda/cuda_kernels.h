// The operations of kernels/kernels.h on a CUDA device, and whether there is one.
//
// Arrays lie in device memory. A call queues its work on `stream` and returns at once; it throws
// CudaError (kernels/cuda/launch.h) when the device refuses. Only probe() exists in a build
// without CUDA.
#pragma once

#include <cstddef>
#include <string>

struct CUstream_st;  // cudaStream_t, without the header of CUDA

namespace lacuna::kernels {

struct RmsNorm;

namespace cuda {

struct CudaProbe {
  bool built = false;  // this program has the CUDA kernels
  int device_count = 0;
  std::string problem;           // why there is no device, as a clause; empty when there is one
  std::string name;              // of device 0, like "NVIDIA H200"
  std::size_t memory_bytes = 0;  // of device 0
};

// Never throws. On a machine without a driver the CUDA runtime answers with various errors: any
// of them means that there is no device.
CudaProbe probe() noexcept;

void rms_norm(const RmsNorm& op, CUstream_st* stream);

}  // namespace cuda
}  // namespace lacuna::kernels
