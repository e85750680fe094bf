// Where the floats of a KvCacheView are.
//
// Keys:   [K][ceil(capacity / 64)][P][64], the last index being the position within the block.
// Values: [K][ceil(P / 64)][capacity][64], the last index being the element of the head.
// Both are panels in the sense of IsaKernels, so attention is two matrix products without
// repacking: scores = q keys^T takes a block of keys as its b, scores values a panel of values.
#pragma once

#include <cstddef>

#include "kernels/cpu/isa_kernels.h"
#include "kernels/cpu/sizes.h"
#include "kernels/kernels.h"

namespace lacuna::kernels {

constexpr std::size_t panels_of(int n) { return (size(n) + kPanel - 1) / kPanel; }

// The block [P][64] with the keys of positions [64 block, 64 block + 64) of a key head.
inline float* key_block(const KvCacheView& cache, int head, int block) {
  const std::size_t blocks = size(head) * panels_of(cache.capacity) + size(block);
  return cache.keys + blocks * size(cache.P) * kPanel;
}

// The panel [capacity][64] with the elements [64 panel, 64 panel + 64) of a value head.
inline float* value_panel(const KvCacheView& cache, int head, int panel) {
  const std::size_t panels = size(head) * panels_of(cache.P) + size(panel);
  return cache.values + panels * size(cache.capacity) * kPanel;
}

}  // namespace lacuna::kernels
