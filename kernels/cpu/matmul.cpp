#include <algorithm>

#include "kernels/cpu/isa_kernels.h"
#include "kernels/cpu/packed_matrix.h"
#include "kernels/cpu/row_blocks.h"
#include "kernels/kernels.h"

namespace lacuna::kernels {
namespace {

constexpr int kRowBlock = 96;

constexpr std::size_t size(int n) { return static_cast<std::size_t>(n); }

// The pairs of a row of x rounded to bf16, the last filled up with a zero when k is odd.
void round_rows(CpuContext& context, const Matmul& op, std::uint32_t* pairs, int n_pairs) {
  const int k = op.w->k();
  for_row_blocks(context, op.M, k, [&](int first, int last) {
    for (int m = first; m < last; ++m) {
      auto* y = reinterpret_cast<std::uint16_t*>(pairs + size(m) * size(n_pairs));
      context.kernels().round_to_bf16(y, op.x + size(m) * size(op.x_stride), k);
      if (k % 2 != 0) y[k] = 0;
    }
  });
}

// y (+)= sums + bias for one block of rows and one panel.
void finish(const Matmul& op, const float* sums, int first, int rows, int panel) {
  const int n = op.w->n();
  const int begin = panel * kPanel;
  const int count = std::min(kPanel, n - begin);
  for (int r = 0; r < rows; ++r) {
    float* y = op.y + size(first + r) * size(n) + size(begin);
    const float* sum = sums + size(r) * kPanel;
    for (int i = 0; i < count; ++i) {
      float value = sum[i];
      if (op.bias != nullptr) value += op.bias[begin + i];
      y[i] = op.accumulate ? y[i] + value : value;
    }
  }
}

// Sums of the rows [0, rows) of a: [rows, kPanel].
template <class A, class B>
void multiply(void (*kernel)(const Tile<A, B>&), int max_rows, const A* a, std::size_t a_stride,
              const B* b, int k, float* sums, int rows) {
  for (int r = 0; r < rows; r += max_rows)
    kernel({.a = a + size(r) * a_stride,
            .a_stride = a_stride,
            .b = b,
            .k = k,
            .c = sums + size(r) * kPanel,
            .c_stride = kPanel,
            .rows = std::min(max_rows, rows - r),
            .accumulate = false});
}

}  // namespace

void matmul(CpuContext& context, const Matmul& op) {
  const PackedMatrix& w = *op.w;
  const IsaKernels& kernels = context.kernels();
  const bool pairs = w.format() == WeightFormat::Bf16 && op.precision == Precision::Bf16 &&
                     kernels.tile_bf16_pairs != nullptr;
  const int n_pairs = (w.k() + 1) / 2;
  std::uint32_t* x_pairs = nullptr;
  if (pairs) {
    x_pairs = reinterpret_cast<std::uint32_t*>(context.shared_scratch(size(op.M) * size(n_pairs)));
    round_rows(context, op, x_pairs, n_pairs);
  }
  const int blocks = (op.M + kRowBlock - 1) / kRowBlock;
  const int panels = (w.n() + kPanel - 1) / kPanel;
  context.pool().run(blocks * panels, [&](int task, int thread) {
    const int panel = task / blocks;
    const int first = task % blocks * kRowBlock;
    const int rows = std::min(kRowBlock, op.M - first);
    float* sums = context.scratch(thread, size(kRowBlock) * kPanel);
    const float* x = op.x + size(first) * size(op.x_stride);
    if (pairs)
      multiply(kernels.tile_bf16_pairs, kernels.max_rows, x_pairs + size(first) * size(n_pairs),
               size(n_pairs), reinterpret_cast<const std::uint32_t*>(w.bf16_panel(panel)), n_pairs,
               sums, rows);
    else if (w.format() == WeightFormat::Bf16)
      multiply(kernels.tile_bf16, kernels.max_rows, x, size(op.x_stride), w.bf16_panel(panel),
               w.k(), sums, rows);
    else
      multiply(kernels.tile_f32, kernels.max_rows, x, size(op.x_stride), w.f32_panel(panel), w.k(),
               sums, rows);
    finish(op, sums, first, rows, panel);
  });
}

}  // namespace lacuna::kernels
