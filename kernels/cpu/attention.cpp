#include <algorithm>

#include "kernels/cpu/isa_kernels.h"
#include "kernels/cpu/kv_layout.h"
#include "kernels/cpu/sizes.h"
#include "kernels/kernels.h"

namespace lacuna::kernels {
namespace {

// Rows of q that one task takes at most: their scores should stay in the second-level cache.
int most_rows(int T) {
  return std::clamp(64 * 1024 / std::max(T, 1) / kTileRows, 1, 8) * kTileRows;
}

// One head of the rows [first, first + rows).
struct Head {
  const Attention& op;
  const IsaKernels& kernels;
  int head;
  int first;
  int rows;
  float* scores;  // [rows, scores_stride]
  std::size_t scores_stride;
  float* out;  // [rows, kPanel]

  int kv_head() const { return head / (op.H / op.cache.K); }
  std::size_t row_stride() const { return size(op.H) * size(op.cache.P); }
  std::size_t offset() const { return size(first) * row_stride() + size(head) * size(op.cache.P); }

  void compute_scores() const {
    for (int block = 0; block * kPanel < op.T; ++block)
      for (int r = 0; r < rows; r += kTileRows)
        kernels.tile_f32({.a = op.q + offset() + size(r) * row_stride(),
                          .a_stride = row_stride(),
                          .b = key_block(op.cache, kv_head(), block),
                          .k = op.cache.P,
                          .c = scores + size(r) * scores_stride + size(block * kPanel),
                          .c_stride = scores_stride,
                          .rows = std::min(kTileRows, rows - r),
                          .accumulate = false});
  }

  // Leaves the sum of the exponentials of row r in sums[r].
  void compute_exponentials(float* sums) const {
    for (int r = 0; r < rows; ++r)
      sums[r] = kernels.exp_scores(scores + size(r) * scores_stride, op.scale, op.T);
  }

  void mix_values(const float* sums) const {
    for (int begin = 0; begin < op.cache.P; begin += kPanel) {
      for (int r = 0; r < rows; r += kTileRows)
        kernels.tile_f32({.a = scores + size(r) * scores_stride,
                          .a_stride = scores_stride,
                          .b = value_panel(op.cache, kv_head(), begin / kPanel),
                          .k = op.T,
                          .c = out + size(r) * kPanel,
                          .c_stride = kPanel,
                          .rows = std::min(kTileRows, rows - r),
                          .accumulate = false});
      const int count = std::min(kPanel, op.cache.P - begin);
      for (int r = 0; r < rows; ++r) {
        float* y = op.y + offset() + size(r) * row_stride() + size(begin);
        kernels.scale(y, out + size(r) * kPanel, 1.0F / sums[r], count);
      }
    }
  }
};

}  // namespace

void attention(CpuContext& context, const Attention& op) {
  const int blocks = row_blocks(context, op.M, most_rows(op.T), kTileRows, op.H);
  const int most = rounded_up_quotient(op.M, std::max(blocks, 1));
  const std::size_t scores_stride = panels_of(op.T) * kPanel;
  context.pool().run(op.H * blocks, [&](int task, int thread) {
    float* scratch = context.scratch(thread, size(most) * (scores_stride + kPanel + 1));
    const int first = op.M * (task % blocks) / blocks;
    const Head head = {.op = op,
                       .kernels = context.kernels(),
                       .head = task / blocks,
                       .first = first,
                       .rows = op.M * (task % blocks + 1) / blocks - first,
                       .scores = scratch,
                       .scores_stride = scores_stride,
                       .out = scratch + size(most) * scores_stride};
    float* sums = head.out + size(most) * kPanel;
    head.compute_scores();
    head.compute_exponentials(sums);
    head.mix_values(sums);
  });
}

}  // namespace lacuna::kernels
