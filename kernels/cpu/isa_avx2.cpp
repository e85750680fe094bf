// The inner loops with 256-bit registers and fused multiply-add.
//
// There are 16 registers, so a tile of 6 x 64 is computed as 4 strips of 6 x 16: 12 accumulators,
// 2 registers of weights, one of activations. About names instead of arrays: isa_avx512.cpp.
#include "kernels/cpu/int8_kernels.h"
#include "kernels/cpu/isa_kernels.h"

#if defined(__x86_64__)

#include <algorithm>
#include <immintrin.h>

#define LACUNA_AVX2 __attribute__((target("avx2,fma")))
#define LACUNA_AVX2_INLINE LACUNA_AVX2 __attribute__((always_inline)) inline

namespace lacuna::kernels {
namespace {

constexpr int kStrip = 16;

// 16 floats: a strip of a row of a panel, or of a row of sums.
struct Columns {
  __m256 c0, c1;
};

LACUNA_AVX2_INLINE Columns load_columns(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}

LACUNA_AVX2_INLINE void store_columns(float* p, const Columns& columns) {
  _mm256_storeu_ps(p, columns.c0);
  _mm256_storeu_ps(p + 8, columns.c1);
}

struct Sums {
  Columns r0, r1, r2, r3, r4, r5;
};

template <int kRows>
LACUNA_AVX2_INLINE Sums load_sums(const float* c, std::size_t stride, bool accumulate) {
  const Columns zero = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  Sums sums{zero, zero, zero, zero, zero, zero};
  if (!accumulate) return sums;
  sums.r0 = load_columns(c);
  if constexpr (kRows > 1) sums.r1 = load_columns(c + stride);
  if constexpr (kRows > 2) sums.r2 = load_columns(c + 2 * stride);
  if constexpr (kRows > 3) sums.r3 = load_columns(c + 3 * stride);
  if constexpr (kRows > 4) sums.r4 = load_columns(c + 4 * stride);
  if constexpr (kRows > 5) sums.r5 = load_columns(c + 5 * stride);
  return sums;
}

template <int kRows>
LACUNA_AVX2_INLINE void store_sums(float* c, std::size_t stride, const Sums& sums) {
  store_columns(c, sums.r0);
  if constexpr (kRows > 1) store_columns(c + stride, sums.r1);
  if constexpr (kRows > 2) store_columns(c + 2 * stride, sums.r2);
  if constexpr (kRows > 3) store_columns(c + 3 * stride, sums.r3);
  if constexpr (kRows > 4) store_columns(c + 4 * stride, sums.r4);
  if constexpr (kRows > 5) store_columns(c + 5 * stride, sums.r5);
}

LACUNA_AVX2_INLINE void add_product(Columns& sums, const float* a, const Columns& b) {
  const __m256 x = _mm256_broadcast_ss(a);
  sums.c0 = _mm256_fmadd_ps(x, b.c0, sums.c0);
  sums.c1 = _mm256_fmadd_ps(x, b.c1, sums.c1);
}

// One k for all rows: `a` and `a3` point to the elements of row 0 and row 3.
template <int kRows>
LACUNA_AVX2_INLINE void add_products(Sums& sums, const float* a, const float* a3,
                                     std::size_t stride, const Columns& b) {
  add_product(sums.r0, a, b);
  if constexpr (kRows > 1) add_product(sums.r1, a + stride, b);
  if constexpr (kRows > 2) add_product(sums.r2, a + 2 * stride, b);
  if constexpr (kRows > 3) add_product(sums.r3, a3, b);
  if constexpr (kRows > 4) add_product(sums.r4, a3 + stride, b);
  if constexpr (kRows > 5) add_product(sums.r5, a3 + 2 * stride, b);
}

template <int kRows>
LACUNA_AVX2 void tile_f32_rows(const TileF32& tile) {
  const std::size_t stride = tile.a_stride;
  for (int strip = 0; strip < kPanel; strip += kStrip) {
    Sums sums = load_sums<kRows>(tile.c + strip, tile.c_stride, tile.accumulate);
    const float* a = tile.a;
    const float* a3 = a + 3 * stride;
    const float* b = tile.b + strip;
    for (int k = 0; k < tile.k; ++k, ++a, ++a3, b += kPanel)
      add_products<kRows>(sums, a, a3, stride, load_columns(b));
    store_sums<kRows>(tile.c + strip, tile.c_stride, sums);
  }
}

// The upper half of a float is a bf16: the even one of a pair is shifted up, the odd one is
// already in its place.
LACUNA_AVX2_INLINE __m256 even_of(const std::uint16_t* pairs) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(pairs));
  return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
}

LACUNA_AVX2_INLINE __m256 odd_of(const std::uint16_t* pairs) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(pairs));
  const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xFFFF0000U));
  return _mm256_castsi256_ps(_mm256_and_si256(bits, upper));
}

template <int kRows>
LACUNA_AVX2 void tile_bf16_rows(const TileBf16& tile) {
  const std::size_t stride = tile.a_stride;
  for (int strip = 0; strip < kPanel; strip += kStrip) {
    Sums sums = load_sums<kRows>(tile.c + strip, tile.c_stride, tile.accumulate);
    const float* a = tile.a;
    const float* a3 = a + 3 * stride;
    const std::uint16_t* b = tile.b + std::ptrdiff_t{2} * strip;
    for (int k = 0; k + 1 < tile.k; k += 2, a += 2, a3 += 2, b += std::ptrdiff_t{2} * kPanel) {
      add_products<kRows>(sums, a, a3, stride, {even_of(b), even_of(b + 16)});
      add_products<kRows>(sums, a + 1, a3 + 1, stride, {odd_of(b), odd_of(b + 16)});
    }
    if (tile.k % 2 != 0) add_products<kRows>(sums, a, a3, stride, {even_of(b), even_of(b + 16)});
    store_sums<kRows>(tile.c + strip, tile.c_stride, sums);
  }
}

void tile_f32(const TileF32& tile) {
  switch (tile.rows) {
    case 1:
      return tile_f32_rows<1>(tile);
    case 2:
      return tile_f32_rows<2>(tile);
    case 3:
      return tile_f32_rows<3>(tile);
    case 4:
      return tile_f32_rows<4>(tile);
    case 5:
      return tile_f32_rows<5>(tile);
    default:
      return tile_f32_rows<6>(tile);
  }
}

void tile_bf16(const TileBf16& tile) {
  switch (tile.rows) {
    case 1:
      return tile_bf16_rows<1>(tile);
    case 2:
      return tile_bf16_rows<2>(tile);
    case 3:
      return tile_bf16_rows<3>(tile);
    case 4:
      return tile_bf16_rows<4>(tile);
    case 5:
      return tile_bf16_rows<5>(tile);
    default:
      return tile_bf16_rows<6>(tile);
  }
}

// Lane i is all ones when i < count: the operand of the masked loads and stores.
LACUNA_AVX2_INLINE __m256i first_lanes(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

// The loops below take 8 floats at a time; the last time `left` may be fewer. Masked stores cost
// AMD's CPUs a dozen cycles: hence only there.
LACUNA_AVX2_INLINE __m256 load(const float* p, int left) {
  return left >= 8 ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, first_lanes(left));
}

LACUNA_AVX2_INLINE void store(float* p, __m256 x, int left) {
  if (left >= 8)
    _mm256_storeu_ps(p, x);
  else
    _mm256_maskstore_ps(p, first_lanes(left), x);
}

LACUNA_AVX2_INLINE float sum_of(__m256 x) {
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  sum = _mm_add_ss(sum, _mm_movehdup_ps(sum));
  return _mm_cvtss_f32(sum);
}

LACUNA_AVX2_INLINE float largest_of(__m256 x) {
  __m128 largest = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  largest = _mm_max_ps(largest, _mm_movehl_ps(largest, largest));
  largest = _mm_max_ss(largest, _mm_movehdup_ps(largest));
  return _mm_cvtss_f32(largest);
}

// 2^n for the integers n in [-126, 127].
LACUNA_AVX2_INLINE __m256 power_of_two(__m256i n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

// As in isa_avx512.cpp. The scaling by 2^n takes two steps, because n reaches from -151 to 128
// and the result may be subnormal.
LACUNA_AVX2_INLINE __m256 exp_of(__m256 x) {
  x = _mm256_min_ps(_mm256_set1_ps(89.0F), _mm256_max_ps(_mm256_set1_ps(-105.0F), x));
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504F)),
                                   _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375F), x);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4F), r);
  __m256 p = _mm256_set1_ps(1.9875691500e-4F);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.3981999507e-3F));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(8.3334519073e-3F));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(4.1665795894e-2F));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.6666665459e-1F));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(5.0000001201e-1F));
  p = _mm256_fmadd_ps(p, _mm256_mul_ps(r, r), r);
  p = _mm256_add_ps(p, _mm256_set1_ps(1.0F));
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  p = _mm256_mul_ps(p, power_of_two(half));
  return _mm256_mul_ps(p, power_of_two(_mm256_sub_epi32(whole, half)));
}

LACUNA_AVX2 void add_bias(float* y, const float* x, const float* bias, int n, bool accumulate) {
  for (int i = 0; i < n; i += 8) {
    __m256 value = load(x + i, n - i);
    if (bias != nullptr) value = _mm256_add_ps(value, load(bias + i, n - i));
    if (accumulate) value = _mm256_add_ps(load(y + i, n - i), value);
    store(y + i, value, n - i);
  }
}

LACUNA_AVX2 void scale_row(float* y, const float* x, float scale, int n) {
  for (int i = 0; i < n; i += 8) {
    store(y + i, _mm256_mul_ps(load(x + i, n - i), _mm256_set1_ps(scale)), n - i);
  }
}

LACUNA_AVX2 void scale_and_weight(float* y, const float* x, const float* weight, float scale,
                                  int n) {
  for (int i = 0; i < n; i += 8) {
    const __m256 scaled = _mm256_mul_ps(load(x + i, n - i), _mm256_set1_ps(scale));
    store(y + i, _mm256_mul_ps(scaled, load(weight + i, n - i)), n - i);
  }
}

LACUNA_AVX2 float sum_of_squares(const float* x, int n) {
  __m256 even = _mm256_setzero_ps();
  __m256 odd = _mm256_setzero_ps();
  for (int i = 0; i < n; i += 16) {
    const __m256 a = load(x + i, n - i);
    even = _mm256_fmadd_ps(a, a, even);
    if (i + 8 >= n) break;
    const __m256 b = load(x + i + 8, n - i - 8);
    odd = _mm256_fmadd_ps(b, b, odd);
  }
  return sum_of(_mm256_add_ps(even, odd));
}

LACUNA_AVX2 void silu_product(float* y, const float* gate, const float* up, int n) {
  const __m256 one = _mm256_set1_ps(1.0F);
  for (int i = 0; i < n; i += 8) {
    const __m256 x = load(gate + i, n - i);
    const __m256 exponential = exp_of(_mm256_sub_ps(_mm256_setzero_ps(), x));
    const __m256 silu = _mm256_div_ps(x, _mm256_add_ps(one, exponential));
    store(y + i, _mm256_mul_ps(silu, load(up + i, n - i)), n - i);
  }
}

LACUNA_AVX2 float exp_scores(float* x, float scale, int n) {
  const __m256 factor = _mm256_set1_ps(scale);
  const __m256 first = _mm256_set1_ps(x[0] * scale);
  __m256 largest = first;
  for (int i = 0; i < n; i += 8) {
    const __m256i lanes = first_lanes(n - i);
    const __m256 scaled = _mm256_mul_ps(load(x + i, n - i), factor);
    largest = _mm256_max_ps(largest, _mm256_blendv_ps(first, scaled, _mm256_castsi256_ps(lanes)));
  }
  largest = _mm256_set1_ps(largest_of(largest));
  __m256 sum = _mm256_setzero_ps();
  for (int i = 0; i < n; i += 8) {
    const __m256i lanes = first_lanes(n - i);
    const __m256 y = exp_of(_mm256_fmsub_ps(load(x + i, n - i), factor, largest));
    sum = _mm256_add_ps(sum, _mm256_and_ps(y, _mm256_castsi256_ps(lanes)));
    store(x + i, y, n - i);
  }
  return sum_of(sum);
}

LACUNA_AVX2 void exp_array(float* y, const float* x, int n) {
  for (int i = 0; i < n; i += 8) {
    store(y + i, exp_of(load(x + i, n - i)), n - i);
  }
}

}  // namespace

constinit const IsaKernels kAvx2Kernels = {.tile_f32 = tile_f32,
                                           .tile_bf16 = tile_bf16,
                                           .tile_int8 = tile_int8_avx2,
                                           .round_to_int8 = round_to_int8_avx2,
                                           .int8_sums_to_floats = int8_sums_to_floats_avx2,
                                           .add_bias = add_bias,
                                           .scale = scale_row,
                                           .scale_and_weight = scale_and_weight,
                                           .sum_of_squares = sum_of_squares,
                                           .silu_product = silu_product,
                                           .exp_scores = exp_scores,
                                           .exp = exp_array};

}  // namespace lacuna::kernels

#endif
