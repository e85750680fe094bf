// What a CPU kernel runs with: an instruction set, threads, and scratch memory.
#pragma once

#include <cstddef>
#include <string_view>

#include "kernels/cpu/thread_pool.h"

namespace lacuna::kernels {

// Ordered: a CPU that has one has those before it. Avx512Bf16 adds products of bf16 pairs.
enum class Isa { Scalar, Avx2, Avx512, Avx512Bf16 };

// The best set of this CPU (and operating system).
Isa best_isa();
std::string_view name_of(Isa isa);

// One thread at a time may run kernels on a context.
class CpuContext {
 public:
  // `isa` may be lower than best_isa(), to test or compare; never higher. 0 < threads.
  CpuContext(Isa isa, int threads);

  Isa isa() const { return isa_; }
  ThreadPool& pool() { return pool_; }

  // 64-byte aligned memory for one thread of the pool, kept between calls and grown when needed
  // (a step that repeats allocates nothing). Its content is undefined.
  float* scratch(int thread, std::size_t floats);

 private:
  struct Scratch;  // a plain struct would be enough; hidden so that this header stays light
  Isa isa_;
  ThreadPool pool_;
};

}  // namespace lacuna::kernels
