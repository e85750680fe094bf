// JSON from untrusted files. Internal to engine/checkpoint: no public header shows a JSON type.
#pragma once

#include <cstddef>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "support/result.h"

namespace lacuna::engine {

// What a text may cost at most. A value takes up to about 100 bytes of memory once parsed, and
// the destructor of a deeply nested one needs stack.
struct JsonLimits {
  std::size_t max_depth = 32;
  std::size_t max_values = 1'000'000;  // of any kind, at any depth
};

// The whole text as one JSON value. Corrupt for what is not JSON and also for what lenient
// parsers let pass: a key twice in one object (which of the two would count?), NUL bytes, more
// depth or values than the limits. Throws nothing, except when memory runs out.
Result<nlohmann::json> parse_strict_json(std::string_view text, JsonLimits limits = {});

}  // namespace lacuna::engine
