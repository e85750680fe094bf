#include "cli/analyze/analysis_report.h"

#include <algorithm>

#include "cli/eval/eval_report.h"
#include "cli/format.h"
#include "cli/json_numbers.h"

namespace lacuna::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kListedTokens = 48;

std::string row(const std::string& name, const std::vector<std::string>& cells) {
  std::string line = pad_right(name, 22);
  for (const std::string& cell : cells) line += pad_left(cell, 10);
  return line + "\n";
}

std::string ar_ness_text(const Analysis& analysis) {
  std::vector<std::string> head;
  std::vector<std::string> tokens;
  std::vector<std::string> windows;
  std::vector<std::string> global;
  for (const engine::ArNessMean& mean : analysis.ar_ness) {
    head.push_back("@" + std::to_string(mean.k));
    tokens.push_back(fixed(mean.local_over_tokens, 3));
    windows.push_back(fixed(mean.local_over_windows, 3));
    if (mean.k <= kGlobalKs) global.push_back(fixed(mean.global, 3));
  }
  return row("AR-ness", head) + row("local, over T", tokens) + row("local, over T - k", windows) +
         row("global", global);
}

// Distances 0, 1, 2, 4, 8, ... and the last one.
std::string first_step_text(const Analysis& analysis) {
  std::vector<std::string> head;
  std::vector<std::string> probability;
  std::vector<std::string> confidence;
  int next = 0;
  for (const engine::FirstStepMean& mean : analysis.first_step) {
    if (mean.distance < next && mean.distance != analysis.first_step.back().distance) continue;
    next = std::max(1, 2 * mean.distance);
    head.push_back(std::to_string(mean.distance));
    probability.push_back(fixed(mean.probability, 3));
    confidence.push_back(fixed(mean.confidence, 3));
  }
  return row("first step, token", head) + row("probability", probability) +
         row("confidence", confidence);
}

std::string sweep_text(const Analysis& analysis) {
  std::vector<std::string> head = {"local@1", "global@1"};
  for (const auto& [k, share] : analysis.sweep.front().pass_at) {
    head.push_back("pass@" + std::to_string(k));
  }
  std::string text = row("temperature", head);
  for (const SweepPoint& point : analysis.sweep) {
    std::vector<std::string> cells = {fixed(point.ar_ness.front().local_over_windows, 3),
                                      fixed(point.ar_ness.front().global, 3)};
    for (const auto& [k, share] : point.pass_at) cells.push_back(fixed(100 * share, 1) + " %");
    text += row(fixed(point.temperature, 2), cells);
  }
  return text;
}

std::string order_text(const DecodedInput& input) {
  std::string text = "decided first to last: " + input.name + "\n" + pad_left("token", 7) +
                     pad_left("step", 6) + pad_left("hole", 6) + pad_left("place", 7) +
                     pad_left("probability", 13) + "\n";
  for (std::size_t i = 0; i < std::min(input.tokens.size(), kListedTokens); ++i) {
    const DecodedToken& token = input.tokens[i];
    text +=
        pad_left(std::to_string(token.order + 1), 7) + pad_left(std::to_string(token.step + 1), 6) +
        pad_left(std::to_string(token.hole + 1), 6) +
        pad_left(std::to_string(token.offset + 1), 7) + pad_left(fixed(token.probability, 3), 13) +
        "  " + Json(token.text).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  if (input.tokens.size() > kListedTokens) {
    text += "    ... and " + std::to_string(input.tokens.size() - kListedTokens) +
            " more; --json has them all\n";
  }
  return text;
}

Json ar_ness_json(std::span<const engine::ArNessMean> means) {
  Json local = Json::array();
  Json global = Json::array();
  for (const engine::ArNessMean& mean : means) {
    local.push_back({{"k", mean.k},
                     {"canvases", mean.orders},
                     {"over_tokens", mean.local_over_tokens},
                     {"over_windows", mean.local_over_windows}});
    if (mean.k > kGlobalKs) continue;
    global.push_back({{"k", mean.k}, {"canvases", mean.orders}, {"value", mean.global}});
  }
  return {{"local", std::move(local)}, {"global", std::move(global)}};
}

Json inputs_json(const Analysis& analysis) {
  Json inputs = Json::array();
  for (const DecodedInput& input : analysis.inputs) {
    Json tokens = Json::array();
    for (const DecodedToken& token : input.tokens) {
      tokens.push_back({{"hole", token.hole},
                        {"offset", token.offset},
                        {"order", token.order},
                        {"step", token.step},
                        {"text", token.text},
                        {"probability", as_json(token.probability)}});
    }
    inputs.push_back({{"name", input.name}, {"tokens", std::move(tokens)}});
  }
  return inputs;
}

Json sweep_json(const Analysis& analysis) {
  Json sweep = Json::array();
  for (const SweepPoint& point : analysis.sweep) {
    Json pass_at = Json::object();
    for (const auto& [k, share] : point.pass_at) pass_at[std::to_string(k)] = share;
    sweep.push_back({{"temperature", as_json(point.temperature)},
                     {"ar_ness", ar_ness_json(point.ar_ness)},
                     {"tested", point.tested},
                     {"pass_at", std::move(pass_at)}});
  }
  return sweep;
}

Json example_json(const Analysis& analysis) {
  std::vector<Json> steps(static_cast<std::size_t>(analysis.map.steps), Json::array());
  for (const DecodeMap::Cell& cell : analysis.map.cells) {
    steps[static_cast<std::size_t>(cell.step)].push_back(
        {{"token", cell.column},
         {"probability", as_json(cell.probability)},
         {"decided", cell.committed}});
  }
  return {{"name", analysis.inputs[analysis.example].name}, {"steps", steps}};
}

}  // namespace

std::string as_text(const Analysis& analysis, const std::string& model) {
  std::size_t tokens = 0;
  for (const DecodedInput& input : analysis.inputs) tokens += input.tokens.size();
  std::string text = grouped(analysis.inputs.size()) +
                     (analysis.inputs.size() == 1 ? " input, " : " inputs, ") + grouped(tokens) +
                     " tokens, " + model + "\n";
  if (!analysis.left_out.empty()) {
    text += std::to_string(analysis.left_out.size()) + " left out: they do not fit the model\n";
  }
  text += "\n" + ar_ness_text(analysis) + "\n" + first_step_text(analysis) + "\n";
  if (!analysis.sweep.empty()) text += sweep_text(analysis) + "\n";
  return text + order_text(analysis.inputs[analysis.example]);
}

std::string as_json(const Analysis& analysis, const AnalysisSettings& settings,
                    const LoadedModel& model) {
  Json first_step = Json::array();
  for (const engine::FirstStepMean& mean : analysis.first_step) {
    first_step.push_back({{"distance", mean.distance},
                          {"count", mean.count},
                          {"probability", mean.probability},
                          {"confidence", mean.confidence}});
  }
  const Json json = {{"model", model_json(model)},
                     {"seed", settings.decode.common.seed},
                     {"length", settings.length.name()},
                     {"options", options_json(settings.decode)},
                     {"canvases", analysis.canvases},
                     {"left_out", analysis.left_out},
                     {"ar_ness", ar_ness_json(analysis.ar_ness)},
                     {"first_step", std::move(first_step)},
                     {"samples", settings.samples},
                     {"sweep", sweep_json(analysis)},
                     {"inputs", inputs_json(analysis)},
                     {"example", example_json(analysis)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace lacuna::cli
