// The formats of tokenizer files, each read from its bytes. Nothing here opens a file, so that
// tests and the fuzzer can enter with any bytes.
//
// Errors: Corrupt for damaged files, InvalidInput for features that are not supported.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/tokenizer/added_tokens.h"
#include "engine/tokenizer/bpe_spec.h"
#include "support/result.h"

namespace lacuna::engine {

// tokenizer.json. What must be there: a BPE model with all its bytes in the vocabulary, no
// normaliser or NFC, and a pre-tokenizer that ends in ByteLevel, with any number of isolating
// Splits or Digits before it. The post-processor is not looked at: templates are not encode()'s.
Result<BpeSpec> parse_tokenizer_json(std::string_view text);

// vocab.json with merges.txt. They do not say how to normalise and split: `tokenizer_class` of
// tokenizer_config.json does, and empty means Qwen2, the only family of ours that ships so.
Result<BpeSpec> parse_vocab_and_merges(std::string_view vocab_json, std::string_view merges_txt,
                                       std::string_view tokenizer_class);

// added_tokens.json: {"<|mask|>": 151666, ...}.
Result<std::vector<AddedToken>> parse_added_tokens(std::string_view text);

struct TokenizerConfig {
  std::string tokenizer_class;    // empty when missing
  std::vector<AddedToken> added;  // added_tokens_decoder
};
Result<TokenizerConfig> parse_tokenizer_config(std::string_view text);

// The spellings in special_tokens_map.json. They have no ids there.
Result<std::vector<std::string>> parse_special_tokens_map(std::string_view text);

// Adds the tokens of another file that are not in `tokens` yet. Corrupt when one has the same
// spelling with another id; the same id twice is found later, by the vocabulary.
Result<void> add_tokens(std::vector<AddedToken> more, std::string_view name,
                        std::vector<AddedToken>& tokens);

}  // namespace lacuna::engine
