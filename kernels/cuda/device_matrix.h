// Weight matrices in device memory, made from the tensors of a checkpoint.
#pragma once

#include <span>

#include "kernels/cpu/quantised_rows.h"
#include "kernels/cpu/thread_pool.h"
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/device_buffer.h"
#include "kernels/cuda/staging.h"

namespace lacuna::kernels::cuda {

class DeviceWeights {
 public:
  DeviceWeights() = default;  // 0 x 0

  // Copies the rows of all sources, the first on top, as PackedMatrix::pack() does: numbers that
  // `type` cannot hold are rounded, I8 and I4 sources stay exact as Int8. Int4 takes I4 sources of
  // one group size that is a multiple of 32 and divides padded_k(k) as they are, and quantises
  // everything else in groups of 32. Does not wait for the last copies: what is queued in `stream`
  // afterwards finds them done. The threads of `pool` make the rows. Throws CudaError.
  static DeviceWeights upload(std::span<const MatrixSource> sources, int k, WeightType type,
                              Staging& staging, ThreadPool& pool, CUstream_st* stream);

  const DeviceMatrix& view() const { return view_; }
  std::size_t bytes() const {
    return data_.bytes() + scales_.bytes() + steps_.bytes() + offsets_.bytes();
  }

 private:
  DeviceBuffer data_, scales_, steps_, offsets_;
  DeviceMatrix view_;
};

}  // namespace lacuna::kernels::cuda
