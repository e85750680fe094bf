#include "daemon/checked_alternatives.h"

#include <memory>
#include <set>
#include <utility>

#include "daemon/fill_check.h"

namespace lacuna::daemon {
namespace {

using Texts = std::vector<std::string>;

Texts texts_of(const engine::InfillResult& result) {
  Texts texts;
  texts.reserve(result.fills.size());
  for (const engine::HoleFill& fill : result.fills) texts.push_back(fill.text);
  return texts;
}

// Why it is not to be shown; empty: nothing.
std::string problem_of(const CheckedInfill& checked) {
  int masks = 0;
  for (const engine::HoleFill& fill : checked.result.fills) masks += fill.masks_left;
  if (masks > 0) return std::to_string(masks) + " tokens are left that the model did not fill";
  for (const HoleSyntax& hole : checked.holes) {
    if (hole.state == SyntaxState::Withheld) return hole.reason;
  }
  return "";
}

}  // namespace

Result<std::vector<CheckedAlternative>> checked_alternatives(const engine::Model& model,
                                                             engine::InfillRequest request,
                                                             const SyntaxOptions& syntax,
                                                             int number) {
  CheckedInfill blank;  // what is the same for all of them
  const auto gate = begin_checks(model, request, syntax, blank);
  if (!gate) return gate.error();
  engine::AlternativeOptions options{.number = number};
  if (*gate && (*gate)->is_sure() && syntax.constrain) {
    options.make_constraint = [&] {
      return std::make_unique<SyntaxConstraint>(model, *syntax.grammar, **gate, request.stop);
    };
  }
  Result<std::vector<engine::Alternative>> fills =
      engine::infill_alternatives(model, request, options);
  if (!fills) return fills.error();

  std::vector<CheckedAlternative> alternatives;
  std::set<Texts> known;
  for (engine::Alternative& fill : *fills) {
    CheckedAlternative it{.sampling = fill.sampling, .checked = blank, .problem = {}};
    it.checked.result = std::move(fill.result);
    if (*gate) {
      request.options.sampling = fill.sampling;  // so that repairs are those of a fill made alone
      const Result<void> done = check_fills(model, request, syntax, **gate, it.checked);
      if (!done) return done.error();
    }
    it.problem = problem_of(it.checked);
    // Fills may differ in nothing but what has been tidied away or written again.
    const bool is_new = !it.problem.empty() || known.insert(texts_of(it.checked.result)).second;
    if (is_new) alternatives.push_back(std::move(it));
  }
  return alternatives;
}

}  // namespace lacuna::daemon
