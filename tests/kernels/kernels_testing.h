// What the kernel tests share: contexts of every instruction set, numbers, comparisons.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cpu/context.h"

namespace lacuna::kernels::testing {

// Every instruction set that this CPU has, the scalar one first.
inline std::vector<Isa> isas() {
  std::vector<Isa> result;
  for (const Isa isa : {Isa::Scalar, Isa::Avx2, Isa::Avx512, Isa::Avx512Vnni, Isa::Avx512Bf16})
    if (isa <= best_isa()) result.push_back(isa);
  return result;
}

// Numbers in [-1, 1), the same on every machine.
inline std::vector<float> numbers(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> result(count);
  for (float& x : result) x = static_cast<float>(random() % 65536) / 32768.0F - 1.0F;
  return result;
}

inline std::size_t product(int a, int b) {
  return static_cast<std::size_t>(a) * static_cast<std::size_t>(b);
}

// Names the operation, its shape, and the first index that is off by more than
// tolerance * (1 + |want|), or where one of the two is not a number.
inline ::testing::AssertionResult all_near(const std::string& what, const std::vector<float>& got,
                                           const std::vector<float>& want, float tolerance) {
  if (got.size() != want.size())
    return ::testing::AssertionFailure()
           << what << ": " << got.size() << " floats, not " << want.size();
  for (std::size_t i = 0; i < got.size(); ++i)
    if (!(std::fabs(got[i] - want[i]) <= tolerance * (1 + std::fabs(want[i]))))
      return ::testing::AssertionFailure()
             << what << ": index " << i << " is " << got[i] << ", not " << want[i];
  return ::testing::AssertionSuccess();
}

// The same bits, so that 0 and -0 differ and a NaN equals itself.
inline ::testing::AssertionResult same_bits(const std::string& what, const float* got,
                                            const float* want, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    if (std::memcmp(got + i, want + i, sizeof(float)) != 0)
      return ::testing::AssertionFailure()
             << what << ": index " << i << " is " << got[i] << ", not exactly " << want[i];
  return ::testing::AssertionSuccess();
}

}  // namespace lacuna::kernels::testing
