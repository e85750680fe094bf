// Byte-level BPE as in GPT-2, Qwen2.5, Llama 3: normalise, split into words, merge bytes.
#pragma once

#include <memory>

#include "engine/tokenizer/bpe_spec.h"
#include "engine/tokenizer/tokenizer.h"
#include "support/result.h"

namespace lacuna::engine {

// Corrupt when the parts of `spec` contradict each other (BpeModel::build), InvalidInput for a
// split pattern that is not supported (make_regex_splitter). An empty `patterns` does not split.
Result<std::unique_ptr<Tokenizer>> make_bpe_tokenizer(const BpeSpec& spec);

}  // namespace lacuna::engine
