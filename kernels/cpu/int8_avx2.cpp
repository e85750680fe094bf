// Products of int8 quads with 256-bit registers.
//
// vpmaddubsw would take the bytes as they are, but its sums of two products saturate at 16 bits,
// which 255 * 127 * 2 exceeds. So the bytes of a quad are widened to 16 bits, the even ones (0, 2)
// and the odd ones (1, 3) apart, and vpmaddwd adds pairs of their products without loss.
//
// There are 16 registers, so a tile of 6 x 64 is computed as 2 x 4 strips of 3 x 16: 6 accumulators,
// 4 registers of weights, 2 of activations.
#include "kernels/cpu/int8_kernels.h"

#if defined(__x86_64__)

#include <algorithm>
#include <bit>
#include <immintrin.h>

#define LACUNA_AVX2 __attribute__((target("avx2,fma")))
#define LACUNA_AVX2_INLINE LACUNA_AVX2 __attribute__((always_inline)) inline

namespace lacuna::kernels {
namespace {

constexpr int kStrip = 16;

// 16 numbers of 32 bits, or 32 of 16.
struct Columns {
  __m256i c0, c1;
};

LACUNA_AVX2_INLINE Columns load_columns(const void* p) {
  const auto* registers = static_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(registers), _mm256_loadu_si256(registers + 1)};
}

LACUNA_AVX2_INLINE void store_columns(std::int32_t* p, const Columns& columns) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), columns.c0);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), columns.c1);
}

struct Sums {
  Columns r0, r1, r2;
};

template <int kRows>
LACUNA_AVX2_INLINE Sums load_sums(const std::int32_t* c, std::size_t stride, bool accumulate) {
  const Columns zero = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  Sums sums{zero, zero, zero};
  if (!accumulate) return sums;
  sums.r0 = load_columns(c);
  if constexpr (kRows > 1) sums.r1 = load_columns(c + stride);
  if constexpr (kRows > 2) sums.r2 = load_columns(c + 2 * stride);
  return sums;
}

template <int kRows>
LACUNA_AVX2_INLINE void store_sums(std::int32_t* c, std::size_t stride, const Sums& sums) {
  store_columns(c, sums.r0);
  if constexpr (kRows > 1) store_columns(c + stride, sums.r1);
  if constexpr (kRows > 2) store_columns(c + 2 * stride, sums.r2);
}

// Quads as pairs of 16-bit numbers: the even bytes, and the odd ones.
struct Halves {
  __m256i even, odd;
};

LACUNA_AVX2_INLINE Halves signed_halves(__m256i quads) {
  return {_mm256_srai_epi16(_mm256_slli_epi16(quads, 8), 8), _mm256_srai_epi16(quads, 8)};
}

LACUNA_AVX2_INLINE Halves unsigned_halves(__m256i quads) {
  return {_mm256_and_si256(quads, _mm256_set1_epi16(0xFF)), _mm256_srli_epi16(quads, 8)};
}

LACUNA_AVX2_INLINE __m256i add_pairs(__m256i sum, const Halves& x, const Halves& b) {
  sum = _mm256_add_epi32(sum, _mm256_madd_epi16(x.even, b.even));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(x.odd, b.odd));
}

LACUNA_AVX2_INLINE void add_product(Columns& sums, std::uint32_t a, const Halves& b0,
                                    const Halves& b1) {
  const Halves x = unsigned_halves(_mm256_set1_epi32(static_cast<int>(a)));
  sums.c0 = add_pairs(sums.c0, x, b0);
  sums.c1 = add_pairs(sums.c1, x, b1);
}

template <int kRows>
LACUNA_AVX2 void tile_int8_rows(const TileInt8& tile) {
  const std::size_t stride = tile.a_stride;
  for (int strip = 0; strip < kPanel; strip += kStrip) {
    Sums sums = load_sums<kRows>(tile.c + strip, tile.c_stride, tile.accumulate);
    const std::uint32_t* a = tile.a;
    const std::uint32_t* p = tile.b + strip;
    for (int k = 0; k < tile.k; ++k, ++a, p += kPanel) {
      const Columns b = load_columns(p);
      const Halves b0 = signed_halves(b.c0);
      const Halves b1 = signed_halves(b.c1);
      add_product(sums.r0, a[0], b0, b1);
      if constexpr (kRows > 1) add_product(sums.r1, a[stride], b0, b1);
      if constexpr (kRows > 2) add_product(sums.r2, a[2 * stride], b0, b1);
    }
    store_sums<kRows>(tile.c + strip, tile.c_stride, sums);
  }
}

LACUNA_AVX2_INLINE float largest_of(const float* x, int n) {
  const __m256i magnitude = _mm256_set1_epi32(0x7FFFFFFF);
  __m256i largest = _mm256_setzero_si256();
  int i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i));
    largest = _mm256_max_epi32(largest, _mm256_and_si256(bits, magnitude));
  }
  alignas(32) std::uint32_t lanes[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), largest);
  const std::uint32_t rest = std::bit_cast<std::uint32_t>(largest_magnitude(x + i, n - i));
  return std::bit_cast<float>(std::max(rest, *std::max_element(lanes, lanes + 8)));
}

LACUNA_AVX2_INLINE __m256i rounded(const float* x, __m256 inverse) {
  return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), inverse));
}

}  // namespace

void tile_int8_avx2(const TileInt8& tile) {
  if (tile.rows > 3) {
    TileInt8 half = tile;
    half.rows = tile.rows / 2;
    tile_int8_avx2(half);
    half.a += static_cast<std::size_t>(half.rows) * tile.a_stride;
    half.c += static_cast<std::size_t>(half.rows) * tile.c_stride;
    half.rows = tile.rows - half.rows;
    return tile_int8_avx2(half);
  }
  switch (tile.rows) {
    case 1:
      return tile_int8_rows<1>(tile);
    case 2:
      return tile_int8_rows<2>(tile);
    default:
      return tile_int8_rows<3>(tile);
  }
}

LACUNA_AVX2 float round_to_int8_avx2(std::uint8_t* y, const float* x, int n) {
  const Int8Scale scale = int8_scale(largest_of(x, n));
  if (scale.inverse == 0) {
    std::fill_n(y, n, std::uint8_t{128});
    return scale.scale;
  }
  const __m256 inverse = _mm256_set1_ps(scale.inverse);
  const __m256i flip = _mm256_set1_epi8(static_cast<char>(0x80));  // adds 128 to a signed byte
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  int i = 0;
  for (; i + 32 <= n; i += 32) {  // packing works within 128-bit halves: hence the permutation
    const __m256i low = _mm256_packs_epi32(rounded(x + i, inverse), rounded(x + i + 8, inverse));
    const __m256i high =
        _mm256_packs_epi32(rounded(x + i + 16, inverse), rounded(x + i + 24, inverse));
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i), _mm256_xor_si256(bytes, flip));
  }
  for (; i < n; ++i) {  // an intrinsic, because FMA must not round what nearest_integer() adds to
    const __m128 product = _mm_set_ss(x[i] * scale.inverse);
    y[i] = static_cast<std::uint8_t>(128 + _mm_cvtss_si32(product));
  }
  return scale.scale;
}

LACUNA_AVX2 void int8_sums_to_floats_avx2(float* y, const std::int32_t* sums,
                                          const std::int32_t* offsets, const float* scales,
                                          float scale) {
  const __m256 row_scale = _mm256_set1_ps(scale);
  for (int n = 0; n < kPanel; n += 8) {
    const __m256i sum =
        _mm256_sub_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + n)),
                         _mm256_loadu_si256(reinterpret_cast<const __m256i*>(offsets + n)));
    const __m256 factor = _mm256_mul_ps(_mm256_loadu_ps(scales + n), row_scale);
    _mm256_storeu_ps(y + n, _mm256_mul_ps(_mm256_cvtepi32_ps(sum), factor));
  }
}

}  // namespace lacuna::kernels

#endif
