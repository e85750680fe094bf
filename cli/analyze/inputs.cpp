#include "cli/analyze/inputs.h"

#include "cli/eval/json_lines.h"
#include "cli/fill.h"
#include "cli/source_text.h"

namespace lacuna::cli {
namespace {

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

Result<AnalyzeInput> input_of(const nlohmann::json& object) {
  AnalyzeInput input;
  if (const auto task = task_of(object)) {
    Result<EvalCase> it = parse_case(*task, object);
    if (!it) return it.error();
    input.task = *task;
    input.it = std::move(*it);
    return input;
  }
  const auto prompt = object.find("prompt");
  if (prompt == object.end() || !prompt->is_string()) {
    return fail(ErrorCode::InvalidInput,
                "there is no text in the field 'prompt', and the fields are those of no benchmark");
  }
  input.it.prompt = *prompt;
  return input;
}

Result<void> add_lines(const std::string& file, std::vector<AnalyzeInput>& inputs) {
  const auto lines = read_json_lines(file);
  if (!lines) return lines.error();
  for (const JsonLine& line : *lines) {
    const std::string place = file + ":" + std::to_string(line.number);
    Result<AnalyzeInput> input = input_of(line.object);
    if (!input) return fail(input.error().code, place + ": " + input.error().message);
    input->name = input->it.id.empty() ? place : input->it.id;
    inputs.push_back(std::move(*input));
  }
  return {};
}

Result<void> add_text(const std::string& file, std::vector<AnalyzeInput>& inputs) {
  Result<std::string> text = read_source(file);
  if (!text) return text.error();
  Result<std::vector<engine::Hole>> holes = engine::find_markers(*text, kMaxHoleTokens);
  if (!holes) return fail(holes.error().code, file + ": " + holes.error().message);
  if (holes->empty()) {
    return fail(ErrorCode::InvalidInput,
                file + ": there is no hole: mark one with \u27E6?\u27E7, or give a .jsonl file");
  }
  AnalyzeInput& input = inputs.emplace_back();
  input.name = file;
  input.language = language_of_file(file, *text);
  input.text = std::move(*text);
  input.holes = std::move(*holes);
  return {};
}

}  // namespace

Result<std::vector<AnalyzeInput>> read_inputs(std::span<const std::string> files) {
  std::vector<AnalyzeInput> inputs;
  for (const std::string& file : files) {
    const bool lines = ends_with(file, ".jsonl") || ends_with(file, ".jsonl.gz");
    const Result<void> added = lines ? add_lines(file, inputs) : add_text(file, inputs);
    if (!added) return added.error();
  }
  return inputs;
}

}  // namespace lacuna::cli
