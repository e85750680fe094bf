// The loops over int8 numbers that several tables of isa_kernels.h share.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>

#include "kernels/cpu/isa_kernels.h"

namespace lacuna::kernels {

// The integer nearest to |x| < 2^22, the even one of two: adding 1.5 * 2^23 leaves it in the lower
// bits of the sum. What the vector instructions do, in a form that compilers vectorise.
inline int nearest_integer(float x) {
  return std::bit_cast<std::int32_t>(x + 0x1.8p23F) - std::bit_cast<std::int32_t>(0x1.8p23F);
}

// max |x|; NaN if one is a NaN. As integers, absolute floats compare like the numbers they are,
// and a NaN is larger than all.
inline float largest_magnitude(const float* x, int n) {
  std::uint32_t largest = 0;
  for (int i = 0; i < n; ++i)
    largest = std::max(largest, std::bit_cast<std::uint32_t>(x[i]) & 0x7FFFFFFFU);
  return std::bit_cast<float>(largest);
}

// How a row of floats becomes integers in [-127, 127], for activations and weights alike.
struct Int8Scale {
  float scale;    // of the integers
  float inverse;  // of the floats; 0 when all integers are 0
};

// `largest` is the largest absolute value of the row, NaN if one is a NaN. Below 1e-30, where the
// inverse would leave float's range, a row counts as zeros.
inline Int8Scale int8_scale(float largest) {
  using Limits = std::numeric_limits<float>;
  if (!(largest < Limits::infinity())) return {Limits::quiet_NaN(), 0};
  if (largest < 1e-30F) return {0, 0};
  return {largest / 127.0F, 127.0F / largest};
}

#if defined(__x86_64__)
void tile_int8_avx2(const TileInt8& tile);
float round_to_int8_avx2(std::uint8_t* y, const float* x, int n);
void int8_sums_to_floats_avx2(float* y, const std::int32_t* sums, const std::int32_t* offsets,
                              const float* scales, float scale);

void tile_int8_vnni(const TileInt8& tile);
void int8_sums_to_floats_vnni(float* y, const std::int32_t* sums, const std::int32_t* offsets,
                              const float* scales, float scale);
#endif

}  // namespace lacuna::kernels
