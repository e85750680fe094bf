#include "cli/eval/eval_report.h"

#include "cli/fill.h"
#include "cli/format.h"
#include "cli/json_numbers.h"

namespace lacuna::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFirstColumn = 14;
constexpr int kColumn = 13;

std::string per_cent(double share) { return fixed(100 * share, 1) + " %"; }

std::string row(const std::vector<std::string>& cells) {
  std::string line = pad_right(cells[0], kFirstColumn);
  for (std::size_t i = 1; i < cells.size(); ++i) line += pad_left(cells[i], kColumn);
  return line + "\n";
}

std::string row_of(const RegimeResult& regime, const Summary& summary, bool decoded) {
  std::vector<std::string> cells = {regime.length, per_cent(summary.exact)};
  for (const auto& [k, share] : summary.pass_at) cells.push_back(per_cent(share));
  cells.push_back(per_cent(summary.parses));
  if (decoded) {
    cells.insert(cells.end(), {fixed(summary.forward_passes, 1),
                               fixed(summary.tokens_per_forward, 2), fixed(summary.seconds_p50, 3),
                               fixed(summary.seconds_p95, 3), fixed(summary.length_error, 1)});
  }
  return row(cells);
}

Json summary_json(const Summary& summary) {
  Json pass_at = Json::object();
  for (const auto& [k, share] : summary.pass_at) pass_at[std::to_string(k)] = share;
  return {{"cases", summary.cases},
          {"samples", summary.samples},
          {"did_not_fit", summary.errors},
          {"exact", summary.exact},
          {"pass_at", pass_at},
          {"parses", summary.parses},
          {"forward_passes", summary.forward_passes},
          {"tokens_per_forward", summary.tokens_per_forward},
          {"seconds_p50", summary.seconds_p50},
          {"seconds_p95", summary.seconds_p95},
          {"length_error", summary.length_error}};
}

Json regime_json(const RegimeResult& regime) {
  Json cases = Json::array();
  for (const CaseResult& result : regime.cases) {
    Json samples = Json::array();
    for (const Sample& sample : result.samples) samples.push_back(sample_json(sample));
    cases.push_back({{"id", result.id}, {"samples", std::move(samples)}});
  }
  return {{"length", regime.length},
          {"summary", summary_json(summarise(regime.cases))},
          {"results", std::move(cases)}};
}

}  // namespace

Json model_json(const LoadedModel& model) {
  return {{"name", model.place.name},
          {"folder", model.place.folder.string()},
          {"parameters", model.parameters},
          {"numbers", describe(model.numbers)}};
}

Json options_json(const DecodeOptions& options) {
  FillOptions fill;
  fill.common = options.common;
  fill.sampling = options.sampling;
  fill.copy = options.copy;
  const engine::InfillOptions infill = infill_options(fill);
  const engine::SamplingOptions& sampling = infill.sampling;
  return {{"steps", infill.steps_per_token > 0 ? Json() : Json(sampling.steps)},
          {"alg", engine::name_of(sampling.algorithm)},
          {"temperature", as_json(sampling.temperature)},
          {"top_p", sampling.top_p ? Json(as_json(*sampling.top_p)) : Json()},
          {"top_k", sampling.top_k ? Json(*sampling.top_k) : Json()},
          {"alg_temp", as_json(sampling.alg_temp)},
          {"eps", as_json(sampling.eps)},
          {"threshold", sampling.threshold ? Json(as_json(*sampling.threshold)) : Json()},
          {"copy", engine::name_of(infill.copy)},
          {"finalists", infill.length_finalists},
          {"exact", infill.exact},
          {"refresh", infill.cache.refresh}};
}

Json sample_json(const Sample& sample) {
  Json json = {{"completion", sample.completion},
               {"exact", sample.exact},
               {"canvas_tokens", sample.canvas_tokens},
               {"tokens", sample.tokens},
               {"length_error", sample.length_error},
               {"forward_passes", sample.forward_passes},
               {"seconds", sample.seconds}};
  if (!sample.error.empty()) json["error"] = sample.error;
  if (sample.outcome) {
    json["verdict"] = name_of(sample.outcome->verdict);
    json["parses"] = sample.outcome->parses;
    json["test_seconds"] = sample.outcome->seconds;
  }
  return json;
}

std::string as_text(const EvalReport& report) {
  const bool decoded = report.model != nullptr;
  const std::vector<CaseResult>& first = report.regimes.front().cases;
  std::string text = report.task + ": " + grouped(first.size()) + " of " +
                     grouped(report.cases_in_files) + " cases, " + std::to_string(report.samples) +
                     (report.samples == 1 ? " sample" : " samples") + " each, " +
                     (decoded ? report.model->place.name + " in " + describe(report.model->numbers)
                              : "the references instead of a model") +
                     "\n\n";
  std::vector<std::string> head = {"length", "exact"};
  for (const auto& [k, share] : summarise(first).pass_at) {
    head.push_back("pass@" + std::to_string(k));
  }
  head.push_back("parses");
  if (decoded) {
    head.insert(head.end(), {"passes/case", "tokens/pass", "s p50", "s p95", "length error"});
  }
  text += row(head);
  std::string notes;
  for (const RegimeResult& regime : report.regimes) {
    const Summary summary = summarise(regime.cases);
    text += row_of(regime, summary, decoded);
    if (summary.errors > 0) {
      notes += regime.length + ": " + std::to_string(summary.errors) +
               " did not fit the model's context; such answers count as wrong\n";
    }
  }
  return text + notes;
}

std::string as_json(const EvalReport& report) {
  Json regimes = Json::array();
  for (const RegimeResult& regime : report.regimes) regimes.push_back(regime_json(regime));
  const Json json = {{"task", report.task},
                     {"files", std::vector<std::string>(report.files.begin(), report.files.end())},
                     {"cases_in_files", report.cases_in_files},
                     {"samples", report.samples},
                     {"timeout", report.timeout},
                     {"seed", report.options.common.seed},
                     {"model", report.model != nullptr ? model_json(*report.model) : Json()},
                     {"options", options_json(report.options)},
                     {"regimes", std::move(regimes)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace lacuna::cli
