// How many tokens a hole gets: the regimes that quality is measured in.
#pragma once

#include <string>
#include <string_view>

#include "cli/eval/cases.h"
#include "engine/infill.h"
#include "engine/model.h"

namespace lacuna::cli {

struct LengthRegime {
  enum class Kind : std::uint8_t {
    Fixed,   // the same for every case
    Oracle,  // as many tokens as the reference has: what no user knows
    Auto,    // the model finds it, from the length that fill has by default
  };
  Kind kind = Kind::Fixed;
  int tokens = 0;                                       // Fixed only
  engine::LengthMode mode = engine::LengthMode::Fixed;  // Auto only: Probe or Elastic

  std::string name() const;  // "fixed:16", "oracle", "probe", "elastic"
};

// "fixed:N", "oracle", "probe" or "elastic". InvalidInput for anything else.
Result<LengthRegime> parse_length(std::string_view text);

// The canvas for a case: THE place that says how long a hole is. At least 1.
int canvas_length(const LengthRegime& regime, const EvalCase& it, const engine::Model& model);

}  // namespace lacuna::cli
