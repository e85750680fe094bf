// JSON from files that are not trusted: bounded in size, depth and memory, and without exceptions.
// Only for the sources of this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "support/result.h"

namespace lacuna::engine {

// Receives the two large parts of a tokenizer.json while it is being read, so that they never
// exist as a tree: 150,000 pieces and as many merges. A sink that returns false ends the reading.
struct JsonSinks {
  std::function<bool(std::string& piece, std::int64_t id)> vocab_entry;  // model.vocab
  std::function<bool(std::string& merge)> merge;                         // model.merges
  bool root_is_vocab = false;  // vocab.json: the whole document is what model.vocab is elsewhere
};

// The document, without the parts that went to sinks. Corrupt, with `name` in the message, when
// it is not JSON, too deep (64) or has too many values (a million, the sinks' not counted), or
// when a part for a sink has the wrong type. A merge may be "a b" or ["a", "b"]; the sink gets the
// first form.
Result<nlohmann::json> parse_json(std::string_view text, std::string_view name,
                                  const JsonSinks& sinks = {});

}  // namespace lacuna::engine
