#include "daemon/checked_infill.h"

#include <memory>
#include <utility>

#include "daemon/fill_check.h"
#include "daemon/length_priors.h"
#include "grammar/gate.h"
#include "support/processor_time.h"

namespace lacuna::daemon {

std::string_view name_of(SyntaxState state) {
  switch (state) {
    case SyntaxState::Unchecked:
      return "unchecked";
    case SyntaxState::Parses:
      return "parses";
    case SyntaxState::NoWorse:
      return "no worse";
    case SyntaxState::Withheld:
      return "withheld";
  }
  return "unchecked";
}

Result<CheckedInfill> checked_infill(const engine::Model& model, engine::InfillRequest request,
                                     const SyntaxOptions& syntax) {
  CheckedInfill checked;
  checked.holes.resize(request.holes.size());
  std::unique_ptr<grammar::Gate> gate;
  std::unique_ptr<SyntaxConstraint> constraint;
  const double begin = thread_seconds();
  if (syntax.grammar != nullptr) {
    const std::vector<grammar::Span> spans = spans_of(request.holes);
    std::vector<grammar::PickedHole> places =
        grammar::describe_holes(*syntax.grammar, request.text, spans);
    // Each of these looks at all of the text: in a long file that takes time.
    if (request.stop.stop_requested()) return fail(ErrorCode::Cancelled, "stopped");
    gate = std::make_unique<grammar::Gate>(*syntax.grammar, request.text, spans,
                                           std::vector<std::string>{}, request.stop);
    if (request.stop.stop_requested()) return fail(ErrorCode::Cancelled, "stopped");
    if (request.options.length == engine::LengthMode::Probe) {
      request.length_priors = length_priors(model, *syntax.grammar, request.text, places, *gate);
    }
    for (std::size_t i = 0; i < places.size(); ++i) checked.holes[i].place = std::move(places[i]);
    checked.errors_before = gate->errors_before();
    if (request.stop.stop_requested()) return fail(ErrorCode::Cancelled, "stopped");
    if (gate->works() && gate->is_sure() && syntax.constrain) {
      constraint = std::make_unique<SyntaxConstraint>(model, *syntax.grammar, *gate, request.stop);
      request.constraint = constraint.get();
    }
  }
  checked.constraint_off = why_unconstrained(syntax, gate.get());
  checked.gate_seconds = thread_seconds() - begin;

  Result<engine::InfillResult> result = engine::infill(model, request);
  if (!result) return result.error();
  checked.result = std::move(*result);
  if (constraint) checked.constraint = constraint->counts();
  if (!gate || !gate->works()) {
    for (HoleSyntax& hole : checked.holes) hole.reason = checked.constraint_off;
    return checked;
  }
  if (const Result<void> done = check_fills(model, request, syntax, *gate, checked); !done) {
    return done.error();
  }
  return checked;
}

}  // namespace lacuna::daemon
