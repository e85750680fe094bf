// Memory on the current device, freed with its owner.
#pragma once

#include <cstddef>
#include <utility>

#include "kernels/cuda/launch.h"

namespace lacuna::kernels::cuda {

class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  // Throws CudaError, with status cudaErrorMemoryAllocation when there is not enough.
  explicit DeviceBuffer(std::size_t bytes) : bytes_(bytes) {
    if (bytes > 0) LACUNA_CUDA_CHECK(cudaMalloc(&data_, bytes));
  }
  DeviceBuffer(DeviceBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~DeviceBuffer() { cudaFree(data_); }

  // Gives the memory away: whoever takes it calls cudaFree().
  void* release() {
    bytes_ = 0;
    return std::exchange(data_, nullptr);
  }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  std::size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace lacuna::kernels::cuda
