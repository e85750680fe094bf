#include <cstring>

#include "kernels/cpu/kv_layout.h"
#include "kernels/cpu/sizes.h"
#include "kernels/kernels.h"

namespace lacuna::kernels {
namespace {

// Rotates one head by the angles of a position; `stride` floats lie between its elements in y.
void rotate(float* y, std::size_t stride, const float* x, const float* cos, const float* sin,
            int P) {
  const int half = P / 2;
  for (int i = 0; i < half; ++i) {
    const auto at = size(i);
    y[at * stride] = x[i] * cos[i] - x[i + half] * sin[i];
    y[(at + size(half)) * stride] = x[i + half] * cos[i] + x[i] * sin[i];
  }
}

// Writes the head of a value, and zeros up to the end of its last panel: attention computes those
// columns too, and what lies there must not be slow (a denormal) or trap.
void store_value(const KvCacheView& cache, int head, int position, const float* value) {
  for (int begin = 0; begin < cache.P; begin += kPanel) {
    float* to = value_panel(cache, head, begin / kPanel) + size(position) * kPanel;
    const int count = std::min(kPanel, cache.P - begin);
    std::memcpy(to, value + begin, size(count) * sizeof(float));
    std::fill(to + count, to + kPanel, 0.0F);
  }
}

}  // namespace

std::size_t kv_floats(int capacity, int K, int P) {
  // Keys round the capacity up to whole panels, values the head: enough for either.
  return size(K) * panels_of(capacity) * kPanel * panels_of(P) * kPanel;
}

void rope_store(CpuContext& context, const RopeStore& op) {
  const int P = op.cache.P;
  const int K = op.cache.K;
  const int width = (op.H + 2 * K) * P;
  for_row_blocks(context, op.M, width, [&](int first, int last) {
    for (int m = first; m < last; ++m) {
      const int position = op.positions[m];
      const int place = op.places == nullptr ? position : op.places[m];
      const std::size_t angles = size(position) * size(P / 2);
      const float* cos = op.cos + angles;
      const float* sin = op.sin + angles;
      const float* x = op.qkv + size(m) * size(width);
      float* q = op.q + size(m) * static_cast<std::size_t>(op.H * P);
      for (int h = 0; h < op.H; ++h, x += P, q += P) rotate(q, 1, x, cos, sin, P);
      for (int h = 0; h < K; ++h, x += P)
        rotate(key_block(op.cache, h, place / kPanel) + place % kPanel, kPanel, x, cos, sin, P);
      for (int h = 0; h < K; ++h, x += P) store_value(op.cache, h, place, x);
    }
  });
}

}  // namespace lacuna::kernels
