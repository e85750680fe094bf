// What `lacuna eval` prints.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/eval/metrics.h"
#include "cli/load_model.h"

namespace lacuna::cli {

struct RegimeResult {
  std::string length;  // "fixed:16", "oracle", or "gold" for the references themselves
  std::vector<CaseResult> cases;
};

struct EvalReport {
  std::string task;
  std::span<const std::string> files;
  std::size_t cases_in_files;
  int samples;
  double timeout;
  const LoadedModel* model;  // null for the references
  DecodeOptions options;
  std::span<const RegimeResult> regimes;
};

std::string as_text(const EvalReport& report);
std::string as_json(const EvalReport& report);

// Name, parameters and numbers of a model, as both commands report them.
nlohmann::ordered_json model_json(const LoadedModel& model);
nlohmann::ordered_json options_json(const DecodeOptions& options);
nlohmann::ordered_json sample_json(const Sample& sample);

}  // namespace lacuna::cli
