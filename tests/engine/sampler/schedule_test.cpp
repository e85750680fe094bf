#include <vector>

#include <gtest/gtest.h>

#include "engine/sampler/commit_rule.h"
#include "tests/engine/sampler/reference_data.h"

namespace lacuna::engine {
namespace {

std::vector<int> counts_of(int masks, int steps, float eps) {
  std::vector<int> counts;
  for (int step = 0; step < steps; ++step) {
    counts.push_back(transfer_count(masks, {.step = step, .steps = steps, .eps = eps}));
    masks -= counts.back();
  }
  return counts;
}

std::vector<int> expand(const nlohmann::json& run_length) {
  std::vector<int> counts;
  for (const auto& run : run_length) counts.insert(counts.end(), run[1].get<std::size_t>(), run[0]);
  return counts;
}

TEST(TransferCountTest, MatchesAllTablesOfTheReference) {
  const auto rows = load_reference("transfer_schedule.json")["rows"];
  EXPECT_EQ(rows.size(), 390U);
  for (const auto& row : rows) {
    EXPECT_EQ(counts_of(row["masks"], row["steps"], row["eps"]),
              expand(row["transfers_run_length"]))
        << row["masks"] << " masks, " << row["steps"] << " steps, eps " << row["eps"];
  }
}

TEST(TransferCountTest, MatchesTheTablesWithASmallEps) {
  const auto rows = load_reference("golden/transfer_schedule.json")["dream"];
  EXPECT_EQ(rows.size(), 50U);
  for (const auto& row : rows) {
    EXPECT_EQ(counts_of(row["n_mask"], row["steps"], row["eps"]), expand(row["counts_run_length"]))
        << row["n_mask"] << " masks, " << row["steps"] << " steps, eps " << row["eps"];
  }
}

TEST(TransferCountTest, EverythingGoesAtTheLastStepAndAfterIt) {
  for (const int step : {4, 5, 100}) {
    EXPECT_EQ(transfer_count(17, {.step = step, .steps = 5, .eps = 1e-3F}), 17);
  }
}

TEST(TransferCountTest, StaysInBoundsForExtremeOptions) {
  for (const float eps : {0.0F, 1e-12F, 0.5F, 1.0F}) {
    for (const int steps : {1, 2, 3, 1000000}) {
      for (const int step : {0, 1, steps / 2, steps - 2, steps - 1}) {
        if (step < 0 || step >= steps) continue;
        const int count = transfer_count(100, {.step = step, .steps = steps, .eps = eps});
        EXPECT_GE(count, 0);
        EXPECT_LE(count, 100);
      }
    }
  }
}

}  // namespace
}  // namespace lacuna::engine
