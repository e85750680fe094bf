#include "kernels/cpu/context.h"

#include <algorithm>

#include "kernels/cpu/isa_kernels.h"

namespace lacuna::kernels {

Isa best_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (!avx2) return Isa::Scalar;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (!avx512) return Isa::Avx2;
  if (!__builtin_cpu_supports("avx512vnni")) return Isa::Avx512;
  return __builtin_cpu_supports("avx512bf16") ? Isa::Avx512Bf16 : Isa::Avx512Vnni;
#else
  return Isa::Scalar;
#endif
}

std::string_view name_of(Isa isa) {
  switch (isa) {
    case Isa::Scalar:
      return "scalar";
    case Isa::Avx2:
      return "avx2";
    case Isa::Avx512:
      return "avx512";
    case Isa::Avx512Vnni:
      return "avx512vnni";
    case Isa::Avx512Bf16:
      return "avx512bf16";
  }
  return "?";
}

CpuContext::CpuContext(Isa isa, int threads)
    : isa_(std::min(isa, best_isa())),
      kernels_(&isa_kernels(isa_)),
      scratch_(static_cast<std::size_t>(std::max(threads, 1)) + 1),
      pool_(threads) {}

float* CpuContext::scratch(int thread, std::size_t floats) {
  AlignedBuffer& buffer = scratch_[static_cast<std::size_t>(thread)].buffer;
  if (buffer.bytes() < floats * sizeof(float)) {
    buffer = AlignedBuffer();  // first: the old content is not needed, so do not hold both
    buffer = AlignedBuffer(floats * sizeof(float));
  }
  return buffer.as<float>();
}

}  // namespace lacuna::kernels
