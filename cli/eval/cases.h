// The tasks of the published benchmarks, as one kind of case.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/result.h"

namespace lacuna::cli {

enum class EvalTask : std::uint8_t {
  Infilling,  // HumanEval-Infilling: the text between a prompt and a suffix
  HumanEval,  // the body of a function after its head and docstring
  Mbpp,       // a program after a docstring with the task and its tests
};

inline constexpr std::string_view kInfilling = "infilling";
inline constexpr std::string_view kHumanEval = "humaneval";
inline constexpr std::string_view kMbpp = "mbpp";

EvalTask task_named(std::string_view name);  // one of the three

struct EvalCase {
  std::string id;
  std::string prompt;
  // What follows the missing text; with none the prompt is continued instead of a hole filled.
  std::optional<std::string> suffix;
  std::string reference;
  // Python that fails unless the program before it is right; empty where there is none.
  std::string tests;
  std::string language = "python";  // as language_named() knows it
};

// One object of a file. InvalidInput names the field that is missing or of the wrong type.
Result<EvalCase> parse_case(EvalTask task, const nlohmann::json& object);

// The task that an object's fields belong to; none for an object that is a mere prompt.
std::optional<EvalTask> task_of(const nlohmann::json& object);

// All cases of some files. Errors begin with FILE:LINE.
Result<std::vector<EvalCase>> read_cases(EvalTask task, std::span<const std::string> files);

// `limit` of `n` things: their indices, increasing, chosen at random but always the same ones; a
// smaller limit chooses some of these. 0 chooses all.
std::vector<std::size_t> sample_of(std::size_t n, std::size_t limit);

// What a model wrote, cut where the protocol of a benchmark cuts it: a completion ends where the
// next thing at the top level begins; a fill is taken as it is.
std::string cut(EvalTask task, std::string text);

// The program that the tests are run on.
std::string solution_of(const EvalCase& it, std::string_view completion);

}  // namespace lacuna::cli
