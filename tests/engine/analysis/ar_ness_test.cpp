#include "engine/analysis/ar_ness.h"

#include <fstream>
#include <numeric>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lacuna::engine {
namespace {

using Order = std::vector<int>;

TEST(ArNess, EqualsTheReferenceData) {
  std::ifstream file(LACUNA_TEST_DATA "/reference/golden/ar_ness.json");
  const nlohmann::json cases = nlohmann::json::parse(file);
  ASSERT_GE(cases.size(), 6U);
  for (const auto& it : cases) {
    SCOPED_TRACE(it["name"].get<std::string>());
    const Order order = it["order"];
    ASSERT_EQ(it["global_at_k"].size(), 5U);
    for (int k = 1; k <= 5; ++k) {
      const std::string key = std::to_string(k);
      const double over_tokens = local_ar_ness(order, k, LocalNorm::Tokens);
      EXPECT_DOUBLE_EQ(over_tokens, it["local_sequence_over_T"][key]);
      EXPECT_DOUBLE_EQ(local_ar_ness(order, k, LocalNorm::Windows),
                       it["local_sequence_over_T_minus_k"][key]);
      EXPECT_DOUBLE_EQ(global_ar_ness(order, k), it["global_at_k"][key]);
      // A sequence in order is a set, too.
      EXPECT_LE(over_tokens, it["local_set_over_T"][key]);
    }
  }
}

TEST(ArNess, LocalNeverGrowsWithK) {
  // 0 2 1 3: as sets {0, 2, 1} would make the 3 follow three tokens.
  const Order order = {0, 2, 1, 3, 5, 4, 6, 7, 8};
  for (int k = 1; k < 8; ++k) {
    EXPECT_GE(local_ar_ness(order, k, LocalNorm::Tokens),
              local_ar_ness(order, k + 1, LocalNorm::Tokens));
  }
}

TEST(ArNess, OfShortOrders) {
  EXPECT_EQ(global_ar_ness(Order{}, 1), 0);
  EXPECT_EQ(global_ar_ness(Order{7}, 1), 1);
  for (const LocalNorm norm : {LocalNorm::Tokens, LocalNorm::Windows}) {
    EXPECT_EQ(local_ar_ness(Order{}, 1, norm), 0);
    EXPECT_EQ(local_ar_ness(Order{7}, 1, norm), 0);
    EXPECT_EQ(local_ar_ness(Order{7, 8}, 2, norm), 0);
  }
  EXPECT_EQ(local_ar_ness(Order{7, 8}, 1, LocalNorm::Tokens), 0.5);
  EXPECT_EQ(local_ar_ness(Order{7, 8}, 1, LocalNorm::Windows), 1);
}

TEST(ArNess, TokensWithTextBetweenThemAreNoNeighbours) {
  EXPECT_EQ(local_ar_ness(Order{3, 4, 9, 10}, 1, LocalNorm::Tokens), 0.5);
  EXPECT_EQ(global_ar_ness(Order{3, 4, 9, 10}, 1), 1);
}

TEST(ArNessMeans, LeaveOutOrdersThatAreTooShort) {
  const std::vector<Order> orders = {{0, 1, 2, 3}, {1, 0}, {5}};
  const std::vector<ArNessMean> means = ar_ness_means(orders, 2);
  ASSERT_EQ(means.size(), 2U);
  EXPECT_EQ(means[0].k, 1);
  EXPECT_EQ(means[0].orders, 2);
  EXPECT_DOUBLE_EQ(means[0].local_over_tokens, 0.375);
  EXPECT_DOUBLE_EQ(means[0].local_over_windows, 0.5);
  EXPECT_DOUBLE_EQ(means[0].global, 0.75);
  EXPECT_EQ(means[1].orders, 1);
  EXPECT_DOUBLE_EQ(means[1].local_over_tokens, 0.5);
  EXPECT_DOUBLE_EQ(means[1].local_over_windows, 1);
  EXPECT_EQ(ar_ness_means({}, 1)[0].orders, 0);
}

TEST(DecodeOrder, GoesByStepThenConfidenceThenPosition) {
  const Order order = decode_order({{.step = 1, .position = 5, .confidence = 0.9F},
                                    {.step = 0, .position = 9, .confidence = 0.2F},
                                    {.step = 0, .position = 3, .confidence = 0.7F},
                                    {.step = 0, .position = 2, .confidence = 0.2F}});
  EXPECT_EQ(order, (Order{3, 2, 9, 5}));
}

TEST(DecodeOrder, TakesNegativeConfidences) {
  const Order order = decode_order({{.step = 0, .position = 1, .confidence = -2},
                                    {.step = 0, .position = 2, .confidence = -0.5F}});
  EXPECT_EQ(order, (Order{2, 1}));
}

}  // namespace
}  // namespace lacuna::engine
