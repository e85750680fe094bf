#include "kernels/dtype.h"

#include <cmath>
#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

#include "tests/helpers/safetensors_writer.h"

namespace lacuna::kernels {
namespace {

// The value of a binary floating-point format by the definition of IEEE 754: sign, exponent field
// and `digits` bits of fraction.
double by_definition(std::uint16_t bits, int digits) {
  const int exponent_bits = 15 - digits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits & 0x7FFF) >> digits;
  const int fraction = bits & ((1 << digits) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return fraction != 0 ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - digits);
  return sign * std::ldexp(fraction + (1 << digits), exponent - bias - digits);
}

// Equal with the sign of zero, all NaNs alike.
bool same(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b && std::signbit(a) == std::signbit(b);
}

TEST(DTypeTest, EveryBf16HasItsValue) {
  for (int bits = 0; bits < 65536; ++bits) {
    const auto word = static_cast<std::uint16_t>(bits);
    ASSERT_TRUE(same(bf16_to_f32(word), by_definition(word, 7))) << bits;
  }
}

TEST(DTypeTest, EveryF16HasItsValue) {
  for (int bits = 0; bits < 65536; ++bits) {
    const auto word = static_cast<std::uint16_t>(bits);
    ASSERT_TRUE(same(f16_to_f32(word), by_definition(word, 10))) << bits;
  }
}

TEST(DTypeTest, EveryBf16SurvivesTheWayThroughFloat) {
  for (int bits = 0; bits < 65536; ++bits) {
    const auto word = static_cast<std::uint16_t>(bits);
    const float value = bf16_to_f32(word);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(value)))) << bits;
    } else {
      ASSERT_EQ(f32_to_bf16(value), word);
    }
  }
}

TEST(DTypeTest, Bf16RoundsToTheNearestAndTiesToEven) {
  // Between each two neighbours: the middle goes to the even one, its neighbours do not.
  for (int low = 0; low < 0x7F80; ++low) {
    const auto below = static_cast<std::uint16_t>(low);
    const auto above = static_cast<std::uint16_t>(low + 1);
    const float middle = std::bit_cast<float>(static_cast<std::uint32_t>(low) << 16 | 0x8000U);
    const float inf = std::numeric_limits<float>::infinity();
    ASSERT_EQ(f32_to_bf16(middle), low % 2 == 0 ? below : above) << low;
    ASSERT_EQ(f32_to_bf16(std::nextafter(middle, 0.0F)), below) << low;
    ASSERT_EQ(f32_to_bf16(std::nextafter(middle, inf)), above) << low;
    ASSERT_EQ(f32_to_bf16(-middle), (low % 2 == 0 ? below : above) | 0x8000) << low;
  }
}

TEST(DTypeTest, Bf16OverflowsToInfinityAndKeepsNaN) {
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_EQ(f32_to_bf16(-std::numeric_limits<float>::max()), 0xFF80);
  // A NaN whose payload is in the low half only would turn into an infinity if it were rounded.
  for (const std::uint32_t bits : {0x7F800001U, 0x7FFFFFFFU, 0xFF800001U, 0xFFFFFFFFU}) {
    EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(bits))))) << bits;
  }
}

TEST(DTypeTest, TheF16OfTheTestHelpersIsTheInverse) {
  for (int bits = 0; bits < 65536; ++bits) {
    const auto word = static_cast<std::uint16_t>(bits);
    const float value = f16_to_f32(word);
    if (!std::isnan(value)) {
      ASSERT_EQ(test::f32_to_f16(value), word);
    }
  }
  for (int low = 0; low < 0x7C00; ++low) {
    const auto even = static_cast<std::uint16_t>(low + low % 2);
    const double below = by_definition(static_cast<std::uint16_t>(low), 10);
    const double above =
        low + 1 == 0x7C00 ? 65536 : by_definition(static_cast<std::uint16_t>(low + 1), 10);
    ASSERT_EQ(test::f32_to_f16(static_cast<float>((below + above) / 2)), even) << low;
  }
}

}  // namespace
}  // namespace lacuna::kernels
