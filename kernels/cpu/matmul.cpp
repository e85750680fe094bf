// The matrix product as tiles of kTileRows x 64.
//
// A panel of weights (64 outputs) is read in pieces of kDepth, each for all rows of a block
// before the next: a piece stays in the second-level cache while the rows of x, a fraction of the
// traffic, stream past it. The sums of a block wait in scratch memory between two pieces, so a
// sum always continues where it stopped, in the order of k. Bias and old y come last.
#include <algorithm>

#include "kernels/cpu/isa_kernels.h"
#include "kernels/cpu/packed_matrix.h"
#include "kernels/cpu/sizes.h"
#include "kernels/kernels.h"

namespace lacuna::kernels {
namespace {

constexpr int kRowBlock = 32 * kTileRows;  // sums of a block: 48 KiB
constexpr int kDepth = 512;                // 128 KiB of a float panel; even, to keep pairs whole

// The left side x and the right side w in the types of a tile kernel. `depth` and the offsets
// count elements of x: floats, or pairs.
template <class A, class B>
struct Operands {
  void (*kernel)(const Tile<A, B>& tile);
  const A* x;
  std::size_t x_stride;
  const B* w;
  std::size_t panel_size;
  int depth;
};

// sums = x w for the rows [first, first + rows) of x and one panel of w.
template <class A, class B>
void multiply_block(const Operands<A, B>& operands, int panel, int first, int rows, float* sums) {
  const A* x = operands.x + size(first) * operands.x_stride;
  const B* w = operands.w + size(panel) * operands.panel_size;
  // Rows are shared out evenly: 7 are done as 3 + 4, which is faster than 6 + 1.
  const int tiles = rounded_up_quotient(rows, kTileRows);
  for (int begin = 0; begin < operands.depth; begin += kDepth)
    for (int tile = 0; tile < tiles; ++tile) {
      const int row = rows * tile / tiles;
      operands.kernel({.a = x + size(row) * operands.x_stride + begin,
                       .a_stride = operands.x_stride,
                       .b = w + size(begin) * kPanel,
                       .k = std::min(kDepth, operands.depth - begin),
                       .c = sums + size(row) * kPanel,
                       .c_stride = kPanel,
                       .rows = rows * (tile + 1) / tiles - row,
                       .accumulate = begin > 0});
    }
}

template <class A, class B>
void multiply(CpuContext& context, const Matmul& op, const Operands<A, B>& operands) {
  const int n = op.w->n();
  const int panels = rounded_up_quotient(n, kPanel);
  const int blocks = row_blocks(context, op.M, kRowBlock, 2 * kTileRows, panels);
  // All blocks of a panel one after the other: the panel is read from memory once.
  context.pool().run(blocks * panels, [&](int task, int thread) {
    const int panel = task / blocks;
    const int first = op.M * (task % blocks) / blocks;
    const int rows = op.M * (task % blocks + 1) / blocks - first;
    float* sums = context.scratch(thread, size(kRowBlock) * kPanel);
    multiply_block(operands, panel, first, rows, sums);
    const int column = panel * kPanel;
    for (int r = 0; r < rows; ++r)
      context.kernels().add_bias(op.y + size(first + r) * size(n) + size(column),
                                 sums + size(r) * kPanel,
                                 op.bias != nullptr ? op.bias + column : nullptr,
                                 std::min(kPanel, n - column), op.accumulate);
  });
}

// x rounded to bf16 in pairs (k, k + 1), the last filled up with a zero when k is odd.
const std::uint32_t* round_to_pairs(CpuContext& context, const Matmul& op, int n_pairs) {
  const int k = op.w->k();
  auto* pairs =
      reinterpret_cast<std::uint32_t*>(context.shared_scratch(size(op.M) * size(n_pairs)));
  for_row_blocks(context, op.M, k, [&](int first, int last) {
    for (int m = first; m < last; ++m) {
      auto* y = reinterpret_cast<std::uint16_t*>(pairs + size(m) * size(n_pairs));
      context.kernels().round_to_bf16(y, op.x + size(m) * size(op.x_stride), k);
      if (k % 2 != 0) y[k] = 0;
    }
  });
  return pairs;
}

}  // namespace

void matmul(CpuContext& context, const Matmul& op) {
  const PackedMatrix& w = *op.w;
  const IsaKernels& kernels = context.kernels();
  const int n_pairs = (w.k() + 1) / 2;
  if (w.format() == WeightFormat::F32) {
    multiply<float, float>(context, op,
                           {.kernel = kernels.tile_f32,
                            .x = op.x,
                            .x_stride = size(op.x_stride),
                            .w = w.f32_panel(0),
                            .panel_size = size(w.k()) * kPanel,
                            .depth = w.k()});
  } else if (op.precision == Precision::F32 || kernels.tile_bf16_pairs == nullptr) {
    multiply<float, std::uint16_t>(context, op,
                                   {.kernel = kernels.tile_bf16,
                                    .x = op.x,
                                    .x_stride = size(op.x_stride),
                                    .w = w.bf16_panel(0),
                                    .panel_size = 2 * size(n_pairs) * kPanel,
                                    .depth = w.k()});
  } else {
    multiply<std::uint32_t, std::uint32_t>(
        context, op,
        {.kernel = kernels.tile_bf16_pairs,
         .x = round_to_pairs(context, op, n_pairs),
         .x_stride = size(n_pairs),
         .w = reinterpret_cast<const std::uint32_t*>(w.bf16_panel(0)),
         .panel_size = size(n_pairs) * kPanel,
         .depth = n_pairs});
  }
}

}  // namespace lacuna::kernels
