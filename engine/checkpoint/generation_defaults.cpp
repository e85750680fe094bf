#include "engine/checkpoint/generation_defaults.h"

#include <limits>

#include <nlohmann/json.hpp>

#include "engine/checkpoint/json_fields.h"

namespace lacuna::engine {

Result<GenerationDefaults> parse_generation_defaults(std::string_view generation_config_json) {
  constexpr int kMaxCount = 1 << 24;
  constexpr int kMaxId = std::numeric_limits<std::int32_t>::max();
  const Result<nlohmann::json> object = parse_json_object(generation_config_json);
  if (!object) return object.error();

  JsonFields fields(*object);
  GenerationDefaults defaults;
  defaults.steps = fields.optional_int("steps", 1, kMaxCount);
  defaults.max_new_tokens = fields.optional_int("max_new_tokens", 1, kMaxCount);
  defaults.temperature = fields.optional_number("temperature", 0, 100);
  defaults.top_p = fields.optional_number("top_p", 0, 1);
  defaults.top_k = fields.optional_int("top_k", -1, kMaxCount);
  if (defaults.top_k && *defaults.top_k <= 0) defaults.top_k.reset();
  defaults.alg = fields.optional_string("alg");
  defaults.alg_temp = fields.optional_number("alg_temp", 0, 1e6);
  defaults.eps = fields.optional_number("eps", 0, 1);
  defaults.number_transfer_tokens = fields.optional_int("number_transfer_tokens", 1, kMaxCount);
  defaults.expand_budget = fields.optional_int("expand_budget", 0, kMaxCount);
  defaults.mask_token = fields.token_id("mask_token_id", kMaxId);
  defaults.expand_token = fields.token_id("expand_token_id", kMaxId);
  if (fields.error()) return *fields.error();
  return defaults;
}

}  // namespace lacuna::engine
