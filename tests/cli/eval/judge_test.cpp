#include "cli/eval/judge.h"

#include <gtest/gtest.h>

namespace lacuna::cli {
namespace {

Sample answer(const std::string& completion) {
  Sample sample;
  sample.completion = completion;
  return sample;
}

EvalCase adds() {
  EvalCase it;
  it.prompt = "def add(a, b):\n";
  it.tests = "\nassert add(1, 2) == 3\n";
  return it;
}

TEST(Judge, GivesEverySampleItsOwnVerdict) {
  const auto sandbox = PythonSandbox::open({.seconds = 30});
  ASSERT_TRUE(sandbox.has_value()) << sandbox.error().message;
  std::vector<EvalCase> cases;
  std::vector<CaseResult> results;
  for (int i = 0; i < 12; ++i) {
    cases.push_back(adds());
    results.push_back({"c",
                       {answer("    return a + b\n"), answer("    return a\n"),
                        answer("    return (\n"), answer("")}});
    results.back().samples[3].error = "does not fit";
  }
  int last = 0;
  const Result<void> judged = judge(*sandbox, cases, results, 4, [&](int n) { last = n; }, {});
  ASSERT_TRUE(judged.has_value()) << judged.error().message;
  EXPECT_EQ(last, 36);
  for (const CaseResult& result : results) {
    EXPECT_EQ(result.samples[0].outcome->verdict, Verdict::Passed);
    EXPECT_EQ(result.samples[1].outcome->verdict, Verdict::Failed);
    EXPECT_TRUE(result.samples[1].outcome->parses);
    EXPECT_FALSE(result.samples[2].outcome->parses);
    EXPECT_FALSE(result.samples[3].outcome.has_value());
  }
}

TEST(Judge, StopsWhenAsked) {
  const auto sandbox = PythonSandbox::open({});
  ASSERT_TRUE(sandbox.has_value()) << sandbox.error().message;
  const std::vector<EvalCase> cases = {adds()};
  std::vector<CaseResult> results = {{"c", {answer("    return a + b\n")}}};
  std::stop_source stop;
  stop.request_stop();
  const Result<void> judged = judge(*sandbox, cases, results, 2, [](int) {}, stop.get_token());
  ASSERT_FALSE(judged.has_value());
  EXPECT_EQ(judged.error().code, ErrorCode::Cancelled);
  EXPECT_FALSE(results[0].samples[0].outcome.has_value());
}

TEST(Judge, TakesNoSamplesAtAll) {
  const auto sandbox = PythonSandbox::open({});
  ASSERT_TRUE(sandbox.has_value()) << sandbox.error().message;
  EXPECT_TRUE(judge(*sandbox, {}, {}, 2, [](int) {}, {}).has_value());
}

}  // namespace
}  // namespace lacuna::cli
