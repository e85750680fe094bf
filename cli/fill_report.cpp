#include "cli/fill_report.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "cli/exit.h"
#include "cli/json_numbers.h"
#include "cli/position.h"

namespace lacuna::cli {
namespace {

using Json = nlohmann::ordered_json;

Json place_json(std::string_view text, const LineIndex& lines, std::size_t byte_offset) {
  const Position position = position_of(text, lines, byte_offset);
  return {{"byte", byte_offset}, {"line", position.line}, {"column", position.column}};
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json or_null(const std::optional<float>& value) { return value ? Json(as_json(*value)) : Json(); }

Json syntax_json(const daemon::HoleSyntax& hole) {
  return {{"state", daemon::name_of(hole.state)},
          {"reason", hole.reason},
          {"repairs", hole.repairs},
          {"repeated_bytes_removed", hole.repeated},
          {"kind", grammar::name_of(hole.place.kind)},
          {"why", hole.place.why},
          {"item", hole.place.item_name}};
}

Json holes_json(std::string_view text, std::span<const engine::Hole> holes,
                const daemon::CheckedInfill& checked) {
  const LineIndex lines(text);
  Json array = Json::array();
  for (std::size_t i = 0; i < holes.size(); ++i) {
    const engine::HoleFill& fill = checked.result.fills[i];
    array.push_back({{"begin", place_json(text, lines, holes[i].begin)},
                     {"end", place_json(text, lines, holes[i].end)},
                     {"hint", holes[i].hint},
                     {"text", fill.text},
                     {"tokens", fill.canvas_tokens},
                     {"masks_left", fill.masks_left},
                     {"mean_probability", as_json(fill.mean_probability)},
                     {"syntax", syntax_json(checked.holes[i])}});
  }
  return array;
}

Json model_json(const LoadedModel& model) {
  return {{"name", model.place.name},
          {"folder", model.place.folder.string()},
          {"parameters", model.parameters},
          {"numbers", describe(model.numbers)}};
}

Json device_json(const LoadedModel& model) {
  return {{"kind", model.device.name()},
          {"instruction_set", kernels::name_of(model.context->isa())},
          {"threads", model.context->pool().threads()}};
}

std::string dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// The commits of each step, which follow each other in the result.
Json steps_json(const FillReport& report) {
  Json steps = Json::array();
  for (const engine::ReportedCommit& commit : report.checked->result.commits) {
    const int canvas = report.canvas_of_hole[static_cast<std::size_t>(commit.hole)];
    const bool same =
        !steps.empty() && steps.back()["canvas"] == canvas && steps.back()["step"] == commit.step;
    if (!same) {
      steps.push_back({{"canvas", canvas}, {"step", commit.step}, {"commits", Json::array()}});
    }
    steps.back()["commits"].push_back({{"hole", commit.hole},
                                       {"offset", commit.offset_in_hole},
                                       {"text", commit.text},
                                       {"probability", as_json(commit.probability)}});
  }
  return steps;
}

Json syntax_json(const daemon::CheckedInfill& checked) {
  return {{"errors_before", checked.errors_before},
          {"constraint_off", checked.constraint_off},
          {"checks", checked.constraint.vetted},
          {"too_early_to_check", checked.constraint.unchecked},
          {"accepted_at_once", checked.constraint.accepted},
          {"exact_checks", checked.constraint.exact},
          {"tokens_refused", checked.constraint.vetoed},
          {"constraint_seconds", checked.constraint.seconds},
          {"gate_seconds", checked.gate_seconds}};
}

Json options_json(const engine::InfillOptions& options) {
  const engine::SamplingOptions& sampling = options.sampling;
  return {{"steps", options.steps_per_token > 0 ? Json() : Json(sampling.steps)},
          {"alg", engine::name_of(sampling.algorithm)},
          {"temperature", as_json(sampling.temperature)},
          {"top_p", or_null(sampling.top_p)},
          {"top_k", or_null(sampling.top_k)},
          {"alg_temp", as_json(sampling.alg_temp)},
          {"eps", as_json(sampling.eps)},
          {"threshold", or_null(sampling.threshold)},
          {"revoke", or_null(sampling.revoke)},
          {"factor", or_null(sampling.factor)},
          {"entropy_budget", or_null(sampling.entropy_budget)},
          {"tokens_per_step", or_null(sampling.tokens_per_step)},
          {"block_length", or_null(sampling.block_length)},
          {"verify", sampling.verify},
          {"info_gain", sampling.info_gain},
          {"length", engine::name_of(options.length)},
          {"finalists", options.length_finalists},
          {"single_line", options.single_line},
          {"copy", engine::name_of(options.copy)},
          {"exact", options.exact},
          {"cache", options.exact ? "exact" : engine::name_of(options.cache.scope)},
          {"refresh", options.cache.refresh},
          {"refresh_share", as_json(options.cache.refresh_share)},
          {"refresh_drift", as_json(options.cache.refresh_drift)},
          {"tokens", options.default_hole_tokens},
          {"context", options.max_canvas}};
}

}  // namespace

std::string to_json(const FillReport& report) {
  const engine::InfillResult& result = report.checked->result;
  std::size_t committed = result.commits.size();
  const LoadedModel& model = *report.model;
  const double speed =
      result.denoise_seconds > 0 ? static_cast<double>(committed) / result.denoise_seconds : 0;
  const Json json = {{"file", report.file},
                     {"language", report.request->language},
                     {"written", report.written},
                     {"holes", holes_json(report.text, report.request->holes, *report.checked)},
                     {"steps", steps_json(report)},
                     {"syntax", syntax_json(*report.checked)},
                     {"totals",
                      {{"canvases", result.canvases},
                       {"canvas_tokens", result.canvas_tokens},
                       {"tokens", committed},
                       {"steps", result.steps},
                       {"forward_passes", result.forward_passes}}},
                     {"timings",
                      {{"load_seconds", model.seconds},
                       {"tokenize_seconds", result.tokenize_seconds},
                       {"denoise_seconds", result.denoise_seconds},
                       {"total_seconds", report.total_seconds},
                       {"tokens_per_second", speed}}},
                     {"model", model_json(model)},
                     {"device", device_json(model)},
                     {"seed", report.request->options.sampling.seed},
                     {"options", options_json(report.request->options)}};
  return dump(json);
}

std::string to_json(const AlternativesReport& report) {
  Json shown = Json::array();
  Json left_out = Json::array();
  int forward_passes = 0;
  for (const daemon::CheckedAlternative& it : report.alternatives) {
    const engine::InfillResult& result = it.checked.result;
    const engine::SamplingOptions& sampling = it.sampling;
    forward_passes += result.forward_passes;
    Json entry = {{"seed", sampling.seed}, {"temperature", as_json(sampling.temperature)}};
    if (it.problem.empty()) {
      entry["syntax"] = daemon::name_of(it.checked.holes.front().state);
    } else {
      entry["reason"] = it.problem;
    }
    entry["holes"] = holes_json(report.text, report.request->holes, it.checked);
    entry["forward_passes"] = result.forward_passes;
    (it.problem.empty() ? shown : left_out).push_back(std::move(entry));
  }
  return dump({{"file", report.file},
               {"language", report.request->language},
               {"wanted", report.wanted},
               {"alternatives", shown},
               {"left_out", left_out},
               {"forward_passes", forward_passes},
               {"timings",
                {{"load_seconds", report.model->seconds},
                 {"fill_seconds", report.fill_seconds},
                 {"total_seconds", report.total_seconds}}},
               {"model", model_json(*report.model)},
               {"device", device_json(*report.model)},
               {"seed", report.request->options.sampling.seed},
               {"options", options_json(report.request->options)}});
}

std::string to_text(const AlternativesReport& report) {
  const LineIndex lines(report.text);
  const auto is_shown = [](const daemon::CheckedAlternative& it) { return it.problem.empty(); };
  const auto n = std::count_if(report.alternatives.begin(), report.alternatives.end(), is_shown);
  std::string text;
  std::string left_out;
  int number = 0;
  for (const daemon::CheckedAlternative& it : report.alternatives) {
    const std::string seed = "seed " + std::to_string(it.sampling.seed);
    if (!is_shown(it)) {
      left_out += "\nleft out: " + seed + ": " + one_line(it.problem) + "\n";
      continue;
    }
    if (number > 0) text += "\n";
    ++number;
    text +=
        "alternative " + std::to_string(number) + " of " + std::to_string(n) + ", " + seed + "\n";
    for (std::size_t i = 0; i < it.checked.result.fills.size(); ++i) {
      const Position at = position_of(report.text, lines, report.request->holes[i].begin);
      text += to_string(at) + ": " + it.checked.result.fills[i].text + "\n";
    }
  }
  return text + left_out;
}

}  // namespace lacuna::cli
