// What `lacuna analyze` decodes: files with markers, prompts, or cases of a benchmark.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/eval/cases.h"
#include "engine/hole.h"
#include "support/language.h"

namespace lacuna::cli {

struct AnalyzeInput {
  std::string name;
  // A text with holes ...
  std::string text;
  std::vector<engine::Hole> holes;
  const Language* language = nullptr;
  // ... or, where it has none, a case; without tests if it is a mere prompt.
  EvalTask task = EvalTask::HumanEval;
  EvalCase it;
};

// A .jsonl or .jsonl.gz file has an input on each line: a benchmark's case, or an object with a
// "prompt" and nothing to test. Any other file is one input, with its markers as holes. Errors name
// file and line.
Result<std::vector<AnalyzeInput>> read_inputs(std::span<const std::string> files);

}  // namespace lacuna::cli
