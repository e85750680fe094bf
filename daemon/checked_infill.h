// A fill that is checked: the constraint while it denoises, the final gate afterwards, repairs, and
// what had to be withheld.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/syntax_constraint.h"
#include "engine/infill.h"
#include "grammar/grammar.h"
#include "grammar/holes.h"

namespace lacuna::daemon {

struct SyntaxOptions {
  const grammar::Grammar* grammar = nullptr;  // null: nothing is checked
  bool constrain = true;                      // each step, not only those of repairs
  int repairs = 2;                            // rounds
};

enum class SyntaxState : std::uint8_t {
  Unchecked,  // no grammar, or the parser is lost in the file
  Parses,
  NoWorse,   // the text around is broken in a way that no simple fill cures; no error was added
  Withheld,  // no fill was found that parses: the hole keeps its text
};

std::string_view name_of(SyntaxState state);  // "unchecked", "parses", "no worse", "withheld"

struct HoleSyntax {
  SyntaxState state = SyntaxState::Unchecked;
  std::string reason;         // why unchecked or withheld; else empty
  int repairs = 0;            // rounds that wrote a part of it again
  int repeated = 0;           // bytes at its end that were removed because they follow anyway
  grammar::PickedHole place;  // what stands there; empty without a grammar
};

struct CheckedInfill {
  engine::InfillResult result;  // its fills are the final ones; a withheld hole has its own text
  std::vector<HoleSyntax> holes;
  SyntaxCounts constraint;     // zeros when it was off
  std::string constraint_off;  // why the constraint was off; empty when it was on
  int errors_before = 0;       // of the file, that do not count
  double gate_seconds = 0;     // of processor time, without that of the repairs' fills
};

// engine::infill() with syntax. The request's constraint, if any, is replaced when the options say so.
Result<CheckedInfill> checked_infill(const engine::Model& model, engine::InfillRequest request,
                                     const SyntaxOptions& syntax);

}  // namespace lacuna::daemon
