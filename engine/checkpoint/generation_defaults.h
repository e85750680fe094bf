// A model's own settings for generation: generation_config.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "support/result.h"

namespace lacuna::engine {

// What the file sets; everything else is left to the caller's defaults. The names are those of
// the published samplers (Dream, DreamOn).
struct GenerationDefaults {
  std::optional<int> steps;
  std::optional<int> max_new_tokens;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<int> top_k;        // 0 and -1 mean off and are left unset
  std::optional<std::string> alg;  // not checked: the sampler knows its names
  std::optional<double> alg_temp;
  std::optional<double> eps;
  std::optional<int> number_transfer_tokens;  // DreamOn: commits for each step
  std::optional<int> expand_budget;           // DreamOn

  // Used by parse_model_config() when config.json names none; checked there against the
  // vocabulary, whose size this file does not know.
  std::optional<std::int32_t> mask_token;
  std::optional<std::int32_t> expand_token;
};

// Reads the text of a generation_config.json. Unknown keys are ignored, null is unset; Corrupt
// for a value out of range, naming the key and the value.
Result<GenerationDefaults> parse_generation_defaults(std::string_view generation_config_json);

}  // namespace lacuna::engine
