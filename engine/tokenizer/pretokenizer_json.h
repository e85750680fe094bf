// The parts of tokenizer.json that say how text is prepared: normalizer, pre_tokenizer, decoder.
// Only for the sources of this folder.
#pragma once

#include <optional>

#include <nlohmann/json_fwd.hpp>

#include "engine/tokenizer/bpe_spec.h"
#include "support/result.h"

namespace lacuna::engine {

// Fills spec.nfc and spec.patterns from the root object. InvalidInput for a combination that is
// not one of a byte-level BPE as published (see parse_tokenizer_json), Corrupt for wrong types.
std::optional<Error> read_text_rules(const nlohmann::json& root, BpeSpec& spec);

}  // namespace lacuna::engine
