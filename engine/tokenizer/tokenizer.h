// Text to tokens and back, whatever the model's tokenizer is.
//
// Text is bytes. Invalid UTF-8 is allowed: every byte that is not part of a well-formed sequence
// becomes the token of that one byte, so that nothing is lost and nothing fails.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace lacuna::engine {

struct DecodeOptions {
  bool control_tokens = false;  // give control tokens as their spelling instead of nothing
};

// Immutable after loading: all members may be called from any number of threads at once.
//
// A control token is one that text cannot contain: the mask, end of text, the frame of a chat.
// Every added token counts as one, also those that the model's files call not special
// (<tool_call>): what a user typed must never gain a meaning.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The tokens of a text, and never a control token: "<|mask|>" in it is eight characters. No
  // begin-of-text token is added, whatever the model's template says.
  //
  // Pieces of a text encoded separately give other tokens than the whole text does: a token
  // rarely ends where the text was cut. Byte-level tokenizers whose files ask for it normalise to
  // NFC first, so decode(encode(text)) is the NFC form of text; otherwise it is text itself.
  virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;

  // As encode(), but spellings of control tokens become those tokens, the longest first. For
  // text of our own, such as templates; never for text of a user.
  virtual std::vector<std::int32_t> encode_with_control(std::string_view text) const = 0;

  // The bytes of the tokens. They may begin or end inside a UTF-8 sequence, and are not valid
  // UTF-8 at all when a model chose the tokens: the caller decides what to do about it. Ids that
  // no token has give nothing.
  virtual std::string decode(std::span<const std::int32_t> ids,
                             DecodeOptions options = {}) const = 0;

  // One past the largest id. The model's embedding may have more rows; never use it as a size.
  virtual std::int32_t size() const = 0;

  // True for every id that encode() cannot give: control tokens, unused ones, and ids (of any
  // value) that no token has.
  virtual bool is_control(std::int32_t id) const = 0;

  // The token with this spelling (for ordinary tokens: these bytes). Control tokens win.
  virtual std::optional<std::int32_t> find(std::string_view token) const = 0;
};

// Reads the tokenizer of a model directory: tokenizer.json; else vocab.json with merges.txt; else
// the only *.model file. The first two are byte-level BPE, the last is SentencePiece. Added
// tokens come from the same file and from added_tokens.json, tokenizer_config.json
// (added_tokens_decoder) and special_tokens_map.json, as far as they exist; a special token that
// has an id in none of them is not a token.
//
// NotFound when the folder has no tokenizer. InvalidInput when it has one of a kind that is not
// supported (another normaliser, split or model): it would give other tokens than the published
// one. Corrupt when the files are damaged or contradict each other. The files are not trusted.
Result<std::unique_ptr<Tokenizer>> load_tokenizer(const std::filesystem::path& model_dir);

}  // namespace lacuna::engine
