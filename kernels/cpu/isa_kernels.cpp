#include "kernels/cpu/isa_kernels.h"

namespace lacuna::kernels {

const IsaKernels& isa_kernels(Isa isa) {
  static_cast<void>(isa);
  return kScalarKernels;
}

}  // namespace lacuna::kernels
