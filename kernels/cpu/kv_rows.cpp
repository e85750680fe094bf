// Rows of a cache exchanged and moved.
#include <algorithm>
#include <cstdlib>

#include "kernels/cpu/kv_layout.h"
#include "kernels/cpu/sizes.h"
#include "kernels/kernels.h"

namespace lacuna::kernels {
namespace {

// The first element of a key; the next ones lie kPanel floats apart.
float* key_at(const KvCacheView& cache, int head, int place) {
  return key_block(cache, head, place / kPanel) + place % kPanel;
}

float* value_at(const KvCacheView& cache, int head, int panel, int place) {
  return value_panel(cache, head, panel) + size(place) * kPanel;
}

void swap_head(const KvSwap& op, int head) {
  const int P = op.a.P;
  for (int m = 0; m < op.M; ++m) {
    float* a = key_at(op.a, head, op.a_places[m]);
    float* b = key_at(op.b, head, op.b_places[m]);
    for (int p = 0; p < P; ++p) std::swap(a[size(p) * kPanel], b[size(p) * kPanel]);
    for (int panel = 0; panel * kPanel < P; ++panel) {
      float* value = value_at(op.a, head, panel, op.a_places[m]);
      std::swap_ranges(value, value + kPanel, value_at(op.b, head, panel, op.b_places[m]));
    }
  }
}

// Turns a key by an angle for each pair; `direction` is the sign of the angles.
void move_key(float* to, const float* from, const float* cos, const float* sin, float direction,
              int P) {
  const std::size_t half = size(P / 2) * kPanel;
  for (int i = 0; i < P / 2; ++i) {
    const std::size_t at = size(i) * kPanel;
    const float first = from[at];
    const float second = from[at + half];
    const float turn = direction * sin[i];
    to[at] = first * cos[i] - second * turn;
    to[at + half] = second * cos[i] + first * turn;
  }
}

void move_head(const KvMove& op, int head) {
  const int P = op.from.P;
  const std::size_t angles = size(std::abs(op.by)) * size(P / 2);
  const float direction = op.by < 0 ? -1 : 1;
  const auto move = [&](int place) {
    move_key(key_at(op.to, head, place + op.by), key_at(op.from, head, place), op.cos + angles,
             op.sin + angles, direction, P);
    for (int panel = 0; panel * kPanel < P; ++panel)
      std::copy_n(value_at(op.from, head, panel, place), kPanel,
                  value_at(op.to, head, panel, place + op.by));
  };
  // Within one cache no row may be overwritten before it has moved.
  if (op.by < 0) {
    for (int place = op.begin; place < op.end; ++place) move(place);
  } else {
    for (int place = op.end - 1; place >= op.begin; --place) move(place);
  }
}

}  // namespace

void kv_swap(CpuContext& context, const KvSwap& op) {
  context.pool().run(op.a.K, [&](int head, int /*thread*/) { swap_head(op, head); });
}

void kv_move(CpuContext& context, const KvMove& op) {
  context.pool().run(op.from.K, [&](int head, int /*thread*/) { move_head(op, head); });
}

}  // namespace lacuna::kernels
