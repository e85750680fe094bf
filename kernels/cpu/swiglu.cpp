#include "kernels/cpu/isa_kernels.h"
#include "kernels/cpu/sizes.h"
#include "kernels/kernels.h"

namespace lacuna::kernels {

void swiglu(CpuContext& context, const SwiGlu& op) {
  const auto F = size(op.F);
  for_row_blocks(context, op.M, 2 * op.F, [&](int first, int last) {
    for (int m = first; m < last; ++m) {
      const auto row = size(m);
      const float* gate = op.gate_up + row * 2 * F;
      context.kernels().silu_product(op.y + row * F, gate, gate + F, op.F);
    }
  });
}

}  // namespace lacuna::kernels
