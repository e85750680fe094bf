#include "kernels/cuda/staging.h"

#include <algorithm>
#include <cstring>

namespace lacuna::kernels::cuda {

Staging::~Staging() {
  for (const Piece& piece : pieces_) {
    if (piece.copied == nullptr) continue;
    cudaEventSynchronize(piece.copied);
    cudaEventDestroy(piece.copied);
    if (piece.memory != nullptr) cudaFreeHost(piece.memory);
  }
}

std::byte* Staging::begin(std::size_t bytes) {
  Piece& piece = pieces_[turn_];
  if (piece.copied == nullptr) {
    LACUNA_CUDA_CHECK(cudaEventCreateWithFlags(&piece.copied, cudaEventDisableTiming));
  } else {
    LACUNA_CUDA_CHECK(cudaEventSynchronize(piece.copied));
  }
  if (bytes > piece.bytes) {
    if (piece.memory != nullptr) LACUNA_CUDA_CHECK(cudaFreeHost(piece.memory));
    piece.memory = nullptr;
    piece.bytes = 0;
    const std::size_t room = std::max(bytes, kPieceBytes);
    LACUNA_CUDA_CHECK(cudaMallocHost(&piece.memory, room));
    piece.bytes = room;
  }
  return static_cast<std::byte*>(piece.memory);
}

void Staging::end(CUstream_st* stream) {
  LACUNA_CUDA_CHECK(cudaEventRecord(pieces_[turn_].copied, stream));
  turn_ = 1 - turn_;
}

void Staging::copy(void* to, const void* from, std::size_t bytes, ThreadPool& pool,
                   CUstream_st* stream) {
  constexpr std::size_t kTaskBytes = 256U << 10;  // that one thread copies at a time
  for (std::size_t at = 0; at < bytes; at += kPieceBytes) {
    const std::size_t size = std::min(kPieceBytes, bytes - at);
    const auto* source = static_cast<const std::byte*>(from) + at;
    std::byte* memory = begin(size);
    pool.run(static_cast<int>((size + kTaskBytes - 1) / kTaskBytes), [&](int task, int) {
      const std::size_t first = static_cast<std::size_t>(task) * kTaskBytes;
      std::memcpy(memory + first, source + first, std::min(kTaskBytes, size - first));
    });
    LACUNA_CUDA_CHECK(cudaMemcpyAsync(static_cast<std::byte*>(to) + at, memory, size,
                                      cudaMemcpyHostToDevice, stream));
    end(stream);
  }
}

}  // namespace lacuna::kernels::cuda
