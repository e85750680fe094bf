// Number formats of weights, and conversions to and from float.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace lacuna::kernels {

// I8 and I4 are integers that QuantisedParts turn into weights.
enum class DType : std::uint8_t { F32, F16, BF16, I8, I4 };

constexpr bool is_float(DType type) { return type != DType::I8 && type != DType::I4; }

// Bytes of a number; two I4 share one, which row_bytes() knows.
constexpr std::size_t size_of(DType type) {
  if (type == DType::F32) return 4;
  return is_float(type) ? 2 : 1;
}

// Bytes of k consecutive numbers.
constexpr std::size_t row_bytes(DType type, int k) {
  const auto count = static_cast<std::size_t>(k);
  return type == DType::I4 ? (count + 1) / 2 : count * size_of(type);
}

// What stands beside the integers of a quantised matrix; null for floats.
//   I8: weight = integer * scale of its row.
//   I4: codes 0 to 15, two in a byte, the even k in the lower half; weight = integer * scale of
//       its row with integer = code * step + offset, clamped to [-127, 127], where step and offset
//       are those of its group of consecutive k. The integers are what an Int8 PackedMatrix holds,
//       so nothing is rounded a second time when 4 bits are computed with as 8.
struct QuantisedParts {
  const void* scales = nullptr;   // a float for each row, at any address
  const void* steps = nullptr;    // [rows, ceil(k / group)] unsigned bytes
  const void* offsets = nullptr;  // [rows, ceil(k / group)] signed bytes
  int group = 0;                  // numbers of a group; the last of a row may have fewer
};

constexpr float bf16_to_f32(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

// Rounds to the nearest even, as torch and the AVX512-BF16 instructions do; a NaN stays a NaN.
constexpr std::uint16_t f32_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

constexpr float f16_to_f32(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1FU;
  const std::uint32_t mantissa = bits & 0x3FFU;
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13));
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

}  // namespace lacuna::kernels
