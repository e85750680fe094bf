#include "cli/eval/metrics.h"

#include <gtest/gtest.h>

namespace lacuna::cli {
namespace {

Sample sample(Verdict verdict, double seconds = 1) {
  Sample it;
  it.seconds = seconds;
  it.outcome = RunOutcome{.verdict = verdict, .parses = true, .seconds = 0};
  return it;
}

TEST(PassAtK, IsTheShareOfDrawsWithARightSample) {
  EXPECT_DOUBLE_EQ(pass_at_k(1, 0, 1), 0);
  EXPECT_DOUBLE_EQ(pass_at_k(1, 1, 1), 1);
  EXPECT_DOUBLE_EQ(pass_at_k(10, 3, 1), 0.3);
  // Of the 10 pairs of 5 samples, 2 of which are right, 3 have none.
  EXPECT_DOUBLE_EQ(pass_at_k(5, 2, 2), 0.7);
  EXPECT_DOUBLE_EQ(pass_at_k(5, 2, 3), 0.9);
  EXPECT_DOUBLE_EQ(pass_at_k(5, 2, 4), 1);
  EXPECT_DOUBLE_EQ(pass_at_k(5, 5, 5), 1);
  EXPECT_DOUBLE_EQ(pass_at_k(5, 0, 5), 0);
}

TEST(Percentile, IsTheNearestRank) {
  EXPECT_EQ(percentile({4, 1, 3, 2}, 0.5), 2);
  EXPECT_EQ(percentile({4, 1, 3, 2}, 0.95), 4);
  EXPECT_EQ(percentile({7}, 0.5), 7);
  EXPECT_EQ(percentile({1, 2}, 0), 1);
}

TEST(Summary, AveragesOverCasesAndSamples) {
  Sample exact = sample(Verdict::Passed, 4);
  exact.exact = true;
  exact.committed = 6;
  exact.forward_passes = 3;
  exact.length_error = -4;
  Sample wrong = sample(Verdict::Failed);
  wrong.committed = 2;
  wrong.forward_passes = 1;
  wrong.length_error = 2;
  wrong.outcome->parses = false;
  const std::vector<CaseResult> results = {{"a", {exact, wrong}},
                                           {"b", {wrong, sample(Verdict::TimedOut)}}};
  const Summary summary = summarise(results);
  EXPECT_EQ(summary.cases, 2);
  EXPECT_EQ(summary.samples, 2);
  EXPECT_DOUBLE_EQ(summary.exact, 0.25);
  EXPECT_DOUBLE_EQ(summary.parses, 0.5);
  EXPECT_DOUBLE_EQ(summary.forward_passes, 1.25);
  EXPECT_DOUBLE_EQ(summary.tokens_per_forward, 2);
  EXPECT_DOUBLE_EQ(summary.length_error, 2);
  EXPECT_DOUBLE_EQ(summary.seconds_p50, 1);
  EXPECT_DOUBLE_EQ(summary.seconds_p95, 4);
  using PassAt = std::vector<std::pair<int, double>>;
  EXPECT_EQ(summary.pass_at, (PassAt{{1, 0.25}, {2, 0.5}}));
}

TEST(Summary, CountsWhatDidNotFitAsWrong) {
  Sample unfit;
  unfit.error = "does not fit";
  const Summary summary = summarise(std::vector<CaseResult>{{"a", {unfit}}});
  EXPECT_EQ(summary.errors, 1);
  EXPECT_EQ(summary.parses, 0);
  EXPECT_EQ(summary.pass_at.front().second, 0);
  EXPECT_EQ(summary.tokens_per_forward, 0);
}

TEST(WilsonInterval, IsThatOfTheFormula) {
  // 10 of 100: 0.0552 to 0.1744.
  const Interval interval = wilson_interval(10, 100);
  EXPECT_NEAR(interval.low, 0.0552, 1e-4);
  EXPECT_NEAR(interval.high, 0.1744, 1e-4);
}

TEST(WilsonInterval, StaysWithinAShareAndNeverHasNoWidth) {
  EXPECT_EQ(wilson_interval(0, 7).low, 0);
  EXPECT_GT(wilson_interval(0, 7).high, 0.2);
  EXPECT_EQ(wilson_interval(7, 7).high, 1);
  EXPECT_LT(wilson_interval(7, 7).low, 0.8);
}

}  // namespace
}  // namespace lacuna::cli
