// The inner loops in plain C++: what the other instruction sets are tested against, and what a
// CPU without AVX2 runs.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>

#include "kernels/cpu/int8_kernels.h"
#include "kernels/cpu/isa_kernels.h"

namespace lacuna::kernels {
namespace {

// One row at a time, so that a row's result cannot depend on the others.
template <class TileType, class MultiplyAdd>
void for_each_row(const TileType& tile, MultiplyAdd&& multiply_add) {
  for (int r = 0; r < tile.rows; ++r) {
    float sums[kPanel] = {};  // not in c: the compiler could not keep that in registers
    float* c = tile.c + static_cast<std::size_t>(r) * tile.c_stride;
    if (tile.accumulate) std::copy_n(c, kPanel, sums);
    const auto* a = tile.a + static_cast<std::size_t>(r) * tile.a_stride;
    for (int k = 0; k < tile.k; ++k) multiply_add(sums, a[k], k);
    std::copy_n(sums, kPanel, c);
  }
}

void tile_f32(const TileF32& tile) {
  for_each_row(tile, [&](float* sums, float a, int k) {
    const float* b = tile.b + static_cast<std::size_t>(k) * kPanel;
    for (int n = 0; n < kPanel; ++n) sums[n] += a * b[n];
  });
}

void tile_bf16(const TileBf16& tile) {
  for_each_row(tile, [&](float* sums, float a, int k) {
    const std::uint16_t* b = tile.b + static_cast<std::size_t>(k / 2) * kPanel * 2;
    const std::uint32_t upper = 0xFFFF0000U;  // where a float keeps its bf16
    for (int n = 0; n < kPanel; ++n) {
      std::uint32_t pair = 0;  // read as one word, which vectorises; the even half comes first
      std::memcpy(&pair, b + std::ptrdiff_t{2} * n, sizeof pair);
      if constexpr (std::endian::native == std::endian::big) pair = pair << 16 | pair >> 16;
      sums[n] += a * std::bit_cast<float>(k % 2 == 0 ? pair << 16 : pair & upper);
    }
  });
}

void tile_int8(const TileInt8& tile) {
  for (int r = 0; r < tile.rows; ++r) {
    std::uint32_t sums[kPanel] = {};  // unsigned: wrapping is defined
    std::int32_t* c = tile.c + static_cast<std::size_t>(r) * tile.c_stride;
    if (tile.accumulate) std::copy_n(c, kPanel, sums);
    const std::uint32_t* a = tile.a + static_cast<std::size_t>(r) * tile.a_stride;
    for (int k = 0; k < tile.k; ++k) {
      std::uint8_t x[4];
      std::memcpy(x, a + k, sizeof x);
      const auto* b =
          reinterpret_cast<const std::int8_t*>(tile.b) + static_cast<std::size_t>(k) * kPanel * 4;
      for (int n = 0; n < kPanel; ++n, b += 4)
        sums[n] +=
            static_cast<std::uint32_t>(x[0] * b[0] + x[1] * b[1] + x[2] * b[2] + x[3] * b[3]);
    }
    for (int n = 0; n < kPanel; ++n) c[n] = static_cast<std::int32_t>(sums[n]);
  }
}

float round_to_int8(std::uint8_t* y, const float* x, int n) {
  const Int8Scale scale = int8_scale(largest_magnitude(x, n));
  if (scale.inverse == 0)
    std::fill_n(y, n, std::uint8_t{128});
  else
    for (int i = 0; i < n; ++i)
      y[i] = static_cast<std::uint8_t>(128 + nearest_integer(x[i] * scale.inverse));
  return scale.scale;
}

void int8_sums_to_floats(float* y, const std::int32_t* sums, const std::int32_t* offsets,
                         const float* scales, float scale) {
  for (int n = 0; n < kPanel; ++n) {
    const auto sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(sums[n]) -
                                               static_cast<std::uint32_t>(offsets[n]));
    y[n] = static_cast<float>(sum) * (scales[n] * scale);
  }
}

void add_bias(float* y, const float* x, const float* bias, int n, bool accumulate) {
  for (int i = 0; i < n; ++i) {
    const float value = bias != nullptr ? x[i] + bias[i] : x[i];
    y[i] = accumulate ? y[i] + value : value;
  }
}

void scale_row(float* y, const float* x, float scale, int n) {
  for (int i = 0; i < n; ++i) y[i] = x[i] * scale;
}

float sum_of_squares(const float* x, int n) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += x[i] * x[i];
  return sum;
}

void scale_and_weight(float* y, const float* x, const float* weight, float scale, int n) {
  for (int i = 0; i < n; ++i) y[i] = x[i] * scale * weight[i];
}

void silu_product(float* y, const float* gate, const float* up, int n) {
  for (int i = 0; i < n; ++i) y[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
}

float exp_scores(float* x, float scale, int n) {
  float largest = -std::numeric_limits<float>::infinity();
  for (int i = 0; i < n; ++i) largest = std::max(largest, x[i] * scale);
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += x[i] = std::exp(x[i] * scale - largest);
  return sum;
}

void exp_array(float* y, const float* x, int n) {
  for (int i = 0; i < n; ++i) y[i] = std::exp(x[i]);
}

}  // namespace

constinit const IsaKernels kScalarKernels = {.tile_f32 = tile_f32,
                                             .tile_bf16 = tile_bf16,
                                             .tile_int8 = tile_int8,
                                             .round_to_int8 = round_to_int8,
                                             .int8_sums_to_floats = int8_sums_to_floats,
                                             .add_bias = add_bias,
                                             .scale = scale_row,
                                             .scale_and_weight = scale_and_weight,
                                             .sum_of_squares = sum_of_squares,
                                             .silu_product = silu_product,
                                             .exp_scores = exp_scores,
                                             .exp = exp_array};

}  // namespace lacuna::kernels
