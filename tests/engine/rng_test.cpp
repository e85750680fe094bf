#include "engine/rng.h"

#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "tests/engine/sampler/statistics.h"

namespace lacuna::engine {
namespace {

using Block = std::array<std::uint32_t, 4>;
using Key = std::array<std::uint32_t, 2>;

TEST(PhiloxTest, GivesTheKnownAnswersOfThePaper) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8}));
  constexpr std::uint32_t kOnes = 0xFFFFFFFF;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Block{0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD}));
  EXPECT_EQ(philox4x32({0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344}, {0xA4093822, 0x299F31D0}),
            (Block{0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1}));
}

TEST(RandomTest, EveryArgumentAndBothHalvesOfTheSeedMatter) {
  std::set<double> seen;
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32}) {
    const Random random(seed);
    for (const auto purpose : {Random::Purpose::Token, Random::Purpose::Position}) {
      for (int step = 0; step < 3; ++step) {
        for (int position = 0; position < 3; ++position) {
          for (int attempt = 0; attempt < 3; ++attempt) {
            seen.insert(random.uniform(purpose, step, position, attempt));
          }
        }
      }
    }
  }
  EXPECT_EQ(seen.size(), 3U * 2 * 3 * 3 * 3);
}

TEST(RandomTest, IsUniformOnTheUnitInterval) {
  constexpr int kBins = 64;
  const Random random(20240711);
  std::vector<int> counts(kBins);
  for (int step = 0; step < 400; ++step) {
    for (int position = 0; position < 500; ++position) {
      const double uniform = random.uniform(Random::Purpose::Token, step, position);
      ASSERT_GE(uniform, 0);
      ASSERT_LT(uniform, 1);
      ++counts[static_cast<std::size_t>(uniform * kBins)];
    }
  }
  const std::vector<double> expected(kBins, 1.0 / kBins);
  EXPECT_TRUE(fits(counts, expected));
}

TEST(RandomTest, NeighboursAreIndependent) {
  constexpr int kBins = 8;
  const Random random(7);
  std::vector<int> by_position(kBins * kBins);
  std::vector<int> by_step(kBins * kBins);
  std::vector<int> by_purpose(kBins * kBins);
  const auto bin = [&](Random::Purpose purpose, int step, int position) {
    return static_cast<std::size_t>(random.uniform(purpose, step, position) * kBins);
  };
  for (int step = 0; step < 300; ++step) {
    for (int position = 0; position < 300; ++position) {
      const std::size_t here = bin(Random::Purpose::Token, step, position) * kBins;
      ++by_position[here + bin(Random::Purpose::Token, step, position + 1)];
      ++by_step[here + bin(Random::Purpose::Token, step + 1, position)];
      ++by_purpose[here + bin(Random::Purpose::Position, step, position)];
    }
  }
  const std::vector<double> expected(kBins * kBins, 1.0 / (kBins * kBins));
  for (const auto& counts : {by_position, by_step, by_purpose}) {
    EXPECT_TRUE(fits(counts, expected));
  }
}

}  // namespace
}  // namespace lacuna::engine
