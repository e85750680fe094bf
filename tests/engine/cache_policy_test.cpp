#include "engine/cache_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lacuna::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Holes = std::vector<std::int32_t>;

// A canvas: holes as letters, the rest as dots.
Holes holes_of(const char* canvas) {
  Holes holes;
  for (const char* c = canvas; *c != 0; ++c) holes.push_back(*c == '.' ? -1 : *c - 'a');
  return holes;
}

CacheStep step_of(const Holes& holes, int step) {
  const auto is_hole = [](std::int32_t hole) { return hole >= 0; };
  const auto first = std::find_if(holes.begin(), holes.end(), is_hole);
  const auto last = std::find_if(holes.rbegin(), holes.rend(), is_hole);
  return {.step = step,
          .hole_of = holes,
          .block_step = step,
          .block_begin = static_cast<int>(first - holes.begin()),
          .block_end = static_cast<int>(holes.rend() - last),
          .masks = 4,
          .row_before = true};
}

TEST(CachePolicyTest, WithoutAScopeEveryRowIsComputedAtEveryStep) {
  const Holes holes = holes_of("..a.");
  const auto cache = make_cache({.scope = CacheScope::None}, 4);
  for (int step = 0; step < 3; ++step) {
    EXPECT_THAT(cache->rows(step_of(holes, step)), ElementsAre(0, 1, 2, 3));
  }
}

TEST(CachePolicyTest, RecomputesTheHolesAndTheRowBeforeEach) {
  const Holes holes = holes_of("..aa..b.");
  const auto cache = make_cache({.refresh = 10}, 8);
  EXPECT_THAT(cache->rows(step_of(holes, 0)), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(cache->rows(step_of(holes, 1)), ElementsAre(1, 2, 3, 5, 6));
  CacheStep not_shifted = step_of(holes, 2);
  not_shifted.row_before = false;
  EXPECT_THAT(cache->rows(not_shifted), ElementsAre(2, 3, 6));
}

TEST(CachePolicyTest, HolesThatTouchTheirNeighboursRowShareIt) {
  const Holes holes = holes_of("aa.b.c");
  const auto cache = make_cache({.refresh = 10}, 6);
  EXPECT_THAT(cache->rows(step_of(holes, 1)), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(CachePolicyTest, LooksAroundTheHolesWithinTheCanvas) {
  const Holes holes = holes_of("..a......b");
  const auto cache = make_cache({.refresh = 10, .look_before = 4, .look_after = 2}, 10);
  EXPECT_THAT(cache->rows(step_of(holes, 1)), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  const auto narrow = make_cache({.refresh = 10, .look_before = 2, .look_after = 1}, 10);
  EXPECT_THAT(narrow->rows(step_of(holes, 1)), ElementsAre(0, 1, 2, 3, 7, 8, 9));
}

TEST(CachePolicyTest, RefreshesEveryRefreshThStepOfABlock) {
  const Holes holes = holes_of("..a.");
  const auto cache = make_cache({.refresh = 3}, 4);
  for (int step = 0; step < 9; ++step) {
    EXPECT_EQ(cache->rows(step_of(holes, step)).size(), step % 3 == 0 ? 4U : 2U) << step;
  }
}

TEST(CachePolicyTest, RefreshesWhenAShareOfTheMasksIsCommitted) {
  const Holes holes = holes_of(".aaaaaaaa.");
  const auto cache = make_cache({.refresh = 0, .refresh_share = 0.5F}, 10);
  std::vector<bool> full;
  for (const int masks : {8, 7, 5, 4, 3, 2, 1}) {
    CacheStep step = step_of(holes, static_cast<int>(full.size()));
    step.masks = masks;
    full.push_back(cache->rows(step).size() == holes.size());
  }
  EXPECT_THAT(full, ElementsAre(true, false, false, true, false, true, true));
}

TEST(CachePolicyTest, ABlockAloneOrWithAllThatFollows) {
  const Holes holes = holes_of(".aaaa..");
  for (const bool prefix : {false, true}) {
    const auto cache =
        make_cache({.scope = prefix ? CacheScope::Prefix : CacheScope::Block, .refresh = 0}, 7);
    CacheStep step = step_of(holes, 0);
    step.row_before = false;
    step.block_end = 3;
    EXPECT_EQ(cache->rows(step).size(), 7U);
    step.step = step.block_step = 1;
    if (prefix) {
      EXPECT_THAT(cache->rows(step), ElementsAre(1, 2, 3, 4, 5, 6));
    } else {
      EXPECT_THAT(cache->rows(step), ElementsAre(1, 2));
    }
    // The next block begins with a full pass.
    step.step = 2;
    step.block_step = 0;
    step.block_begin = 3;
    step.block_end = 5;
    EXPECT_EQ(cache->rows(step).size(), 7U);
  }
}

TEST(CachePolicyTest, RowsBetweenFullPassesAreAllWhereThereIsNoneBetween) {
  const Holes holes = holes_of("..a.");
  EXPECT_THAT(make_cache({.refresh = 2}, 4)->rows_between(step_of(holes, 0)), ElementsAre(1, 2));
  EXPECT_THAT(make_cache({.refresh = 1}, 4)->rows_between(step_of(holes, 0)),
              ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(make_cache({.scope = CacheScope::None}, 4)->rows_between(step_of(holes, 0)),
              ElementsAre(0, 1, 2, 3));
}

TEST(CachePolicyTest, NothingMaskedNeedsNoRowsBetweenRefreshes) {
  const Holes holes = holes_of("...");
  EXPECT_THAT(make_cache({.refresh = 2}, 3)->rows(step_of(holes, 1)), IsEmpty());
}

}  // namespace
}  // namespace lacuna::engine
