#include "cli/analyze/analysis.h"

#include <algorithm>

#include "cli/eval/judge.h"
#include "cli/fill.h"
#include "engine/infill.h"

namespace lacuna::cli {
namespace {

using engine::DecodeTrace;

struct Decoded {
  Sample sample;
  std::vector<DecodeTrace> traces;
};

Result<Sample> decode_holes(const engine::Model& model, const AnalysisSettings& settings,
                            const DecodeOptions& options, const AnalyzeInput& input,
                            std::uint64_t seed, engine::TraceRecorder& recorder) {
  FillOptions fill;
  fill.common = options.common;
  fill.common.seed = seed;
  fill.sampling = options.sampling;
  fill.tokens = settings.length.tokens;
  engine::InfillRequest request;
  request.text = input.text;
  request.holes = input.holes;
  if (input.language != nullptr) {
    request.language = input.language->model_name;
    request.line_comment = input.language->line_comment;
  }
  request.options = infill_options(fill);
  request.stop = settings.stop;
  request.on_denoise = [&](std::span<const engine::CanvasHole> holes,
                           const engine::StepEvent& event) { recorder.step(holes, event); };
  const Result<engine::InfillResult> result = engine::infill(model, request);
  Sample sample;
  if (!result && result.error().code != ErrorCode::InvalidInput) return result.error();
  if (!result) sample.error = result.error().message;
  return sample;
}

Result<Decoded> decode_input(const engine::Model& model, const AnalysisSettings& settings,
                             const DecodeOptions& options, const AnalyzeInput& input,
                             std::uint64_t seed, bool keep_steps) {
  engine::TraceRecorder recorder(keep_steps);
  Result<Sample> sample = input.holes.empty()
                              ? decode(model, options, input.task, input.it,
                                       canvas_length(settings.length, input.it, model),
                                       settings.length.mode, seed, settings.stop, &recorder)
                              : decode_holes(model, settings, options, input, seed, recorder);
  if (!sample) return sample.error();
  return Decoded{std::move(*sample), recorder.finish()};
}

std::vector<std::string> text_around(const AnalyzeInput& input) {
  if (input.holes.empty()) return {input.it.prompt, input.it.suffix.value_or("")};
  std::vector<std::string> around;
  std::size_t at = 0;
  for (const engine::Hole& hole : input.holes) {
    around.push_back(input.text.substr(at, hole.begin - at));
    at = hole.end;
  }
  around.push_back(input.text.substr(at));
  return around;
}

std::string text_of(const engine::Model& model, std::int32_t token) {
  if (token == model.config().delete_token) return {};
  return model.tokenizer()->decode({&token, 1}, {.control_tokens = true});
}

std::vector<DecodedToken> tokens_of(const engine::Model& model,
                                    std::span<const DecodeTrace> traces) {
  std::vector<DecodedToken> tokens;
  for (const DecodeTrace& trace : traces) {
    for (const engine::TracedCommit& commit : trace.commits) {
      const auto hole = std::find_if(trace.holes.begin(), trace.holes.end(), [&](const auto& it) {
        return commit.candidate.position >= it.begin &&
               commit.candidate.position < it.begin + it.length;
      });
      if (hole == trace.holes.end()) continue;
      tokens.push_back({.hole = hole->hole_idx,
                        .offset = commit.candidate.position - hole->begin,
                        .order = static_cast<int>(tokens.size()),
                        .step = commit.step,
                        .text = text_of(model, commit.candidate.token),
                        .probability = commit.candidate.probability});
    }
  }
  return tokens;
}

DecodeMap map_of(const engine::Model& model, const DecodeTrace& trace) {
  std::vector<int> positions;
  positions.reserve(trace.first_step.size());
  for (const engine::Candidate& it : trace.first_step) positions.push_back(it.position);
  const auto column_of = [&](int position) {
    return static_cast<int>(std::lower_bound(positions.begin(), positions.end(), position) -
                            positions.begin());
  };
  DecodeMap map;
  map.steps = static_cast<int>(trace.steps.size());
  map.columns.resize(positions.size());
  std::vector<int> decided(positions.size(), -1);  // at which step
  for (const engine::TracedCommit& commit : trace.commits) {
    const auto column = static_cast<std::size_t>(column_of(commit.candidate.position));
    decided[column] = commit.step;
    map.columns[column] = text_of(model, commit.candidate.token);
  }
  for (int step = 0; step < map.steps; ++step) {
    for (const engine::Candidate& it : trace.steps[static_cast<std::size_t>(step)]) {
      const int column = column_of(it.position);
      map.cells.push_back({.step = step,
                           .column = column,
                           .probability = it.probability,
                           .committed = decided[static_cast<std::size_t>(column)] == step});
    }
  }
  return map;
}

void add_orders(std::span<const DecodeTrace> traces, std::vector<std::vector<int>>& orders) {
  for (const DecodeTrace& trace : traces) orders.push_back(engine::order_of(trace));
}

// The inputs with tests, judged.
Result<void> test_samples(const AnalysisSettings& settings, std::span<const AnalyzeInput> inputs,
                          std::vector<CaseResult> results, SweepPoint& point) {
  if (settings.sandbox == nullptr) return {};
  std::vector<EvalCase> cases;
  std::vector<CaseResult> tested;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].it.tests.empty()) continue;
    cases.push_back(inputs[i].it);
    tested.push_back(std::move(results[i]));
  }
  if (cases.empty()) return {};
  Result<void> judged =
      judge(*settings.sandbox, cases, tested, settings.parallel, [](int) {}, settings.stop);
  if (!judged) return judged;
  point.tested = static_cast<int>(cases.size());
  point.pass_at = summarise(tested).pass_at;
  return {};
}

// What decoding everything once, with the options as given, adds to the analysis.
Result<void> analyse_order(const engine::Model& model, std::span<const AnalyzeInput> inputs,
                           const AnalysisSettings& settings, Analysis& analysis) {
  std::vector<std::vector<int>> orders;
  std::vector<DecodeTrace> all;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool is_example = i == settings.example;
    Result<Decoded> decoded = decode_input(model, settings, settings.decode, inputs[i],
                                           settings.decode.common.seed, is_example);
    if (!decoded) return decoded.error();
    settings.on_done(static_cast<int>(i) + 1);
    if (!decoded->sample.error.empty()) {
      if (is_example) {
        return fail(ErrorCode::InvalidInput, inputs[i].name + ": " + decoded->sample.error);
      }
      analysis.left_out.push_back(inputs[i].name);
      continue;
    }
    if (is_example) {
      analysis.example = analysis.inputs.size();
      analysis.map = map_of(model, decoded->traces.front());
    }
    add_orders(decoded->traces, orders);
    analysis.inputs.push_back(
        {inputs[i].name, text_around(inputs[i]), tokens_of(model, decoded->traces)});
    std::move(decoded->traces.begin(), decoded->traces.end(), std::back_inserter(all));
  }
  analysis.canvases = static_cast<int>(orders.size());
  analysis.ar_ness = engine::ar_ness_means(orders, kLocalKs);
  analysis.first_step = engine::first_step_means(all);
  return {};
}

Result<SweepPoint> sweep_at(const engine::Model& model, std::span<const AnalyzeInput> inputs,
                            const AnalysisSettings& settings, float temperature, int done) {
  SweepPoint point = {.temperature = temperature, .ar_ness = {}, .pass_at = {}};
  DecodeOptions options = settings.decode;
  options.sampling.temperature = temperature;
  std::vector<CaseResult> results;
  std::vector<std::vector<int>> orders;
  for (const AnalyzeInput& input : inputs) {
    CaseResult& result = results.emplace_back(CaseResult{input.name, {}});
    for (int i = 0; i < settings.samples; ++i) {
      const std::uint64_t seed = options.common.seed + static_cast<std::uint64_t>(i);
      Result<Decoded> decoded = decode_input(model, settings, options, input, seed, false);
      if (!decoded) return decoded.error();
      settings.on_done(++done);
      add_orders(decoded->traces, orders);
      result.samples.push_back(std::move(decoded->sample));
    }
  }
  point.ar_ness = engine::ar_ness_means(orders, kLocalKs);
  const Result<void> tested = test_samples(settings, inputs, std::move(results), point);
  if (!tested) return tested.error();
  return point;
}

}  // namespace

int decodes_of(std::size_t inputs, const AnalysisSettings& settings) {
  const std::size_t swept =
      settings.temperatures.size() * static_cast<std::size_t>(settings.samples);
  return static_cast<int>(inputs * (1 + swept));
}

Result<Analysis> analyse(const engine::Model& model, std::span<const AnalyzeInput> inputs,
                         const AnalysisSettings& settings) {
  Analysis analysis;
  const Result<void> decoded = analyse_order(model, inputs, settings, analysis);
  if (!decoded) return decoded.error();
  auto done = static_cast<int>(inputs.size());
  for (const float temperature : settings.temperatures) {
    Result<SweepPoint> point = sweep_at(model, inputs, settings, temperature, done);
    if (!point) return point.error();
    analysis.sweep.push_back(std::move(*point));
    done += static_cast<int>(inputs.size()) * settings.samples;
  }
  return analysis;
}

}  // namespace lacuna::cli
