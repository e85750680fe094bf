#include "cli/eval/cases.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <random>

#include "cli/eval/json_lines.h"

namespace lacuna::cli {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kSampleSeed = 20260117;

// Reads the fields of one object; the first one that is wrong is remembered.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) {}

  std::string text(const char* name) {
    const auto field = object_.find(name);
    if (field != object_.end() && field->is_string()) return *field;
    return wrong(name, "a string");
  }
  // Names of tasks are numbers in MBPP.
  std::string name(const char* name) {
    const auto field = object_.find(name);
    if (field != object_.end() && field->is_number_integer()) return field->dump();
    return text(name);
  }
  std::string lines(const char* name) {
    const auto field = object_.find(name);
    if (field == object_.end() || !field->is_array()) return wrong(name, "a list of strings");
    std::string joined;
    for (const Json& line : *field) {
      if (!line.is_string()) return wrong(name, "a list of strings");
      joined += line.get<std::string>() + "\n";
    }
    return joined;
  }
  const std::string& problem() const { return problem_; }

 private:
  std::string wrong(const char* name, const char* wanted) {
    if (!problem_.empty()) return {};
    problem_ = "the field '" + std::string(name) + "' " +
               (object_.contains(name) ? "is not " + std::string(wanted) : "is missing");
    return {};
  }

  const Json& object_;
  std::string problem_;
};

EvalCase mbpp_case(Fields& fields, const Json& object) {
  EvalCase it;
  it.id = "MBPP/" + fields.name("task_id");
  const std::string tests = fields.lines("test_list");
  // "text" in the whole set, "prompt" in the sanitised one.
  const std::string what = fields.text(object.contains("text") ? "text" : "prompt");
  // The docstring prompt of InCoder, which shows the tests, as they name the function.
  it.prompt = "\"\"\"\n" + what + "\n" + tests + "\"\"\"\n";
  it.reference = fields.text("code");
  const bool has_setup = object.contains("test_setup_code");
  it.tests = "\n" + (has_setup ? fields.text("test_setup_code") : std::string()) + "\n" + tests;
  return it;
}

EvalCase human_eval_case(Fields& fields, bool infilling) {
  EvalCase it;
  it.id = fields.name("task_id");
  it.prompt = fields.text("prompt");
  if (infilling) it.suffix = fields.text("suffix");
  it.reference = fields.text("canonical_solution");
  const std::string test = fields.text("test");
  it.tests = "\n" + test + "\ncheck(" + fields.text("entry_point") + ")\n";
  return it;
}

// What ends a completion, from the published harnesses.
std::span<const std::string_view> ends_of(EvalTask task) {
  static constexpr std::array<std::string_view, 6> kHumanEvalEnds = {
      "\nclass ", "\ndef ", "\n#", "\n@", "\nif ", "\nprint"};
  static constexpr std::array<std::string_view, 5> kMbppEnds = {"\nclass ", "\nassert", "\n\"\"\"",
                                                                "\nprint", "\nif "};
  switch (task) {
    case EvalTask::Infilling:
      return {};
    case EvalTask::HumanEval:
      return kHumanEvalEnds;
    case EvalTask::Mbpp:
      return kMbppEnds;
  }
  return {};
}

}  // namespace

EvalTask task_named(std::string_view name) {
  if (name == kInfilling) return EvalTask::Infilling;
  return name == kHumanEval ? EvalTask::HumanEval : EvalTask::Mbpp;
}

Result<EvalCase> parse_case(EvalTask task, const Json& object) {
  Fields fields(object);
  EvalCase it = task == EvalTask::Mbpp ? mbpp_case(fields, object)
                                       : human_eval_case(fields, task == EvalTask::Infilling);
  if (!fields.problem().empty()) return fail(ErrorCode::InvalidInput, fields.problem());
  return it;
}

std::optional<EvalTask> task_of(const Json& object) {
  if (object.contains("suffix")) return EvalTask::Infilling;
  if (object.contains("test_list")) return EvalTask::Mbpp;
  if (object.contains("entry_point")) return EvalTask::HumanEval;
  return std::nullopt;
}

Result<std::vector<EvalCase>> read_cases(EvalTask task, std::span<const std::string> files) {
  std::vector<EvalCase> cases;
  for (const std::string& file : files) {
    const auto lines = read_json_lines(file);
    if (!lines) return lines.error();
    for (const JsonLine& line : *lines) {
      Result<EvalCase> parsed = parse_case(task, line.object);
      if (!parsed) {
        return fail(parsed.error().code,
                    file + ":" + std::to_string(line.number) + ": " + parsed.error().message);
      }
      cases.push_back(std::move(*parsed));
    }
  }
  return cases;
}

std::vector<std::size_t> sample_of(std::size_t n, std::size_t limit) {
  std::vector<std::size_t> chosen(n);
  std::iota(chosen.begin(), chosen.end(), 0);
  if (limit == 0 || limit >= n) return chosen;
  std::mt19937_64 random(kSampleSeed);
  for (std::size_t i = 0; i < limit; ++i) std::swap(chosen[i], chosen[i + random() % (n - i)]);
  chosen.resize(limit);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

std::string cut(EvalTask task, std::string text) {
  std::size_t end = text.size();
  for (const std::string_view stop : ends_of(task)) end = std::min(end, text.find(stop));
  text.resize(end);
  return text;
}

std::string solution_of(const EvalCase& it, std::string_view completion) {
  return it.prompt + std::string(completion) + it.suffix.value_or("");
}

}  // namespace lacuna::cli
