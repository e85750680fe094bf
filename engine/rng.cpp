#include "engine/rng.h"

#include <cstddef>

namespace lacuna::engine {
namespace {

constexpr int kRounds = 10;

struct Product {
  std::uint32_t high;
  std::uint32_t low;
};

Product multiply(std::uint32_t a, std::uint32_t b) {
  const std::uint64_t product = std::uint64_t{a} * b;
  return {static_cast<std::uint32_t>(product >> 32), static_cast<std::uint32_t>(product)};
}

using Block = std::array<std::uint32_t, 4>;

Block block_of(std::uint64_t seed, Random::Purpose purpose, std::uint32_t block_idx, int step,
               int position, int attempt) {
  constexpr int kPurposeBits = 8;
  const std::uint32_t use = static_cast<std::uint32_t>(purpose) | block_idx << kPurposeBits;
  return philox4x32({static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(step), use,
                     static_cast<std::uint32_t>(attempt)},
                    {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
}

double as_uniform(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t bits = std::uint64_t{high} << 32 | low;
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round) {
    const Product first = multiply(0xD2511F53U, counter[0]);
    const Product second = multiply(0xCD9E8D57U, counter[2]);
    counter = {second.high ^ counter[1] ^ key[0], second.low, first.high ^ counter[3] ^ key[1],
               first.low};
    key[0] += 0x9E3779B9U;  // the golden ratio
    key[1] += 0xBB67AE85U;  // sqrt(3) - 1
  }
  return counter;
}

void Random::fill(Purpose purpose, int step, int position, int attempt,
                  std::span<double> out) const {
  for (std::size_t i = 0; i < out.size(); i += 2) {
    // Block 0 is uniform()'s.
    const auto block_idx = static_cast<std::uint32_t>(i / 2 + 1);
    const Block block = block_of(seed_, purpose, block_idx, step, position, attempt);
    out[i] = as_uniform(block[0], block[1]);
    if (i + 1 < out.size()) out[i + 1] = as_uniform(block[2], block[3]);
  }
}

double Random::uniform(Purpose purpose, int step, int position, int attempt) const {
  const Block block = block_of(seed_, purpose, 0, step, position, attempt);
  return as_uniform(block[0], block[1]);
}

}  // namespace lacuna::engine
