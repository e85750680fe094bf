// AlignedBuffer: memory for arrays that vector instructions read.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace lacuna::kernels {

// Owns uninitialised memory aligned to 64 bytes; large buffers ask for huge pages, because a
// weight matrix read through 4 KiB pages misses the TLB at every row. Throws std::bad_alloc.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t bytes);

  std::size_t bytes() const { return bytes_; }
  // Gives the memory away: whoever takes it calls std::free().
  void* release() {
    bytes_ = 0;
    return memory_.release();
  }
  template <class T>
  T* as() const {
    return static_cast<T*>(memory_.get());
  }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
  std::size_t bytes_ = 0;
};

}  // namespace lacuna::kernels
