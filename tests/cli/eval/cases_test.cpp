#include "cli/eval/cases.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace lacuna::cli {
namespace {

using Json = nlohmann::json;

Json infilling() {
  return {{"task_id", "T/0"},
          {"entry_point", "add"},
          {"prompt", "def add(a, b):\n"},
          {"suffix", "    return c\n"},
          {"test", "def check(f): assert f(1, 2) == 3"},
          {"canonical_solution", "    c = a + b\n"}};
}

Json mbpp() {
  return {{"task_id", 11},
          {"text", "Add two numbers."},
          {"code", "def add(a, b):\n  return a + b"},
          {"test_setup_code", "import math"},
          {"test_list", {"assert add(1, 2) == 3", "assert add(0, 0) == 0"}}};
}

std::string error_of(EvalTask task, const Json& object) {
  const auto parsed = parse_case(task, object);
  return parsed ? "" : parsed.error().message;
}

TEST(Case, OfInfillingIsAProgramWithAHole) {
  const auto it = parse_case(EvalTask::Infilling, infilling());
  ASSERT_TRUE(it.has_value());
  EXPECT_EQ(it->id, "T/0");
  EXPECT_EQ(solution_of(*it, "    c = 1\n"), "def add(a, b):\n    c = 1\n    return c\n");
  EXPECT_EQ(it->tests, "\ndef check(f): assert f(1, 2) == 3\ncheck(add)\n");
}

TEST(Case, OfHumanEvalContinuesItsPrompt) {
  const auto it = parse_case(EvalTask::HumanEval, infilling());
  ASSERT_TRUE(it.has_value());
  EXPECT_FALSE(it->suffix.has_value());
  EXPECT_EQ(solution_of(*it, "    pass\n"), "def add(a, b):\n    pass\n");
}

TEST(Case, OfMbppShowsTaskAndTests) {
  const auto it = parse_case(EvalTask::Mbpp, mbpp());
  ASSERT_TRUE(it.has_value());
  EXPECT_EQ(it->id, "MBPP/11");
  EXPECT_EQ(it->prompt,
            "\"\"\"\nAdd two numbers.\nassert add(1, 2) == 3\nassert add(0, 0) == 0\n\"\"\"\n");
  EXPECT_EQ(it->tests, "\nimport math\nassert add(1, 2) == 3\nassert add(0, 0) == 0\n");
}

TEST(Case, NamesTheFieldThatIsMissingOrWrong) {
  for (const char* field :
       {"task_id", "entry_point", "prompt", "suffix", "test", "canonical_solution"}) {
    Json object = infilling();
    object[field] = {1, 2};
    EXPECT_EQ(error_of(EvalTask::Infilling, object),
              "the field '" + std::string(field) + "' is not a string");
    object.erase(field);
    EXPECT_EQ(error_of(EvalTask::Infilling, object),
              "the field '" + std::string(field) + "' is missing");
  }
  Json object = mbpp();
  object["test_list"] = {"assert True", 3};
  EXPECT_EQ(error_of(EvalTask::Mbpp, object), "the field 'test_list' is not a list of strings");
  object.erase("test_list");
  EXPECT_EQ(error_of(EvalTask::Mbpp, object), "the field 'test_list' is missing");
}

TEST(Case, IsToldFromItsFields) {
  EXPECT_EQ(task_of(infilling()), EvalTask::Infilling);
  EXPECT_EQ(task_of(mbpp()), EvalTask::Mbpp);
  Json object = infilling();
  object.erase("suffix");
  EXPECT_EQ(task_of(object), EvalTask::HumanEval);
  EXPECT_EQ(task_of({{"prompt", "x"}}), std::nullopt);
}

TEST(SampleOf, IsFixedSpreadAndNested) {
  const std::vector<std::size_t> some = sample_of(1000, 50);
  EXPECT_EQ(some, sample_of(1000, 50));
  EXPECT_EQ(some.size(), 50U);
  EXPECT_TRUE(std::is_sorted(some.begin(), some.end()));
  EXPECT_LT(some.front(), 200U);
  EXPECT_GT(some.back(), 800U);
  EXPECT_LT(some.back(), 1000U);
  const std::vector<std::size_t> more = sample_of(1000, 80);
  EXPECT_TRUE(std::includes(more.begin(), more.end(), some.begin(), some.end()));
  EXPECT_EQ(sample_of(3, 0), (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(sample_of(3, 5000), (std::vector<std::size_t>{0, 1, 2}));
}

TEST(Cut, EndsACompletionAtTheNextDefinition) {
  const std::string body = "    return a\n\n";
  EXPECT_EQ(cut(EvalTask::HumanEval, body + "\ndef other():\n    pass\n"), body);
  EXPECT_EQ(cut(EvalTask::HumanEval, body + "\n# Test\n"), body);
  EXPECT_EQ(cut(EvalTask::HumanEval, body), body);
  EXPECT_EQ(cut(EvalTask::Mbpp, "def f():\n  pass\nassert f()\n"), "def f():\n  pass");
  EXPECT_EQ(cut(EvalTask::Mbpp, "def f(): pass\ndef g(): pass\n"),
            "def f(): pass\ndef g(): pass\n");
}

TEST(Cut, LeavesAFillAsItIs) {
  const std::string text = "    x\ndef f():\n# y\n";
  EXPECT_EQ(cut(EvalTask::Infilling, text), text);
}

}  // namespace
}  // namespace lacuna::cli
