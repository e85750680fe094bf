#include "cli/eval/decode.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "cli/fill.h"
#include "daemon/length_priors.h"
#include "engine/generate.h"
#include "engine/infill.h"
#include "engine/likelihood.h"

namespace lacuna::cli {
namespace {

using Clock = std::chrono::steady_clock;

// `text` is that of the case without its reference; it must outlive the request.
Result<engine::InfillRequest> request_of(const EvalCase& it, std::string_view text,
                                         const engine::InfillOptions& options) {
  engine::InfillRequest request;
  request.text = text;
  request.holes = {{.begin = it.prompt.size(), .end = it.prompt.size(), .tokens = {}, .hint = {}}};
  if (const auto ok = engine::check_and_sort(text, request.holes); !ok) return ok.error();
  const Language* language = language_named(it.language);
  if (language != nullptr) {
    request.language = language->model_name;
    request.line_comment = language->line_comment;
  }
  request.options = options;
  return request;
}

Result<void> infill_case(const engine::Model& model, const engine::InfillOptions& options,
                         const EvalCase& it, std::stop_token stop, engine::TraceRecorder* recorder,
                         Sample& sample) {
  const std::string text = it.prompt + *it.suffix;
  Result<engine::InfillRequest> made = request_of(it, text, options);
  if (!made) return made.error();
  engine::InfillRequest& request = *made;
  request.stop = std::move(stop);
  const grammar::Grammar* grammar = grammar::grammar_of(language_named(it.language));
  if (grammar != nullptr && !options.exact && options.length == engine::LengthMode::Probe) {
    request.length_priors = daemon::length_priors(model, *grammar, text, request.holes);
  }
  if (recorder != nullptr) {
    request.on_denoise = [&](std::span<const engine::CanvasHole> holes,
                             const engine::StepEvent& event) { recorder->step(holes, event); };
  }
  Result<engine::InfillResult> result = engine::infill(model, request);
  if (!result) return result.error();
  sample.completion = std::move(result->fills[0].text);
  sample.committed = static_cast<int>(result->commits.size());
  sample.forward_passes = result->forward_passes;
  return {};
}

Result<void> continue_case(const engine::Model& model, const engine::InfillOptions& options,
                           const EvalCase& it, std::stop_token stop,
                           engine::TraceRecorder* recorder, Sample& sample) {
  auto prompt = engine::encode_prompt(model, it.prompt, std::nullopt);
  if (!prompt) return prompt.error();
  engine::GenerateRequest request;
  request.prompt = std::move(*prompt);
  request.max_new_tokens = sample.canvas_tokens;
  request.sampling = options.sampling;
  if (options.steps_per_token > 0) request.sampling.steps = sample.canvas_tokens;
  request.exact = options.exact;
  request.cache = options.cache;
  request.stop = std::move(stop);
  const engine::CanvasHole hole = {.hole_idx = 0,
                                   .begin = static_cast<int>(request.prompt.size()),
                                   .length = sample.canvas_tokens};
  request.on_step = [&](const engine::StepEvent& event) {
    sample.committed += static_cast<int>(event.commits.size());
    if (recorder != nullptr) recorder->step({&hole, 1}, event);
  };
  Result<engine::GenerateResult> result = engine::generate(model, request);
  if (!result) return result.error();
  sample.completion = std::move(result->text);
  sample.forward_passes = result->forward_passes;
  return {};
}

engine::InfillOptions infill_options_of(const DecodeOptions& options, int length,
                                        engine::LengthMode mode, std::uint64_t seed) {
  FillOptions fill;
  fill.common = options.common;
  fill.common.seed = seed;
  fill.sampling = options.sampling;
  fill.tokens = length;
  fill.length = engine::name_of(mode);
  fill.copy = options.copy;
  fill.finalists = options.finalists;
  return infill_options(fill);
}

}  // namespace

Result<Sample> decode(const engine::Model& model, const DecodeOptions& options, EvalTask task,
                      const EvalCase& it, int length, engine::LengthMode mode, std::uint64_t seed,
                      std::stop_token stop, engine::TraceRecorder* recorder) {
  const engine::InfillOptions infill = infill_options_of(options, length, mode, seed);
  Sample sample;
  sample.canvas_tokens = length;
  const Clock::time_point begin = Clock::now();
  const Result<void> done =
      it.suffix ? infill_case(model, infill, it, std::move(stop), recorder, sample)
                : continue_case(model, infill, it, std::move(stop), recorder, sample);
  sample.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  if (!done && done.error().code != ErrorCode::InvalidInput) return done.error();
  if (!done) sample.error = done.error().message;
  sample.completion = cut(task, std::move(sample.completion));
  const engine::Tokenizer& tokenizer = *model.tokenizer();
  sample.tokens = static_cast<int>(tokenizer.encode(sample.completion).size());
  sample.length_error = sample.tokens - static_cast<int>(tokenizer.encode(it.reference).size());
  sample.exact = sample.error.empty() && sample.completion == it.reference;
  return sample;
}

Result<AnswerBits> bits_of_reference(const engine::Model& model, const DecodeOptions& options,
                                     const EvalCase& it) {
  // A probability below this is as good as none.
  constexpr double kLeast = 1e-12;
  const std::string text = it.prompt + *it.suffix;
  const Result<engine::InfillRequest> request =
      request_of(it, text, infill_options_of(options, 1, engine::LengthMode::Fixed, 0));
  if (!request) return request.error();
  const auto probabilities = engine::answer_probabilities(model, *request, it.reference);
  if (!probabilities) return probabilities.error();
  AnswerBits found = {.bits = 0, .tokens = static_cast<int>(probabilities->size())};
  for (const float p : *probabilities) found.bits -= std::log2(std::max<double>(p, kLeast));
  return found;
}

}  // namespace lacuna::cli
