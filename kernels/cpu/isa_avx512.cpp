// The inner loops with 512-bit registers, and with products of bf16 pairs (AVX512-BF16).
//
// A tile is kRows x 64: 24 accumulators for 6 rows, 4 registers of weights, and one of the
// activation that is multiplied with them. The accumulators are members with names, not an array:
// GCC 12 leaves an array in memory (it unrolls the loop over it too late), which halves the speed.
// Checked with objdump as kernels/README.md says, GCC 12 and clang 19: the loops of tile_f32 and
// tile_bf16_pairs do not touch the stack. GCC's tile_bf16 spills 3 registers in 48 multiplications,
// which costs nothing measurable.
#include "kernels/cpu/int8_kernels.h"
#include "kernels/cpu/isa_kernels.h"

#if defined(__x86_64__)

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's own header initialises "undefined" registers with themselves (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#define LACUNA_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")))
#define LACUNA_AVX512_INLINE LACUNA_AVX512 __attribute__((always_inline)) inline
#define LACUNA_AVX512BF16 \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma")))
#define LACUNA_AVX512BF16_INLINE LACUNA_AVX512BF16 __attribute__((always_inline)) inline

namespace lacuna::kernels {
namespace {

// 64 floats: one row of a panel, or one row of sums.
struct Columns {
  __m512 c0, c1, c2, c3;
};

LACUNA_AVX512_INLINE Columns zero_columns() {
  const __m512 zero = _mm512_setzero_ps();
  return {zero, zero, zero, zero};
}

LACUNA_AVX512_INLINE Columns load_columns(const float* p) {
  return {_mm512_loadu_ps(p), _mm512_loadu_ps(p + 16), _mm512_loadu_ps(p + 32),
          _mm512_loadu_ps(p + 48)};
}

LACUNA_AVX512_INLINE void store_columns(float* p, const Columns& columns) {
  _mm512_storeu_ps(p, columns.c0);
  _mm512_storeu_ps(p + 16, columns.c1);
  _mm512_storeu_ps(p + 32, columns.c2);
  _mm512_storeu_ps(p + 48, columns.c3);
}

struct Sums {
  Columns r0, r1, r2, r3, r4, r5;
};

template <int kRows>
LACUNA_AVX512_INLINE Sums load_sums(const float* c, std::size_t stride, bool accumulate) {
  const Columns zero = zero_columns();
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
LACUNA_AVX512_INLINE void store_sums(float* c, std::size_t stride, const Sums& sums) {
  store_columns(c, sums.r0);
  if constexpr (kRows > 1) store_columns(c + stride, sums.r1);
  if constexpr (kRows > 2) store_columns(c + 2 * stride, sums.r2);
  if constexpr (kRows > 3) store_columns(c + 3 * stride, sums.r3);
  if constexpr (kRows > 4) store_columns(c + 4 * stride, sums.r4);
  if constexpr (kRows > 5) store_columns(c + 5 * stride, sums.r5);
}

LACUNA_AVX512_INLINE void add_product(Columns& sums, float a, const Columns& b) {
  const __m512 x = _mm512_set1_ps(a);
  sums.c0 = _mm512_fmadd_ps(x, b.c0, sums.c0);
  sums.c1 = _mm512_fmadd_ps(x, b.c1, sums.c1);
  sums.c2 = _mm512_fmadd_ps(x, b.c2, sums.c2);
  sums.c3 = _mm512_fmadd_ps(x, b.c3, sums.c3);
}

// One k for all rows: `a` and `a3` are the elements of row 0 and row 3.
template <int kRows>
LACUNA_AVX512_INLINE void add_products(Sums& sums, const float* a, const float* a3,
                                       std::size_t stride, const Columns& b) {
  add_product(sums.r0, a[0], b);
  if constexpr (kRows > 1) add_product(sums.r1, a[stride], b);
  if constexpr (kRows > 2) add_product(sums.r2, a[2 * stride], b);
  if constexpr (kRows > 3) add_product(sums.r3, a3[0], b);
  if constexpr (kRows > 4) add_product(sums.r4, a3[stride], b);
  if constexpr (kRows > 5) add_product(sums.r5, a3[2 * stride], b);
}

template <int kRows>
LACUNA_AVX512 void tile_f32_rows(const TileF32& tile) {
  Sums sums = load_sums<kRows>(tile.c, tile.c_stride, tile.accumulate);
  const std::size_t stride = tile.a_stride;
  const float* a = tile.a;
  const float* a3 = a + 3 * stride;
  const float* b = tile.b;
  for (int k = 0; k < tile.k; ++k, ++a, ++a3, b += kPanel)
    add_products<kRows>(sums, a, a3, stride, load_columns(b));
  store_sums<kRows>(tile.c, tile.c_stride, sums);
}

// The upper half of a float is a bf16: the even one of a pair is shifted up, the odd one is
// already in its place.
LACUNA_AVX512_INLINE __m512 even_of(const std::uint16_t* pairs) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(pairs), 16));
}

LACUNA_AVX512_INLINE __m512 odd_of(const std::uint16_t* pairs) {
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000U));
  return _mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(pairs), upper));
}

LACUNA_AVX512_INLINE Columns even_columns(const std::uint16_t* b) {
  return {even_of(b), even_of(b + 32), even_of(b + 64), even_of(b + 96)};
}

LACUNA_AVX512_INLINE Columns odd_columns(const std::uint16_t* b) {
  return {odd_of(b), odd_of(b + 32), odd_of(b + 64), odd_of(b + 96)};
}

template <int kRows>
LACUNA_AVX512 void tile_bf16_rows(const TileBf16& tile) {
  Sums sums = load_sums<kRows>(tile.c, tile.c_stride, tile.accumulate);
  const std::size_t stride = tile.a_stride;
  const float* a = tile.a;
  const float* a3 = a + 3 * stride;
  const std::uint16_t* b = tile.b;
  for (int k = 0; k + 1 < tile.k; k += 2, a += 2, a3 += 2, b += std::ptrdiff_t{2} * kPanel) {
    add_products<kRows>(sums, a, a3, stride, even_columns(b));
    add_products<kRows>(sums, a + 1, a3 + 1, stride, odd_columns(b));
  }
  if (tile.k % 2 != 0) add_products<kRows>(sums, a, a3, stride, even_columns(b));
  store_sums<kRows>(tile.c, tile.c_stride, sums);
}

struct PairColumns {
  __m512i c0, c1, c2, c3;
};

LACUNA_AVX512BF16_INLINE PairColumns load_pair_columns(const std::uint32_t* p) {
  return {_mm512_loadu_si512(p), _mm512_loadu_si512(p + 16), _mm512_loadu_si512(p + 32),
          _mm512_loadu_si512(p + 48)};
}

LACUNA_AVX512BF16_INLINE __m512 dot_pairs(__m512 sum, __m512i a, __m512i b) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}

LACUNA_AVX512BF16_INLINE void add_pair_product(Columns& sums, std::uint32_t a,
                                               const PairColumns& b) {
  const __m512i x = _mm512_set1_epi32(static_cast<int>(a));
  sums.c0 = dot_pairs(sums.c0, x, b.c0);
  sums.c1 = dot_pairs(sums.c1, x, b.c1);
  sums.c2 = dot_pairs(sums.c2, x, b.c2);
  sums.c3 = dot_pairs(sums.c3, x, b.c3);
}

template <int kRows>
LACUNA_AVX512BF16 void tile_bf16_pairs_rows(const TileBf16Pairs& tile) {
  Sums sums = load_sums<kRows>(tile.c, tile.c_stride, tile.accumulate);
  const std::size_t stride = tile.a_stride;
  const std::uint32_t* a = tile.a;
  const std::uint32_t* a3 = a + 3 * stride;
  const std::uint32_t* p = tile.b;
  for (int k = 0; k < tile.k; ++k, ++a, ++a3, p += kPanel) {
    const PairColumns b = load_pair_columns(p);
    add_pair_product(sums.r0, a[0], b);
    if constexpr (kRows > 1) add_pair_product(sums.r1, a[stride], b);
    if constexpr (kRows > 2) add_pair_product(sums.r2, a[2 * stride], b);
    if constexpr (kRows > 3) add_pair_product(sums.r3, a3[0], b);
    if constexpr (kRows > 4) add_pair_product(sums.r4, a3[stride], b);
    if constexpr (kRows > 5) add_pair_product(sums.r5, a3[2 * stride], b);
  }
  store_sums<kRows>(tile.c, tile.c_stride, sums);
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

void tile_bf16_pairs(const TileBf16Pairs& tile) {
  switch (tile.rows) {
    case 1:
      return tile_bf16_pairs_rows<1>(tile);
    case 2:
      return tile_bf16_pairs_rows<2>(tile);
    case 3:
      return tile_bf16_pairs_rows<3>(tile);
    case 4:
      return tile_bf16_pairs_rows<4>(tile);
    case 5:
      return tile_bf16_pairs_rows<5>(tile);
    default:
      return tile_bf16_pairs_rows<6>(tile);
  }
}

LACUNA_AVX512_INLINE __mmask16 first_lanes(int count) {
  return static_cast<__mmask16>(count >= 16 ? 0xFFFFU : (1U << count) - 1);
}

// The loops below take 16 floats at a time; the last time `left` may be fewer.
LACUNA_AVX512_INLINE __m512 load(const float* p, int left) {
  return left >= 16 ? _mm512_loadu_ps(p) : _mm512_maskz_loadu_ps(first_lanes(left), p);
}

LACUNA_AVX512_INLINE void store(float* p, __m512 x, int left) {
  if (left >= 16)
    _mm512_storeu_ps(p, x);
  else
    _mm512_mask_storeu_ps(p, first_lanes(left), x);
}

// exp(x) = 2^n exp(r) with n = round(x / ln 2) and a polynomial for exp(r), |r| <= ln(2) / 2
// (coefficients of Cephes' expf). The subtraction of n ln 2 is exact to float by two steps.
LACUNA_AVX512_INLINE __m512 exp_of(__m512 x) {
  // Beyond these the result is infinite or 0. The order of operands lets a NaN pass.
  x = _mm512_min_ps(_mm512_set1_ps(89.0F), _mm512_max_ps(_mm512_set1_ps(-105.0F), x));
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504F)),
                                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375F), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4F), r);
  __m512 p = _mm512_set1_ps(1.9875691500e-4F);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1F));
  p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r);
  return _mm512_scalef_ps(_mm512_add_ps(p, _mm512_set1_ps(1.0F)), n);
}

LACUNA_AVX512 void add_bias(float* y, const float* x, const float* bias, int n, bool accumulate) {
  for (int i = 0; i < n; i += 16) {
    __m512 value = load(x + i, n - i);
    if (bias != nullptr) value = _mm512_add_ps(value, load(bias + i, n - i));
    if (accumulate) value = _mm512_add_ps(load(y + i, n - i), value);
    store(y + i, value, n - i);
  }
}

LACUNA_AVX512 void scale_row(float* y, const float* x, float scale, int n) {
  for (int i = 0; i < n; i += 16) {
    store(y + i, _mm512_mul_ps(load(x + i, n - i), _mm512_set1_ps(scale)), n - i);
  }
}

LACUNA_AVX512 void scale_and_weight(float* y, const float* x, const float* weight, float scale,
                                    int n) {
  for (int i = 0; i < n; i += 16) {
    const __m512 scaled = _mm512_mul_ps(load(x + i, n - i), _mm512_set1_ps(scale));
    store(y + i, _mm512_mul_ps(scaled, load(weight + i, n - i)), n - i);
  }
}

LACUNA_AVX512 float sum_of_squares(const float* x, int n) {
  __m512 even = _mm512_setzero_ps();
  __m512 odd = _mm512_setzero_ps();
  for (int i = 0; i < n; i += 32) {
    const __m512 a = load(x + i, n - i);
    even = _mm512_fmadd_ps(a, a, even);
    if (i + 16 >= n) break;
    const __m512 b = load(x + i + 16, n - i - 16);
    odd = _mm512_fmadd_ps(b, b, odd);
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(even, odd));
}

LACUNA_AVX512 void silu_product(float* y, const float* gate, const float* up, int n) {
  const __m512 one = _mm512_set1_ps(1.0F);
  for (int i = 0; i < n; i += 16) {
    const __m512 x = load(gate + i, n - i);
    const __m512 exponential = exp_of(_mm512_sub_ps(_mm512_setzero_ps(), x));
    const __m512 silu = _mm512_div_ps(x, _mm512_add_ps(one, exponential));
    store(y + i, _mm512_mul_ps(silu, load(up + i, n - i)), n - i);
  }
}

LACUNA_AVX512 float exp_scores(float* x, float scale, int n) {
  const __m512 factor = _mm512_set1_ps(scale);
  __m512 largest = _mm512_set1_ps(x[0] * scale);
  for (int i = 0; i < n; i += 16) {
    largest = _mm512_mask_max_ps(largest, first_lanes(n - i), largest,
                                 _mm512_mul_ps(load(x + i, n - i), factor));
  }
  largest = _mm512_set1_ps(_mm512_reduce_max_ps(largest));
  __m512 sum = _mm512_setzero_ps();
  for (int i = 0; i < n; i += 16) {
    const __m512 y = exp_of(_mm512_fmsub_ps(load(x + i, n - i), factor, largest));
    sum = _mm512_mask_add_ps(sum, first_lanes(n - i), sum, y);
    store(x + i, y, n - i);
  }
  return _mm512_reduce_add_ps(sum);
}

LACUNA_AVX512 void exp_array(float* y, const float* x, int n) {
  for (int i = 0; i < n; i += 16) {
    store(y + i, exp_of(load(x + i, n - i)), n - i);
  }
}

LACUNA_AVX512BF16 void round_to_bf16(std::uint16_t* y, const float* x, int n) {
  for (int i = 0; i < n; i += 16) {
    const __m256bh rounded = _mm512_cvtneps_pbh(load(x + i, n - i));
    _mm256_mask_storeu_epi16(y + i, first_lanes(n - i), reinterpret_cast<__m256i>(rounded));
  }
}

constexpr IsaKernels kAvx512 = {.tile_f32 = tile_f32,
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

constexpr IsaKernels with_vnni(IsaKernels kernels) {
  kernels.tile_int8 = tile_int8_vnni;
  kernels.int8_sums_to_floats = int8_sums_to_floats_vnni;
  return kernels;
}

constexpr IsaKernels with_bf16_pairs(IsaKernels kernels) {
  kernels.tile_bf16_pairs = tile_bf16_pairs;
  kernels.round_to_bf16 = round_to_bf16;
  return kernels;
}

}  // namespace

constinit const IsaKernels kAvx512Kernels = kAvx512;
constinit const IsaKernels kAvx512VnniKernels = with_vnni(kAvx512);
constinit const IsaKernels kAvx512Bf16Kernels = with_bf16_pairs(with_vnni(kAvx512));

}  // namespace lacuna::kernels

#endif
