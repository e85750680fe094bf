// The inner loops that exist once for each instruction set. Everything else in kernels/cpu is
// written once and calls these through the table of its CpuContext.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/context.h"

namespace lacuna::kernels {

// Columns of a panel: 4 AVX512 registers, so that a tile of 6 rows uses 24 accumulators.
constexpr int kPanel = 64;
constexpr int kTileRows = 6;

// c[r, n] (+)= sum_k a[r, k] * b[k, n] for r in [0, rows), n in [0, kPanel). Every sum runs over
// k in increasing order with one accumulator, whatever `rows` is; with `accumulate` it continues
// from c, so a long k may be cut into pieces without changing a bit.
template <class A, class B, class C = float>
struct Tile {
  const A* a;
  std::size_t a_stride;  // elements between rows
  const B* b;            // [k, kPanel], aligned to 64 bytes
  int k;
  C* c;
  std::size_t c_stride;
  int rows;  // in [1, kTileRows]
  bool accumulate;
};

using TileF32 = Tile<float, float>;
// Exact products with bf16 weights. b is [ceil(k / 2), kPanel, 2]: pairs (k, k + 1).
using TileBf16 = Tile<float, std::uint16_t>;
// Activations are pairs too. Here k counts pairs, and a and b hold one in each element.
using TileBf16Pairs = Tile<std::uint32_t, std::uint32_t>;
// Integers: k counts quads, and a and b hold one in each element, activations as bytes with 128
// added and weights as signed bytes. Sums wrap at 2^32, so any order gives the same ones.
using TileInt8 = Tile<std::uint32_t, std::uint32_t, std::int32_t>;

struct IsaKernels {
  void (*tile_f32)(const TileF32& tile);
  void (*tile_bf16)(const TileBf16& tile);
  void (*tile_int8)(const TileInt8& tile);

  // y = 128 + x / scale rounded to nearest even; returns scale = max |x| / 127. The same bits on
  // every instruction set. A row below 1e-30 counts as 0; one with a NaN or an infinity gives
  // y = 128 and a NaN.
  float (*round_to_int8)(std::uint8_t* y, const float* x, int n);
  // y = (sums - offsets) * (scales * scale) for the kPanel columns of a row; y may be sums. The
  // same bits on every instruction set.
  void (*int8_sums_to_floats)(float* y, const std::int32_t* sums, const std::int32_t* offsets,
                              const float* scales, float scale);

  // y = x + bias, or y += x + bias; bias may be null.
  void (*add_bias)(float* y, const float* x, const float* bias, int n, bool accumulate);
  // y = x * scale
  void (*scale)(float* y, const float* x, float scale, int n);
  // y = x * scale * weight; y may be x.
  void (*scale_and_weight)(float* y, const float* x, const float* weight, float scale, int n);
  float (*sum_of_squares)(const float* x, int n);
  // y = silu(gate) * up
  void (*silu_product)(float* y, const float* gate, const float* up, int n);
  // x = exp(scale * x - max(scale * x)); returns their sum. 0 < n.
  float (*exp_scores)(float* x, float scale, int n);
  // y = exp(x), as used by the two above: less than 2 units in the last place from the truth.
  void (*exp)(float* y, const float* x, int n);

  // Null where the CPU has no products of bf16 pairs.
  void (*tile_bf16_pairs)(const TileBf16Pairs& tile) = nullptr;
  // y = x rounded to bf16, subnormals to zero.
  void (*round_to_bf16)(std::uint16_t* y, const float* x, int n) = nullptr;
};

extern const IsaKernels kScalarKernels;
#if defined(__x86_64__)
extern const IsaKernels kAvx2Kernels;
extern const IsaKernels kAvx512Kernels;
extern const IsaKernels kAvx512VnniKernels;
extern const IsaKernels kAvx512Bf16Kernels;
#endif

// `isa` must be one that this CPU has.
const IsaKernels& isa_kernels(Isa isa);

}  // namespace lacuna::kernels
