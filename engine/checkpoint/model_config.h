// What kind of network a model directory holds: config.json, read and checked.
//
// To support another architecture: add it to Architecture, recognise its model_type in
// parse_model_config(), give its tensor names in bind_tensors.cpp, and add a row to the tables of
// model_config_test.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "engine/checkpoint/generation_defaults.h"
#include "support/result.h"

namespace lacuna::engine {

enum class Architecture : std::uint8_t {
  Dream,  // Dream, DiffuCoder, Dream-Coder, DreamOn, and our own models
  Qwen2,  // the same layers under Qwen2's name, run without a causal mask: Open-dCoder
  Llada,  // LLaDA: other names for the same layers, no biases, logits not shifted
};

// How our own models frame a file in the canvas: begin, a language token, text, end.
// config.json's key "document_format"; models of others have none.
struct DocumentFormat {
  std::optional<std::int32_t> begin;
  std::optional<std::int32_t> end;
  std::optional<std::int32_t> any_language;  // for a language that `languages` does not name
  std::map<std::string, std::int32_t> languages;
};

// Weights stored as integers: config.json's key "lacuna_quantization". Matrices of layers have
// `bits`, embedding and head always 8; norms and biases are floats.
struct QuantisedWeights {
  int bits = 8;   // 8 or 4
  int group = 0;  // of 4 bits: how many numbers share a step and an offset
};

// Sizes and constants of the network. After parse_model_config() all of it is consistent: sizes
// are positive, heads * head_size fits 17 bits, hidden_size times any other size is at most 2^40,
// and every token id is in [0, vocab_size).
struct ModelConfig {
  Architecture architecture = Architecture::Dream;
  int vocab_size = 0;  // rows of the embedding; a tokenizer may use fewer
  int hidden_size = 0;
  int intermediate_size = 0;
  int layers = 0;
  int heads = 0;
  int kv_heads = 0;   // divides heads
  int head_size = 0;  // even, at most 256; heads * head_size may differ from hidden_size
  int max_positions = 0;
  float rms_norm_eps = 0;
  float rope_theta = 0;
  bool tied_embeddings = false;
  bool qkv_bias = true;  // always, but for LLaDA
  // Row i of the logits predicts position i + 1 (models grown from autoregressive ones). False for
  // LLaDA, true for the others unless the key "logits_shift" says otherwise.
  bool shift_logits = true;

  // Of a list of ids (eos_token_id may be one) the first. An absent mask_token may still be found
  // in the tokenizer, by its text.
  std::optional<std::int32_t> mask_token;
  std::optional<std::int32_t> pad_token;
  std::optional<std::int32_t> bos_token;
  std::optional<std::int32_t> eos_token;
  std::optional<std::int32_t> expand_token;  // one mask becomes two (DreamOn, our own)
  // A mask vanishes. "delete_token_id"; with an expand token but without that key it is
  // eos_token, as in DreamOn.
  std::optional<std::int32_t> delete_token;

  std::optional<DocumentFormat> document_format;
  std::optional<QuantisedWeights> quantisation;
};

// Reads the text of a config.json; unknown keys are ignored. Corrupt for a value that makes no
// sense, InvalidInput for a model that Lacuna cannot run (another model_type, RoPE scaling,
// sliding windows, quantisation that is not our own). The message names the key and its value.
// Of `generation` only the mask and expand token are used, where config.json has none.
Result<ModelConfig> parse_model_config(std::string_view config_json,
                                       const GenerationDefaults& generation = {});

}  // namespace lacuna::engine
