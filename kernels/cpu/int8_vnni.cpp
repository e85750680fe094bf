// Products of int8 quads with 512-bit registers (AVX512-VNNI): 64 multiplications each.
//
// The shape of the tile, and why its accumulators have names: isa_avx512.cpp.
#include "kernels/cpu/int8_kernels.h"

#if defined(__x86_64__)

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's own header initialises "undefined" registers with themselves (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#define LACUNA_VNNI \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma")))
#define LACUNA_VNNI_INLINE LACUNA_VNNI __attribute__((always_inline)) inline

namespace lacuna::kernels {
namespace {

// 64 numbers of 32 bits: quads of a panel, or a row of sums.
struct Columns {
  __m512i c0, c1, c2, c3;
};

LACUNA_VNNI_INLINE Columns load_columns(const void* p) {
  const auto* words = static_cast<const std::uint32_t*>(p);
  return {_mm512_loadu_si512(words), _mm512_loadu_si512(words + 16), _mm512_loadu_si512(words + 32),
          _mm512_loadu_si512(words + 48)};
}

LACUNA_VNNI_INLINE void store_columns(std::int32_t* p, const Columns& columns) {
  _mm512_storeu_si512(p, columns.c0);
  _mm512_storeu_si512(p + 16, columns.c1);
  _mm512_storeu_si512(p + 32, columns.c2);
  _mm512_storeu_si512(p + 48, columns.c3);
}

struct Sums {
  Columns r0, r1, r2, r3, r4, r5;
};

template <int kRows>
LACUNA_VNNI_INLINE Sums load_sums(const std::int32_t* c, std::size_t stride, bool accumulate) {
  const __m512i none = _mm512_setzero_si512();
  const Columns zero = {none, none, none, none};
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
LACUNA_VNNI_INLINE void store_sums(std::int32_t* c, std::size_t stride, const Sums& sums) {
  store_columns(c, sums.r0);
  if constexpr (kRows > 1) store_columns(c + stride, sums.r1);
  if constexpr (kRows > 2) store_columns(c + 2 * stride, sums.r2);
  if constexpr (kRows > 3) store_columns(c + 3 * stride, sums.r3);
  if constexpr (kRows > 4) store_columns(c + 4 * stride, sums.r4);
  if constexpr (kRows > 5) store_columns(c + 5 * stride, sums.r5);
}

LACUNA_VNNI_INLINE void add_product(Columns& sums, std::uint32_t a, const Columns& b) {
  const __m512i x = _mm512_set1_epi32(static_cast<int>(a));
  sums.c0 = _mm512_dpbusd_epi32(sums.c0, x, b.c0);
  sums.c1 = _mm512_dpbusd_epi32(sums.c1, x, b.c1);
  sums.c2 = _mm512_dpbusd_epi32(sums.c2, x, b.c2);
  sums.c3 = _mm512_dpbusd_epi32(sums.c3, x, b.c3);
}

template <int kRows>
LACUNA_VNNI void tile_int8_rows(const TileInt8& tile) {
  Sums sums = load_sums<kRows>(tile.c, tile.c_stride, tile.accumulate);
  const std::size_t stride = tile.a_stride;
  const std::uint32_t* a = tile.a;
  const std::uint32_t* a3 = a + 3 * stride;
  const std::uint32_t* p = tile.b;
  for (int k = 0; k < tile.k; ++k, ++a, ++a3, p += kPanel) {
    const Columns b = load_columns(p);
    add_product(sums.r0, a[0], b);
    if constexpr (kRows > 1) add_product(sums.r1, a[stride], b);
    if constexpr (kRows > 2) add_product(sums.r2, a[2 * stride], b);
    if constexpr (kRows > 3) add_product(sums.r3, a3[0], b);
    if constexpr (kRows > 4) add_product(sums.r4, a3[stride], b);
    if constexpr (kRows > 5) add_product(sums.r5, a3[2 * stride], b);
  }
  store_sums<kRows>(tile.c, tile.c_stride, sums);
}

}  // namespace

void tile_int8_vnni(const TileInt8& tile) {
  switch (tile.rows) {
    case 1:
      return tile_int8_rows<1>(tile);
    case 2:
      return tile_int8_rows<2>(tile);
    case 3:
      return tile_int8_rows<3>(tile);
    case 4:
      return tile_int8_rows<4>(tile);
    case 5:
      return tile_int8_rows<5>(tile);
    default:
      return tile_int8_rows<6>(tile);
  }
}

LACUNA_VNNI void int8_sums_to_floats_vnni(float* y, const std::int32_t* sums,
                                          const std::int32_t* offsets, const float* scales,
                                          float scale) {
  const __m512 row_scale = _mm512_set1_ps(scale);
  for (int n = 0; n < kPanel; n += 16) {
    const __m512i sum =
        _mm512_sub_epi32(_mm512_loadu_si512(sums + n), _mm512_loadu_si512(offsets + n));
    const __m512 factor = _mm512_mul_ps(_mm512_loadu_ps(scales + n), row_scale);
    _mm512_storeu_ps(y + n, _mm512_mul_ps(_mm512_cvtepi32_ps(sum), factor));
  }
}

}  // namespace lacuna::kernels

#endif
