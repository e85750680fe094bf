#include "daemon/checked_alternatives.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "engine/alternatives.h"
#include "grammar/gate.h"
#include "grammar/tidy_fill.h"

namespace lacuna::daemon {
namespace {

using Texts = std::vector<std::string>;

std::vector<grammar::Span> spans_of(std::span<const engine::Hole> holes) {
  std::vector<grammar::Span> spans;
  spans.reserve(holes.size());
  for (const engine::Hole& hole : holes) spans.push_back({hole.begin, hole.end});
  return spans;
}

Texts texts_of(const engine::InfillResult& result) {
  Texts texts;
  texts.reserve(result.fills.size());
  for (const engine::HoleFill& fill : result.fills) texts.push_back(fill.text);
  return texts;
}

bool is_finished(const engine::InfillResult& result) {
  return std::all_of(result.fills.begin(), result.fills.end(),
                     [](const engine::HoleFill& fill) { return fill.masks_left == 0; });
}

// The mean over holes of their mean probability.
float confidence_of(const engine::InfillResult& result) {
  float sum = 0;
  for (const engine::HoleFill& fill : result.fills) sum += fill.mean_probability;
  return result.fills.empty() ? 0 : sum / static_cast<float>(result.fills.size());
}

}  // namespace

Result<std::vector<CheckedInfill>> checked_alternatives(const engine::Model& model,
                                                        const engine::InfillRequest& request,
                                                        const SyntaxOptions& syntax, int number) {
  const std::vector<grammar::Span> spans = spans_of(request.holes);
  std::unique_ptr<grammar::Gate> gate;
  HoleSyntax fits;  // what is true of every hole that is not left out
  fits.reason = "there is no grammar for the language";
  if (syntax.grammar != nullptr) {
    gate = std::make_unique<grammar::Gate>(*syntax.grammar, request.text, spans);
    if (gate->works()) {
      fits.state = gate->is_sure() ? SyntaxState::Parses : SyntaxState::NoWorse;
      fits.reason.clear();
    } else {
      fits.reason = "the parser does not find its way in the file";
      gate.reset();
    }
  }
  engine::AlternativeOptions options{.number = number};
  if (gate && gate->is_sure() && syntax.constrain) {
    options.make_constraint = [&] {
      return std::make_unique<SyntaxConstraint>(model, *syntax.grammar, request.text,
                                                request.holes);
    };
  }
  Result<std::vector<engine::Alternative>> fills =
      engine::infill_alternatives(model, request, options);
  if (!fills) return fills.error();

  std::vector<CheckedInfill> alternatives;
  std::set<Texts> known;  // fills may differ in nothing but what is tidied away
  bool has_own = false;
  for (engine::Alternative& fill : *fills) {
    if (request.stop.stop_requested()) return fail(ErrorCode::Cancelled, "stopped");
    engine::InfillResult& result = fill.result;
    if (!is_finished(result)) continue;
    for (std::size_t i = 0; gate && i < spans.size(); ++i) {
      result.fills[i].text = grammar::tidy_fill(request.text, spans[i], result.fills[i].text);
    }
    if (gate && !gate->judge(texts_of(result)).empty()) continue;
    if (!known.insert(texts_of(result)).second) continue;
    if (&fill == &fills->front()) has_own = true;
    CheckedInfill& checked = alternatives.emplace_back();
    checked.result = std::move(result);
    checked.holes.assign(request.holes.size(), fits);
  }
  std::stable_sort(alternatives.begin() + (has_own ? 1 : 0), alternatives.end(),
                   [](const CheckedInfill& a, const CheckedInfill& b) {
                     return confidence_of(a.result) > confidence_of(b.result);
                   });
  return alternatives;
}

}  // namespace lacuna::daemon
