#include "kernels/cpu/isa_kernels.h"

namespace lacuna::kernels {

const IsaKernels& isa_kernels(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::Scalar:
      return kScalarKernels;
    case Isa::Avx2:
      return kAvx2Kernels;
    case Isa::Avx512:
      return kAvx512Kernels;
    case Isa::Avx512Vnni:
      return kAvx512VnniKernels;
    case Isa::Avx512Bf16:
      return kAvx512Bf16Kernels;
  }
#endif
  static_cast<void>(isa);
  return kScalarKernels;
}

}  // namespace lacuna::kernels
