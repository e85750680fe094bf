#include <cmath>

#include "kernels/cpu/isa_kernels.h"
#include "kernels/cpu/sizes.h"
#include "kernels/kernels.h"

namespace lacuna::kernels {

void rms_norm(CpuContext& context, const RmsNorm& op) {
  const IsaKernels& kernels = context.kernels();
  for_row_blocks(context, op.M, op.D, [&](int first, int last) {
    for (int m = first; m < last; ++m) {
      const std::size_t row = size(m) * size(op.D);
      const float mean = kernels.sum_of_squares(op.x + row, op.D) / static_cast<float>(op.D);
      const float scale = 1.0F / std::sqrt(mean + op.eps);
      kernels.scale_and_weight(op.y + row, op.x + row, op.weight, scale, op.D);
    }
  });
}

}  // namespace lacuna::kernels
