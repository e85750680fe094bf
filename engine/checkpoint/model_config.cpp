#include "engine/checkpoint/model_config.h"

#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/checkpoint/json_fields.h"
#include "engine/checkpoint/quote.h"

namespace lacuna::engine {
namespace {

using nlohmann::json;

// Several times what any published model of this kind has, and small enough that products of two
// sizes are far from overflow.
constexpr int kMaxVocabSize = 1 << 22;
constexpr int kMaxHiddenSize = 1 << 16;
constexpr int kMaxIntermediateSize = 1 << 19;
constexpr int kMaxLayers = 1024;
constexpr int kMaxHeads = 1024;
constexpr int kMaxHeadSize = 256;
constexpr int kMaxPositions = 1 << 24;
constexpr std::size_t kMaxLanguages = 1024;

constexpr std::array kDreamClasses = {"DreamModel", "DreamForCausalLM"};
constexpr std::array kQwen2Classes = {"Qwen2ForCausalLM"};
constexpr std::array kLladaClasses = {"LLaDAModelLM"};

// What the sizes are called in config.json.
struct SizeKeys {
  const char* vocab_size;
  const char* hidden_size;
  const char* intermediate_size;
  const char* layers;
  const char* heads;
  const char* kv_heads;
  const char* max_positions;
};

constexpr SizeKeys kQwen2Keys = {
    .vocab_size = "vocab_size",
    .hidden_size = "hidden_size",
    .intermediate_size = "intermediate_size",
    .layers = "num_hidden_layers",
    .heads = "num_attention_heads",
    .kv_heads = "num_key_value_heads",
    .max_positions = "max_position_embeddings",
};
// vocab_size counts the tokens; the table may have more rows. Without embedding_size it has as many.
constexpr SizeKeys kLladaKeys = {
    .vocab_size = "embedding_size",
    .hidden_size = "d_model",
    .intermediate_size = "mlp_hidden_size",
    .layers = "n_layers",
    .heads = "n_heads",
    .kv_heads = "n_kv_heads",
    .max_positions = "max_sequence_length",
};

void unsupported(JsonFields& fields, std::string_view key, std::string_view rule) {
  fields.refuse(key, rule, ErrorCode::InvalidInput);
}

// `architectures` may be absent. If it is there it must name a class that has a language-model
// head: a Qwen2ForSequenceClassification has the same model_type.
template <std::size_t N>
void check_class(JsonFields& fields, const std::array<const char*, N>& known) {
  const json* classes = fields.find("architectures");
  if (classes == nullptr || (classes->is_array() && classes->empty())) return;
  const json& first = classes->is_array() ? classes->front() : *classes;
  const auto matches = [&](const char* name) { return first == name; };
  if (std::any_of(known.begin(), known.end(), matches)) return;
  const std::string shown =
      first.is_string() ? quote(first.get_ref<const std::string&>()) : "no string";
  fields.refuse(fail(ErrorCode::InvalidInput, "architectures names " + shown + "; for this " +
                                                  "model_type " + known[0] + " is supported"));
}

Architecture read_architecture(JsonFields& fields) {
  const std::string type = fields.optional_string("model_type").value_or("");
  if (type == "Dream" || type == "dream") {
    check_class(fields, kDreamClasses);
    return Architecture::Dream;
  }
  if (type == "qwen2") {
    check_class(fields, kQwen2Classes);
    return Architecture::Qwen2;
  }
  if (type == "llada") {
    check_class(fields, kLladaClasses);
    return Architecture::Llada;
  }
  unsupported(fields, "model_type", "Dream, qwen2 and llada are supported");
  return Architecture::Dream;
}

// Newer configs call the absence of scaling "default"; older ones have no object at all.
void check_rope_type(JsonFields& fields, std::string_view key) {
  constexpr const char* kRule = "only RoPE without scaling is supported";
  const json* rope = fields.find(key);
  if (rope == nullptr) return;
  if (!rope->is_object()) return fields.refuse(key, "it must be an object");
  auto type = rope->find("rope_type");
  if (type == rope->end()) type = rope->find("type");
  if (type == rope->end() && !rope->contains("factor")) return;
  if (type == rope->end()) return unsupported(fields, key, kRule);
  if (*type == "default") return;
  if (!type->is_string()) return unsupported(fields, key, kRule);
  fields.refuse(fail(ErrorCode::InvalidInput, std::string(key) + " has the type " +
                                                  quote(type->get_ref<const std::string&>()) +
                                                  "; " + kRule));
}

// Newer configs keep theta in rope_parameters.
float read_rope(JsonFields& fields) {
  check_rope_type(fields, "rope_scaling");
  check_rope_type(fields, "rope_parameters");
  constexpr double kMinTheta = 1;
  constexpr double kMaxTheta = 1e12;
  const json* parameters = fields.find("rope_parameters");
  if (!fields.has("rope_theta") && parameters != nullptr && parameters->is_object()) {
    JsonFields nested(*parameters, "rope_parameters.");
    const double theta = nested.required_number("rope_theta", kMinTheta, kMaxTheta);
    if (nested.error()) fields.refuse(*nested.error());
    return static_cast<float>(theta);
  }
  return static_cast<float>(fields.required_number("rope_theta", kMinTheta, kMaxTheta));
}

// LLaDA's configuration can name many networks; the published models are one of them.
void refuse_other_llada_networks(JsonFields& fields) {
  const auto must_be = [&](std::string_view key, bool expected) {
    if (fields.bool_or(key, expected) == expected) return;
    unsupported(fields, key, expected ? "only true is supported" : "only false is supported");
  };
  const auto must_name = [&](std::string_view key, const char* expected) {
    if (fields.optional_string(key).value_or(expected) == expected) return;
    unsupported(fields, key, std::string("only '") + expected + "' is supported");
  };
  must_be("rope", true);
  must_be("layer_norm_with_affine", true);
  for (const char* key : {"alibi", "include_bias", "bias_for_layer_norm", "attention_layer_norm",
                          "input_emb_norm", "scale_logits", "multi_query_attention"}) {
    must_be(key, false);
  }
  must_name("block_type", "llama");
  must_name("layer_norm_type", "rms");
  must_name("activation_type", "silu");
  if (fields.optional_int("block_group_size", 1, kMaxLayers).value_or(1) != 1) {
    unsupported(fields, "block_group_size", "only 1 is supported");
  }
}

void refuse_unsupported_features(JsonFields& fields) {
  if (fields.bool_or("use_sliding_window", false)) {
    unsupported(fields, "use_sliding_window", "sliding-window attention is not supported");
  }
  if (fields.bool_or("use_mrope", false)) {
    unsupported(fields, "use_mrope", "multimodal RoPE is not supported");
  }
  if (fields.has("quantization_config")) {
    unsupported(fields, "quantization_config", "only F32, F16 and BF16 weights are supported");
  }
  if (fields.optional_string("hidden_act").value_or("silu") != "silu") {
    unsupported(fields, "hidden_act", "only 'silu' is supported");
  }
  if (const json* types = fields.find("layer_types")) {
    const bool all_full =
        types->is_array() && std::all_of(types->begin(), types->end(),
                                         [](const json& type) { return type == "full_attention"; });
    if (!all_full) unsupported(fields, "layer_types", "only 'full_attention' is supported");
  }
}

void read_sizes(JsonFields& fields, const SizeKeys& keys, ModelConfig& config) {
  config.vocab_size = fields.required_int(keys.vocab_size, 1, kMaxVocabSize);
  config.hidden_size = fields.required_int(keys.hidden_size, 1, kMaxHiddenSize);
  config.intermediate_size = fields.required_int(keys.intermediate_size, 1, kMaxIntermediateSize);
  config.layers = fields.required_int(keys.layers, 1, kMaxLayers);
  config.heads = fields.required_int(keys.heads, 1, kMaxHeads);
  config.kv_heads = fields.optional_int(keys.kv_heads, 1, kMaxHeads).value_or(config.heads);
  config.max_positions = fields.required_int(keys.max_positions, 1, kMaxPositions);

  const std::string heads = std::string(keys.heads) + ", which is " + std::to_string(config.heads);
  const std::string heads_are = std::string(keys.heads) + " " + std::to_string(config.heads);
  if (config.heads % config.kv_heads != 0) {
    fields.refuse(keys.kv_heads, "it must divide " + heads);
  }
  if (const auto head_size = fields.optional_int("head_dim", 2, kMaxHeadSize)) {
    config.head_size = *head_size;
    if (config.head_size % 2 != 0) fields.refuse("head_dim", "RoPE needs an even number");
    if (config.heads * config.head_size > kMaxHiddenSize) {
      fields.refuse("head_dim",
                    "with " + heads_are + " the product exceeds " + std::to_string(kMaxHiddenSize));
    }
    return;
  }
  config.head_size = config.hidden_size / config.heads;
  if (config.hidden_size % config.heads != 0) {
    fields.refuse(keys.hidden_size, "it must be a multiple of " + heads);
  } else if (config.head_size % 2 != 0 || config.head_size > kMaxHeadSize) {
    fields.refuse(keys.hidden_size,
                  "with " + heads_are + " a head has " + std::to_string(config.head_size) +
                      " numbers; it must be even and at most " + std::to_string(kMaxHeadSize));
  }
}

// A key that this version does not know is an error: the files of a newer format may need a
// frame that this version would get wrong.
std::optional<DocumentFormat> read_document_format(JsonFields& fields, int vocab_size) {
  const json* value = fields.find("document_format");
  if (value == nullptr) return {};
  if (!value->is_object()) {
    fields.refuse("document_format", "it must be an object");
    return {};
  }
  JsonFields nested(*value, "document_format.");
  DocumentFormat format;
  format.begin = nested.token_id("begin", vocab_size);
  format.end = nested.token_id("end", vocab_size);
  format.any_language = nested.token_id("any_language", vocab_size);
  for (const auto& [key, unused] : value->items()) {
    if (key == "begin" || key == "end" || key == "any_language" || key == "languages") continue;
    nested.refuse(fail(ErrorCode::InvalidInput, "document_format has the key " + quote(key) +
                                                    ", which this version does not know"));
  }
  if (const json* languages = nested.find("languages")) {
    if (!languages->is_object() || languages->size() > kMaxLanguages) {
      nested.refuse("languages", "it must be an object of token ids");
    } else {
      JsonFields ids(*languages, "document_format.languages.");
      for (const auto& [name, unused] : languages->items()) {
        const auto id = ids.token_id(name, vocab_size);
        if (id) format.languages.emplace(name, *id);
      }
      if (ids.error()) nested.refuse(*ids.error());
    }
  }
  if (nested.error()) fields.refuse(*nested.error());
  return format;
}

// As above, a key that this version does not know is an error: it may say how to read the weights.
std::optional<QuantisedWeights> read_quantisation(JsonFields& fields) {
  constexpr int kMinGroup = 8;
  constexpr int kMaxGroup = 1024;
  const json* value = fields.find("lacuna_quantization");
  if (value == nullptr) return {};
  if (!value->is_object()) {
    fields.refuse("lacuna_quantization", "it must be an object");
    return {};
  }
  JsonFields nested(*value, "lacuna_quantization.");
  QuantisedWeights weights;
  weights.bits = nested.required_int("bits", 1, 64);
  if (weights.bits != 4 && weights.bits != 8) unsupported(nested, "bits", "4 and 8 are supported");
  if (weights.bits == 4) weights.group = nested.required_int("group", kMinGroup, kMaxGroup);
  for (const auto& [key, unused] : value->items()) {
    if (key == "bits" || (key == "group" && weights.bits == 4)) continue;
    nested.refuse(fail(ErrorCode::InvalidInput, "lacuna_quantization has the key " + quote(key) +
                                                    ", which this version does not know"));
  }
  if (nested.error()) fields.refuse(*nested.error());
  return weights;
}

// The id of generation_config.json, which could not be checked there.
std::optional<std::int32_t> adopted_token(JsonFields& fields, std::string_view key,
                                          std::optional<std::int32_t> id, int vocab_size) {
  if (!id || *id < vocab_size) return id;
  fields.refuse(fail(ErrorCode::Corrupt, std::string(key) + " of generation_config.json is " +
                                             std::to_string(*id) + "; token ids go from 0 to " +
                                             std::to_string(vocab_size - 1)));
  return {};
}

void read_tokens(JsonFields& fields, const GenerationDefaults& generation, ModelConfig& config) {
  const auto id = [&](std::string_view key) { return fields.token_id(key, config.vocab_size); };
  const auto adopt = [&](std::string_view key, std::optional<std::int32_t> other) {
    return fields.has(key) ? id(key) : adopted_token(fields, key, other, config.vocab_size);
  };
  config.mask_token = adopt("mask_token_id", generation.mask_token);
  config.pad_token = id("pad_token_id");
  config.bos_token = id("bos_token_id");
  config.eos_token = id("eos_token_id");
  config.expand_token = adopt("expand_token_id", generation.expand_token);
  config.delete_token = id("delete_token_id");
  if (config.expand_token && !config.delete_token) config.delete_token = config.eos_token;
  config.document_format = read_document_format(fields, config.vocab_size);
}

}  // namespace

Result<ModelConfig> parse_model_config(std::string_view config_json,
                                       const GenerationDefaults& generation) {
  const Result<json> object = parse_json_object(config_json);
  if (!object) return object.error();
  JsonFields fields(*object);
  ModelConfig config;
  // What cannot run comes first: the sizes of an unknown kind of model have other names.
  config.architecture = read_architecture(fields);
  const bool llada = config.architecture == Architecture::Llada;
  refuse_unsupported_features(fields);
  if (llada) refuse_other_llada_networks(fields);
  SizeKeys keys = llada ? kLladaKeys : kQwen2Keys;
  if (!fields.has(keys.vocab_size)) keys.vocab_size = "vocab_size";
  read_sizes(fields, keys, config);
  constexpr double kMinEps = 1e-12;
  constexpr double kMaxEps = 0.1;
  config.rms_norm_eps =
      static_cast<float>(fields.required_number("rms_norm_eps", kMinEps, kMaxEps));
  config.rope_theta = read_rope(fields);
  config.tied_embeddings = fields.bool_or(llada ? "weight_tying" : "tie_word_embeddings", false);
  config.qkv_bias = llada ? fields.bool_or("include_qkv_bias", false) : true;
  config.shift_logits = fields.bool_or("logits_shift", !llada);
  read_tokens(fields, generation, config);
  config.quantisation = read_quantisation(fields);
  if (fields.error()) return *fields.error();
  return config;
}

}  // namespace lacuna::engine
