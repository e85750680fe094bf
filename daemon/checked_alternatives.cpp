#include "daemon/checked_alternatives.h"

#include <memory>
#include <set>
#include <utility>

#include "daemon/length_priors.h"
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

int masks_left(const engine::InfillResult& result) {
  int masks = 0;
  for (const engine::HoleFill& fill : result.fills) masks += fill.masks_left;
  return masks;
}

void tidy(std::string_view text, std::span<const grammar::Span> spans,
          engine::InfillResult& result) {
  for (std::size_t i = 0; i < spans.size(); ++i) {
    result.fills[i].text = grammar::tidy_fill(text, spans[i], result.fills[i].text);
  }
}

}  // namespace

Result<std::vector<CheckedAlternative>> checked_alternatives(const engine::Model& model,
                                                             engine::InfillRequest request,
                                                             const SyntaxOptions& syntax,
                                                             int number) {
  const std::vector<grammar::Span> spans = spans_of(request.holes);
  std::unique_ptr<grammar::Gate> gate;
  if (syntax.grammar != nullptr) {
    gate = std::make_unique<grammar::Gate>(*syntax.grammar, request.text, spans, Texts{},
                                           request.stop);
    if (request.stop.stop_requested()) return fail(ErrorCode::Cancelled, "stopped");
    if (request.options.length == engine::LengthMode::Probe) {
      request.length_priors =
          length_priors(model, *syntax.grammar, request.text,
                        grammar::describe_holes(*syntax.grammar, request.text, spans), *gate);
    }
    if (!gate->works()) gate.reset();
  }
  engine::AlternativeOptions options{.number = number};
  if (gate && gate->is_sure() && syntax.constrain) {
    options.make_constraint = [&] {
      return std::make_unique<SyntaxConstraint>(model, *syntax.grammar, *gate, request.stop);
    };
  }
  Result<std::vector<engine::Alternative>> fills =
      engine::infill_alternatives(model, request, options);
  if (!fills) return fills.error();

  std::vector<CheckedAlternative> alternatives;
  std::set<Texts> known;
  for (engine::Alternative& fill : *fills) {
    if (request.stop.stop_requested()) return fail(ErrorCode::Cancelled, "stopped");
    CheckedAlternative it{.fill = std::move(fill), .syntax = {}, .problem = {}};
    if (const int masks = masks_left(it.fill.result); masks > 0) {
      it.problem = std::to_string(masks) + " tokens are left that the model did not fill";
    } else if (gate) {
      tidy(request.text, spans, it.fill.result);
      const std::vector<grammar::Problem> problems = gate->judge(texts_of(it.fill.result));
      it.syntax = gate->is_sure() ? SyntaxState::Parses : SyntaxState::NoWorse;
      if (!problems.empty()) {
        it.syntax = SyntaxState::Withheld;
        it.problem = problems.front().what;
      }
    }
    // Fills may differ in nothing but what has just been tidied away.
    if (known.insert(texts_of(it.fill.result)).second) alternatives.push_back(std::move(it));
  }
  return alternatives;
}

}  // namespace lacuna::daemon
