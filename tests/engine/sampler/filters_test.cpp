#include "engine/sampler/filters.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace lacuna::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The published filters, written with a full sort. Equal logits: the lower id first.
std::vector<float> sorted_top_p(std::vector<float> logits, float top_p) {
  std::vector<int> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
  });
  const float largest = logits[static_cast<std::size_t>(order[0])];
  double total = 0;
  for (const float x : logits) total += std::exp(double{x} - largest);
  double mass = 0;
  bool is_past = false;
  for (const int i : order) {
    float& logit = logits[static_cast<std::size_t>(i)];
    if (is_past) {
      logit = -kInfinity;
      continue;
    }
    mass += static_cast<float>(std::exp(double{logit} - largest) / total);
    is_past = static_cast<float>(mass) > top_p;
  }
  return logits;
}

std::vector<float> sorted_top_k(std::vector<float> logits, int k) {
  if (k >= static_cast<int>(logits.size())) return logits;
  std::vector<float> sorted = logits;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const float kth = sorted[static_cast<std::size_t>(k - 1)];
  for (float& x : logits) x = x < kth ? -kInfinity : x;
  return logits;
}

// Rows with many ties (logits in steps) or none, peaked or flat, some tokens forbidden.
std::vector<float> random_row(std::mt19937& engine, int n) {
  std::uniform_real_distribution<float> uniform(0, 1);
  const float spread = uniform(engine) < 0.5F ? 0.5F : 6;
  const float step = uniform(engine) < 0.5F ? 0 : 0.5F;
  const bool forbids = uniform(engine) < 0.3F;
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> row(static_cast<std::size_t>(n));
  for (float& x : row) {
    x = normal(engine);
    if (step > 0) x = std::round(x / step) * step;
    if (forbids && uniform(engine) < 0.5F) x = -kInfinity;
  }
  row[row.size() / 2] = 1;  // one is always left
  return row;
}

std::string kept_of(const std::vector<float>& row) {
  std::string text;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i] > -kInfinity) text += std::to_string(i) + " ";
  }
  return text;
}

TEST(TopPTest, KeepsWhatAFullSortKeeps) {
  std::mt19937 engine(11);
  std::uniform_real_distribution<float> any_p(0.01F, 0.999F);
  DrawScratch scratch;
  for (int trial = 0; trial < 3000; ++trial) {
    const int n = trial % 100 == 0 ? 9000 : 1 + static_cast<int>(engine() % 300);
    auto row = random_row(engine, n);
    const float top_p = any_p(engine);
    const auto expected = sorted_top_p(row, top_p);
    keep_top_p(row, top_p, scratch);
    ASSERT_EQ(row, expected) << "trial " << trial << ", n " << n << ", top_p " << top_p;
  }
}

TEST(TopKTest, KeepsWhatAFullSortKeeps) {
  std::mt19937 engine(12);
  DrawScratch scratch;
  for (int trial = 0; trial < 3000; ++trial) {
    const int n = trial % 100 == 0 ? 9000 : 1 + static_cast<int>(engine() % 300);
    auto row = random_row(engine, n);
    const int k = 1 + static_cast<int>(engine() % static_cast<unsigned>(n + 3));
    const auto expected = sorted_top_k(row, k);
    keep_top_k(row, k, scratch);
    ASSERT_EQ(row, expected) << "trial " << trial << ", n " << n << ", k " << k;
  }
}

TEST(TopPTest, KeepsTheFirstTokenPastTheThresholdAndAtLeastOne) {
  DrawScratch scratch;
  std::vector<float> row{0, std::log(2.0F), 0};  // probabilities 1/4 1/2 1/4
  keep_top_p(row, 0.1F, scratch);
  EXPECT_EQ(kept_of(row), "1 ");
  row = {0, std::log(2.0F), 0};
  keep_top_p(row, 0.6F, scratch);
  EXPECT_EQ(kept_of(row), "0 1 ");
}

TEST(TopPTest, ASumThatOnlyReachesTheThresholdIsNotPastIt) {
  DrawScratch scratch;
  std::vector<float> row{std::log(2.0F), 0, 0};  // probabilities 1/2 1/4 1/4, exactly
  keep_top_p(row, 0.5F, scratch);
  EXPECT_EQ(kept_of(row), "0 1 ");
  row = {std::log(2.0F), 0, 0, 0, 0, std::log(2.0F)};  // 1/4 at both ends
  keep_top_p(row, 0.5F, scratch);
  EXPECT_EQ(kept_of(row), "0 1 5 ");
  row = {1, 1, 1, 1};
  keep_top_p(row, 0.5F, scratch);
  EXPECT_EQ(kept_of(row), "0 1 2 ");
}

TEST(TopPTest, ARowOfEqualLogitsKeepsTheLowerIds) {
  DrawScratch scratch;
  std::vector<float> row(100000, 2.5F);
  keep_top_p(row, 0.25F, scratch);
  EXPECT_EQ(std::count(row.begin(), row.end(), -kInfinity), 100000 - 25000 - 1);
  EXPECT_EQ(row[25000], 2.5F);
  EXPECT_EQ(row[25001], -kInfinity);
}

TEST(TopKTest, AllThatTieWithTheLastStay) {
  DrawScratch scratch;
  std::vector<float> row{3, 1, 2, 2, 2, 1};
  keep_top_k(row, 2, scratch);
  EXPECT_EQ(kept_of(row), "0 2 3 4 ");
}

TEST(TopKTest, TokensThatAreDroppedAlreadyDoNotCount) {
  DrawScratch scratch;
  std::vector<float> row{3, -kInfinity, -kInfinity, 1};
  keep_top_k(row, 3, scratch);
  EXPECT_EQ(kept_of(row), "0 3 ");
}

}  // namespace
}  // namespace lacuna::engine
