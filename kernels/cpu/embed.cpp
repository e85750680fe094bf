#include <cstring>

#include "kernels/cpu/quantised_rows.h"
#include "kernels/cpu/sizes.h"
#include "kernels/kernels.h"

namespace lacuna::kernels {
namespace {

// The table may be a mapped file without alignment: read it through memcpy.
template <float (*kConvert)(std::uint16_t)>
void convert_row(float* y, const std::byte* row, int D) {
  for (int d = 0; d < D; ++d) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, row + size(d) * 2, 2);
    y[d] = kConvert(bits);
  }
}

}  // namespace

void embed(CpuContext& context, const Embed& op) {
  const std::size_t bytes = row_bytes(op.type, op.D);
  for_row_blocks(context, op.M, op.D, [&](int first, int last) {
    for (int m = first; m < last; ++m) {
      const auto* row =
          static_cast<const std::byte*>(op.table) + static_cast<std::size_t>(op.ids[m]) * bytes;
      float* y = op.y + size(m) * size(op.D);
      switch (op.type) {
        case DType::F32:
          std::memcpy(y, row, bytes);
          break;
        case DType::F16:
          convert_row<f16_to_f32>(y, row, op.D);
          break;
        case DType::BF16:
          convert_row<bf16_to_f32>(y, row, op.D);
          break;
        case DType::I8:
        case DType::I4:
          read_row({.data = op.table, .type = DType::I8, .rows = 0, .parts = {.scales = op.scales}},
                   op.ids[m], op.D, y);
          break;
      }
    }
  });
}

}  // namespace lacuna::kernels
