// What a CPU kernel runs with: an instruction set, threads, and scratch memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "kernels/cpu/aligned_buffer.h"
#include "kernels/cpu/thread_pool.h"

namespace lacuna::kernels {

struct IsaKernels;  // kernels/cpu/isa_kernels.h: the inner loops of one instruction set

// Ordered: a CPU that has one has those before it. Avx512Vnni adds products of int8 quads,
// Avx512Bf16 those of bf16 pairs.
enum class Isa : std::uint8_t { Scalar, Avx2, Avx512, Avx512Vnni, Avx512Bf16 };

// The best set of this CPU (and operating system).
Isa best_isa();
std::string_view name_of(Isa isa);

// One thread at a time may run kernels on a context.
class CpuContext {
 public:
  // `isa` may be lower than best_isa(), to test or compare; a higher one is lowered. 0 < threads.
  CpuContext(Isa isa, int threads);

  Isa isa() const { return isa_; }
  ThreadPool& pool() { return pool_; }
  const IsaKernels& kernels() const { return *kernels_; }

  // 64-byte aligned memory for one thread of the pool, kept between calls and grown when needed
  // (a step that repeats allocates nothing). Its content is undefined. Each thread of the pool
  // may ask for its own while a loop runs.
  float* scratch(int thread, std::size_t floats);

  // The same for all threads together; ask for it before the loop starts.
  float* shared_scratch(std::size_t floats) { return scratch(pool_.threads(), floats); }

 private:
  struct alignas(64) Scratch {  // a cache line each: threads do not disturb each other
    AlignedBuffer buffer;
  };

  Isa isa_;
  const IsaKernels* kernels_;
  std::vector<Scratch> scratch_;  // one for each thread, and the shared one
  ThreadPool pool_;
};

}  // namespace lacuna::kernels
