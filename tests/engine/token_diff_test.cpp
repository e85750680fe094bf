// The shortest edit between two canvases, against the table of all of them.
#include "engine/token_diff.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace lacuna::engine {
namespace {

using Tokens = std::vector<std::int32_t>;
constexpr std::int32_t kMask = 9;

// Tokens that go and come in a shortest edit.
int edits_between(const Tokens& a, const Tokens& b) {
  std::vector<std::vector<int>> least(a.size() + 1, std::vector<int>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        least[i][j] = static_cast<int>(i + j);
      } else if (a[i - 1] == b[j - 1] && a[i - 1] != kMask) {
        least[i][j] = least[i - 1][j - 1];
      } else {
        least[i][j] = 1 + std::min(least[i - 1][j], least[i][j - 1]);
      }
    }
  }
  return least[a.size()][b.size()];
}

Tokens random_tokens(std::mt19937& random) {
  Tokens tokens(random() % 14);
  for (std::int32_t& token : tokens) token = static_cast<std::int32_t>(7 + random() % 3);
  return tokens;
}

TEST(TokenDiffTest, NoEditIsShorterThanTheOneThatItFinds) {
  std::mt19937 random(20261128);
  for (int i = 0; i < 3000; ++i) {
    const Tokens a = random_tokens(random);
    const Tokens b = random_tokens(random);
    const int edits = edits_between(a, b);
    const auto runs = common_runs(a, b, kMask, edits);
    ASSERT_TRUE(runs.has_value()) << i;
    int same = 0;
    int before = 0;
    int after = 0;
    for (const CommonRun& run : *runs) {
      ASSERT_GT(run.length, 0) << i;
      ASSERT_GE(run.before, before) << i;
      ASSERT_GE(run.after, after) << i;
      before = run.before + run.length;
      after = run.after + run.length;
      ASSERT_LE(before, static_cast<int>(a.size())) << i;
      ASSERT_LE(after, static_cast<int>(b.size())) << i;
      for (int t = 0; t < run.length; ++t) {
        ASSERT_EQ(a[static_cast<std::size_t>(run.before + t)],
                  b[static_cast<std::size_t>(run.after + t)])
            << i;
        ASSERT_NE(a[static_cast<std::size_t>(run.before + t)], kMask) << i;
      }
      same += run.length;
    }
    ASSERT_EQ(static_cast<int>(a.size() + b.size()) - 2 * same, edits) << i;
    if (edits > 0) {
      ASSERT_FALSE(common_runs(a, b, kMask, edits - 1).has_value()) << i;
    }
  }
}

TEST(TokenDiffTest, WhatIsTheSameIsOneRun) {
  const Tokens tokens = {1, 2, 3, 1, 2, 3};
  EXPECT_EQ(*common_runs(tokens, tokens, kMask, 0), (std::vector<CommonRun>{{0, 0, 6}}));
}

}  // namespace
}  // namespace lacuna::engine
