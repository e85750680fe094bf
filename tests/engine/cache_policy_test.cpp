#include "engine/cache_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lacuna::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Positions = std::vector<std::int32_t>;

TEST(ExactCacheTest, RecomputesEveryRowAtEveryStep) {
  const auto cache = exact_cache(4);
  const Positions masked{2};
  for (int step = 0; step < 3; ++step) {
    EXPECT_THAT(cache->rows(step, masked), ElementsAre(0, 1, 2, 3));
  }
}

TEST(BlockCacheTest, RecomputesTheHolesAndTheRowBeforeEach) {
  const Positions masked{2, 3, 6};
  const auto cache = block_cache(8, masked, 10);
  EXPECT_THAT(cache->rows(0, masked), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(cache->rows(1, masked), ElementsAre(1, 2, 3, 5, 6));
}

TEST(BlockCacheTest, KeepsRowsOfFilledPositions) {
  const Positions masked{2, 3};
  const auto cache = block_cache(5, masked, 10);
  const Positions still_masked{3};
  EXPECT_THAT(cache->rows(3, still_masked), ElementsAre(1, 2, 3));
}

TEST(BlockCacheTest, HolesThatTouchTheirNeighboursRowShareIt) {
  const Positions masked{0, 1, 3, 5};
  EXPECT_THAT(block_cache(6, masked, 10)->rows(1, masked), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(BlockCacheTest, RefreshesEveryRefreshThStep) {
  const Positions masked{2};
  const auto cache = block_cache(4, masked, 3);
  for (int step = 0; step < 9; ++step) {
    EXPECT_EQ(cache->rows(step, masked).size(), step % 3 == 0 ? 4U : 2U) << step;
  }
}

TEST(BlockCacheTest, RefreshAtEveryStepEqualsExact) {
  const Positions masked{1, 2};
  const auto block = block_cache(5, masked, 1);
  const auto exact = exact_cache(5);
  for (int step = 0; step < 4; ++step) {
    EXPECT_THAT(block->rows(step, masked), testing::ElementsAreArray(exact->rows(step, masked)));
  }
}

TEST(BlockCacheTest, NothingMaskedNeedsNoRowsBetweenRefreshes) {
  EXPECT_THAT(block_cache(3, {}, 2)->rows(1, {}), IsEmpty());
}

}  // namespace
}  // namespace lacuna::engine
