// SentencePiece models through libsentencepiece.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/tokenizer/added_tokens.h"
#include "engine/tokenizer/tokenizer.h"
#include "support/result.h"

namespace lacuna::engine {

// `model` is the content of a .model file, not trusted; `added` are tokens of other files.
//
// decode(encode(text)) is text, byte for byte, also for U+2581 (which these models use for the
// space) and for bytes that are not UTF-8: both are encoded as byte pieces. Models that put a
// blank before every text (add_dummy_prefix) are the exception: decode() drops one leading blank,
// as the library does.
//
// Corrupt for a damaged model. InvalidInput for one that cannot give every text back: a model
// without byte pieces, or one that normalises or drops blanks.
Result<std::unique_ptr<Tokenizer>> make_sentencepiece_tokenizer(std::string model,
                                                                std::vector<AddedToken> added);

}  // namespace lacuna::engine
