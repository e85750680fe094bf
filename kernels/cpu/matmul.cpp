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
template <class A, class B, class C = float>
struct Operands {
  void (*kernel)(const Tile<A, B, C>& tile);
  const A* x;
  std::size_t x_stride;
  const B* w;
  std::size_t panel_size;
  int depth;
};

// sums = x w for the rows [first, first + rows) of x and one panel of w.
template <class A, class B, class C>
void multiply_block(const Operands<A, B, C>& operands, int panel, int first, int rows, C* sums) {
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

// `finish` makes the floats of a row's sums in a panel, in their place: finish(sums, row, panel).
template <class A, class B, class C, class Finish>
void multiply(CpuContext& context, const Matmul& op, const Operands<A, B, C>& operands,
              Finish&& finish) {
  const int n = op.w->n();
  const int panels = rounded_up_quotient(n, kPanel);
  const int blocks = row_blocks(context, op.M, kRowBlock, 2 * kTileRows, panels);
  // All blocks of a panel one after the other: the panel is read from memory once.
  context.pool().run(blocks * panels, [&](int task, int thread) {
    const int panel = task / blocks;
    const int first = op.M * (task % blocks) / blocks;
    const int rows = op.M * (task % blocks + 1) / blocks - first;
    float* sums = context.scratch(thread, size(kRowBlock) * kPanel);
    multiply_block(operands, panel, first, rows, reinterpret_cast<C*>(sums));
    const int column = panel * kPanel;
    for (int r = 0; r < rows; ++r) {
      finish(sums + size(r) * kPanel, first + r, panel);
      context.kernels().add_bias(op.y + size(first + r) * size(n) + size(column),
                                 sums + size(r) * kPanel,
                                 op.bias != nullptr ? op.bias + column : nullptr,
                                 std::min(kPanel, n - column), op.accumulate);
    }
  });
}

constexpr auto kFloatsAlready = [](float*, int, int) {};

// Rows of x as quads of bytes with 128 added, filled up with zeros, and their scales.
struct Int8Rows {
  std::uint32_t* quads;
  float* scales;
};

Int8Rows round_to_quads(CpuContext& context, const Matmul& op, int n_quads) {
  const int k = op.w->k();
  float* memory = context.shared_scratch(size(op.M) * (size(n_quads) + 1));
  const Int8Rows rows = {.quads = reinterpret_cast<std::uint32_t*>(memory),
                         .scales = memory + size(op.M) * size(n_quads)};
  for_row_blocks(context, op.M, k, [&](int first, int last) {
    for (int m = first; m < last; ++m) {
      auto* y = reinterpret_cast<std::uint8_t*>(rows.quads + size(m) * size(n_quads));
      rows.scales[m] = context.kernels().round_to_int8(y, op.x + size(m) * size(op.x_stride), k);
      std::fill(y + k, y + 4 * size(n_quads), std::uint8_t{128});
    }
  });
  return rows;
}

void multiply_int8(CpuContext& context, const Matmul& op) {
  const PackedMatrix& w = *op.w;
  const int n_quads = rounded_up_quotient(w.k(), 4);
  const Int8Rows x = round_to_quads(context, op, n_quads);
  const Operands<std::uint32_t, std::uint32_t, std::int32_t> operands = {
      .kernel = context.kernels().tile_int8,
      .x = x.quads,
      .x_stride = size(n_quads),
      .w = reinterpret_cast<const std::uint32_t*>(w.int8_panel(0)),
      .panel_size = size(n_quads) * kPanel,
      .depth = n_quads};
  multiply(context, op, operands, [&](float* sums, int row, int panel) {
    context.kernels().int8_sums_to_floats(sums, reinterpret_cast<const std::int32_t*>(sums),
                                          w.offsets(panel), w.scales(panel), x.scales[row]);
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
  if (w.format() == WeightFormat::Int8) {
    multiply_int8(context, op);
  } else if (w.format() == WeightFormat::F32) {
    multiply<float, float, float>(context, op,
                                  {.kernel = kernels.tile_f32,
                                   .x = op.x,
                                   .x_stride = size(op.x_stride),
                                   .w = w.f32_panel(0),
                                   .panel_size = size(w.k()) * kPanel,
                                   .depth = w.k()},
                                  kFloatsAlready);
  } else if (op.precision == Precision::F32 || kernels.tile_bf16_pairs == nullptr) {
    multiply<float, std::uint16_t, float>(context, op,
                                          {.kernel = kernels.tile_bf16,
                                           .x = op.x,
                                           .x_stride = size(op.x_stride),
                                           .w = w.bf16_panel(0),
                                           .panel_size = 2 * size(n_pairs) * kPanel,
                                           .depth = w.k()},
                                          kFloatsAlready);
  } else {
    multiply<std::uint32_t, std::uint32_t, float>(
        context, op,
        {.kernel = kernels.tile_bf16_pairs,
         .x = round_to_pairs(context, op, n_pairs),
         .x_stride = size(n_pairs),
         .w = reinterpret_cast<const std::uint32_t*>(w.bf16_panel(0)),
         .panel_size = size(n_pairs) * kPanel,
         .depth = n_pairs},
        kFloatsAlready);
  }
}

}  // namespace lacuna::kernels
