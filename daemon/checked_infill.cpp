#include "daemon/checked_infill.h"

#include <chrono>
#include <memory>
#include <utility>

#include "daemon/fill_check.h"
#include "daemon/length_priors.h"

namespace lacuna::daemon {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

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
  const Clock::time_point begin = Clock::now();
  if (syntax.grammar != nullptr) {
    const std::vector<grammar::Span> spans = spans_of(request.holes);
    std::vector<grammar::PickedHole> places =
        grammar::describe_holes(*syntax.grammar, request.text, spans);
    // Each of these looks at all of the text: in a long file that takes time.
    if (request.stop.stop_requested()) return fail(ErrorCode::Cancelled, "stopped");
    gate = std::make_unique<grammar::Gate>(*syntax.grammar, request.text, spans);
    if (request.options.length == engine::LengthMode::Probe) {
      request.length_priors = length_priors(model, *syntax.grammar, request.text, places, *gate);
    }
    for (std::size_t i = 0; i < places.size(); ++i) checked.holes[i].place = std::move(places[i]);
    checked.errors_before = gate->errors_before();
    if (request.stop.stop_requested()) return fail(ErrorCode::Cancelled, "stopped");
    if (gate->works() && gate->is_sure() && syntax.constrain) {
      constraint =
          std::make_unique<SyntaxConstraint>(model, *syntax.grammar, request.text, request.holes);
      request.constraint = constraint.get();
    }
  }
  checked.constraint_off = why_unconstrained(syntax, gate.get());
  checked.gate_seconds = std::chrono::duration<double>(Clock::now() - begin).count();

  Result<engine::InfillResult> result = engine::infill(model, request);
  if (!result) return result.error();
  checked.result = std::move(*result);
  if (constraint) checked.constraint = constraint->counts();
  if (!gate || !gate->works()) {
    for (HoleSyntax& hole : checked.holes) hole.reason = checked.constraint_off;
    return checked;
  }
  const Clock::time_point after = Clock::now();
  const double denoising = checked.result.denoise_seconds;
  if (const Result<void> done = check_fills(model, request, syntax, *gate, checked); !done) {
    return done.error();
  }
  checked.gate_seconds += std::chrono::duration<double>(Clock::now() - after).count() -
                          (checked.result.denoise_seconds - denoising);
  return checked;
}

}  // namespace lacuna::daemon
