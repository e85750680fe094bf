#include "daemon/checked_infill.h"

#include <memory>
#include <utility>

#include "daemon/fill_check.h"
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
  const double begin = thread_seconds();
  const auto gate = begin_checks(model, request, syntax, checked);
  if (!gate) return gate.error();
  std::unique_ptr<SyntaxConstraint> constraint;
  if (*gate && (*gate)->is_sure() && syntax.constrain) {
    constraint = std::make_unique<SyntaxConstraint>(model, *syntax.grammar, **gate, request.stop);
    request.constraint = constraint.get();
  }
  checked.gate_seconds = thread_seconds() - begin;

  Result<engine::InfillResult> result = engine::infill(model, request);
  if (!result) return result.error();
  checked.result = std::move(*result);
  if (constraint) checked.constraint = constraint->counts();
  if (!*gate) return checked;
  if (const auto done = check_fills(model, request, syntax, **gate, checked); !done) {
    return done.error();
  }
  return checked;
}

}  // namespace lacuna::daemon
