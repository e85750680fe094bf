#include "cli/eval/holes_run.h"

#include <cstdlib>

#include "grammar/layout.h"
#include "grammar/syntax_tree.h"
#include "support/language.h"

namespace lacuna::cli {
namespace {

EvalCase eval_case_of(const HoleCase& hole) {
  EvalCase it;
  it.id = hole.document->name;
  it.prompt = hole.document->text.substr(0, hole.place.begin);
  it.suffix = hole.document->text.substr(hole.place.end);
  it.reference = hole.answer;
  it.language = hole.document->language;
  return it;
}

Result<void> measure_bits(const engine::Model& model, const DecodeOptions& options,
                          const EvalCase& it, HoleResult& result) {
  const Result<AnswerBits> bits = bits_of_reference(model, options, it);
  if (!bits && bits.error().code != ErrorCode::InvalidInput) return bits.error();
  if (!bits) return {};
  result.bits.push_back(bits->bits);
  result.answer_tokens = bits->tokens;
  return {};
}

bool parses(const grammar::Grammar& grammar, std::string_view text) {
  const auto tree = grammar::parse(grammar, text);
  if (!tree || tree->has_error()) return false;
  // Tree-sitter takes a line of Python at any column.
  return grammar.language().name != "python" || grammar::python_layout_errors(text, *tree).empty();
}

void judge_syntax(const EvalCase& it, HoleResult& result) {
  const grammar::Grammar* grammar = grammar::grammar_of(language_named(it.language));
  result.parsed = grammar != nullptr && parses(*grammar, result.asked.document->text);
  for (const Sample& answer : result.answers) {
    result.parses.push_back(
        result.parsed && answer.error.empty() &&
        (answer.exact || parses(*grammar, it.prompt + answer.completion + *it.suffix)));
  }
}

}  // namespace

std::vector<HolesSetting> settings_of(const HolesPlan& plan) {
  std::vector<HolesSetting> settings;
  for (const std::string& copy : plan.copies) {
    for (const LengthRegime& length : plan.lengths) settings.push_back({copy, length});
  }
  return settings;
}

Result<std::vector<HoleResult>> answer_holes(const engine::Model& model, const HolesPlan& plan,
                                             std::span<const HoleCase> cases,
                                             const std::function<void(int)>& on_done,
                                             std::stop_token stop) {
  std::vector<HoleResult> results;
  results.reserve(cases.size());
  DecodeOptions options = plan.options;
  int done = 0;
  for (const HoleCase& asked : cases) {
    HoleResult& result = results.emplace_back(HoleResult{.asked = asked});
    const EvalCase it = eval_case_of(asked);
    for (const std::string& copy : plan.copies) {
      options.copy = copy;
      if (stop.stop_requested()) return fail(ErrorCode::Cancelled, "stopped");
      if (const auto measured = measure_bits(model, options, it, result); !measured) {
        return measured.error();
      }
      for (const LengthRegime& length : plan.lengths) {
        Result<Sample> sample =
            decode(model, options, EvalTask::Infilling, it, canvas_length(length, it, model),
                   length.mode, options.common.seed, stop, nullptr);
        if (!sample) return sample.error();
        result.answers.push_back(std::move(*sample));
        on_done(++done);
      }
    }
    judge_syntax(it, result);
  }
  return results;
}

HolesSummary summarise_holes(const HolesPlan& plan, std::span<const HoleResult> results,
                             std::span<const HoleKind> kinds, std::size_t setting,
                             std::string_view language) {
  const std::size_t copy = setting / plan.lengths.size();
  HolesSummary summary;
  int holes = 0;
  for (const HoleKind kind : kinds) {
    KindSummary& sum = summary.kinds.emplace_back();
    int tokens = 0;
    for (const HoleResult& result : results) {
      if (result.asked.kind != kind) continue;
      if (!language.empty() && result.asked.document->language != language) continue;
      const Sample& sample = result.answers[setting];
      ++sum.holes;
      sum.exact += sample.exact ? 1 : 0;
      sum.did_not_fit += sample.error.empty() ? 0 : 1;
      sum.judged += result.parsed ? 1 : 0;
      sum.parses += result.parses[setting] ? 1 : 0;
      sum.length_error += std::abs(sample.length_error);
      summary.forward_passes += sample.forward_passes;
      summary.seconds += sample.seconds;
      if (copy >= result.bits.size()) continue;
      sum.bits += result.bits[copy];
      tokens += result.answer_tokens;
    }
    holes += sum.holes;
    if (sum.holes > 0) sum.length_error /= sum.holes;
    if (tokens > 0) sum.bits /= tokens;
  }
  if (holes > 0) {
    summary.forward_passes /= holes;
    summary.seconds /= holes;
  }
  return summary;
}

}  // namespace lacuna::cli
