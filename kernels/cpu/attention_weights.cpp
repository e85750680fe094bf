#include <algorithm>

#include "kernels/cpu/isa_kernels.h"
#include "kernels/cpu/kv_layout.h"
#include "kernels/cpu/sizes.h"
#include "kernels/kernels.h"

namespace lacuna::kernels {
namespace {

// Row by row: the rows asked about need not lie next to each other, and are few.
void add_up_head(const AttentionWeights& op, const IsaKernels& kernels, int head, float* scores) {
  float* y = op.y + size(head) * size(op.T);
  std::fill_n(y, size(op.T), 0.0F);
  const std::size_t P = size(op.cache.P);
  for (int m = 0; m < op.M; ++m) {
    for (int block = 0; block * kPanel < op.T; ++block)
      kernels.tile_f32({.a = op.q + (size(op.rows[m]) * size(op.H) + size(head)) * P,
                        .a_stride = size(op.H) * P,
                        .b = key_block(op.cache, head / (op.H / op.cache.K), block),
                        .k = op.cache.P,
                        .c = scores + size(block * kPanel),
                        .c_stride = 0,
                        .rows = 1,
                        .accumulate = false});
    const float share = 1.0F / kernels.exp_scores(scores, op.scale, op.T);
    for (int t = 0; t < op.T; ++t) y[t] += share * scores[t];
  }
}

}  // namespace

void attention_weights(CpuContext& context, const AttentionWeights& op) {
  context.pool().run(op.H, [&](int head, int thread) {
    float* scores = context.scratch(thread, panels_of(op.T) * kPanel);
    add_up_head(op, context.kernels(), head, scores);
  });
}

}  // namespace lacuna::kernels
