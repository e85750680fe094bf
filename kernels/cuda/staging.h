// Host memory for weights on their way to a device.
#pragma once

#include <array>
#include <cstddef>

#include "kernels/cpu/thread_pool.h"
#include "kernels/cuda/launch.h"

struct CUevent_st;
struct CUstream_st;

namespace lacuna::kernels::cuda {

// Two pieces of pinned memory, in turns: while one is copied, at the full speed of the bus, the
// other is filled. (A copy from pageable memory passes through such a buffer of the driver, filled
// by one thread, and the caller waits for it.) For one device: whichever is current whenever it is used.
class Staging {
 public:
  // Enough for the bus to be busy, little enough to keep.
  static constexpr std::size_t kPieceBytes = 8U << 20;

  Staging() = default;
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging();

  // The piece whose turn it is, of at least `bytes`, after waiting until nothing is copied from it
  // any more. Throws CudaError.
  std::byte* begin(std::size_t bytes);
  // Everything that is copied from that piece is in `stream` now; it is the other one's turn.
  void end(CUstream_st* stream);

  // Copies bytes of the host to the device, piece by piece, with the threads of `pool`. They may be
  // written again when it returns.
  void copy(void* to, const void* from, std::size_t bytes, ThreadPool& pool, CUstream_st* stream);

 private:
  struct Piece {
    void* memory = nullptr;
    std::size_t bytes = 0;
    CUevent_st* copied = nullptr;
  };

  std::array<Piece, 2> pieces_;
  std::size_t turn_ = 0;
};

}  // namespace lacuna::kernels::cuda
