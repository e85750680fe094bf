#include "engine/checkpoint/model_config.h"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/helpers/tiny_model.h"

namespace lacuna::engine {
namespace {

using nlohmann::json;

// A good config.json with some keys changed: R"({"hidden_size": 0, "head_dim": 32})". A key with
// the value "<remove>" goes.
std::string config_with(const std::string& changes) {
  json config = json::parse(test::make_tiny_model().config_json);
  const json changed = json::parse(changes);
  for (const auto& [key, value] : changed.items()) {
    if (value == "<remove>") {
      config.erase(key);
    } else {
      config[key] = value;
    }
  }
  return config.dump();
}

ModelConfig accepted(const std::string& changes) {
  const auto config = parse_model_config(config_with(changes));
  EXPECT_TRUE(config.has_value()) << changes << ": " << config.error().message;
  return config ? *config : ModelConfig{};
}

void check_refused(const std::string& config_json, ErrorCode code, const std::string& message) {
  const auto config = parse_model_config(config_json);
  ASSERT_FALSE(config.has_value()) << config_json;
  EXPECT_EQ(config.error().message, message);
  EXPECT_EQ(config.error().code, code) << message;
}

TEST(ModelConfigTest, ReadsTheConfigOfDiffuCoder) {
  const auto config = parse_model_config(R"({
    "architectures": ["DreamModel"], "attention_dropout": 0.0,
    "auto_map": {"AutoConfig": "configuration_dream.DreamConfig"},
    "bos_token_id": 151643, "eos_token_id": 151643, "hidden_act": "silu",
    "hidden_size": 3584, "initializer_range": 0.02, "intermediate_size": 18944,
    "mask_token_id": 151666, "max_position_embeddings": 131072, "max_window_layers": 28,
    "model_type": "Dream", "num_attention_heads": 28, "num_hidden_layers": 28,
    "num_key_value_heads": 4, "pad_token_id": 151643, "rms_norm_eps": 1e-06,
    "rope_scaling": null, "rope_theta": 1000000.0, "sliding_window": null,
    "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.46.2",
    "use_cache": true, "use_mrope": false, "use_sliding_window": false, "vocab_size": 152064})");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->architecture, Architecture::Dream);
  EXPECT_EQ(config->vocab_size, 152064);
  EXPECT_EQ(config->hidden_size, 3584);
  EXPECT_EQ(config->intermediate_size, 18944);
  EXPECT_EQ(config->layers, 28);
  EXPECT_EQ(config->heads, 28);
  EXPECT_EQ(config->kv_heads, 4);
  EXPECT_EQ(config->head_size, 128);
  EXPECT_EQ(config->max_positions, 131072);
  EXPECT_EQ(config->rms_norm_eps, 1e-6F);
  EXPECT_EQ(config->rope_theta, 1e6F);
  EXPECT_TRUE(config->qkv_bias && config->shift_logits && !config->tied_embeddings);
  EXPECT_EQ(config->mask_token, 151666);
  EXPECT_EQ(config->pad_token, 151643);
  EXPECT_FALSE(config->expand_token || config->delete_token || config->document_format);
}

TEST(ModelConfigTest, ReadsAQwen2ConfigWithoutAMask) {
  const auto config = parse_model_config(R"({
    "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
    "eos_token_id": [151645, 151643], "hidden_act": "silu", "hidden_size": 896,
    "initializer_range": 0.02, "intermediate_size": 4864, "layer_types": ["full_attention"],
    "max_position_embeddings": 32768, "max_window_layers": 24, "model_type": "qwen2",
    "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768,
    "tie_word_embeddings": true, "use_sliding_window": false, "vocab_size": 151936})");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->architecture, Architecture::Qwen2);
  EXPECT_TRUE(config->tied_embeddings && config->qkv_bias && config->shift_logits);
  EXPECT_EQ(config->head_size, 64);
  EXPECT_EQ(config->eos_token, 151645);
  EXPECT_FALSE(config->mask_token);
}

// LLaDA-8B's config.json, with some keys changed.
std::string llada_config(const std::string& changes) {
  json config = json::parse(R"({
    "activation_type": "silu", "alibi": false, "architectures": ["LLaDAModelLM"],
    "attention_dropout": 0.0, "attention_layer_norm": false,
    "bias_for_layer_norm": false, "block_group_size": 1, "block_type": "llama", "d_model": 4096,
    "embedding_size": 126464, "eos_token_id": 126081, "include_bias": false,
    "include_qkv_bias": false, "input_emb_norm": false, "layer_norm_type": "rms",
    "layer_norm_with_affine": true, "mask_token_id": 126336, "max_sequence_length": 4096,
    "mlp_hidden_size": 12288, "mlp_ratio": 4, "model_type": "llada", "multi_query_attention": null,
    "n_heads": 32, "n_kv_heads": 32, "n_layers": 32, "pad_token_id": 126081,
    "rms_norm_eps": 1e-05, "rope": true, "rope_full_precision": true, "rope_theta": 500000.0,
    "scale_logits": false, "use_cache": false, "vocab_size": 126464, "weight_tying": false})");
  config.update(json::parse(changes));
  return config.dump();
}

TEST(ModelConfigTest, ReadsTheConfigOfLlada) {
  const auto config = parse_model_config(llada_config(R"({"vocab_size": 126000})"));
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->architecture, Architecture::Llada);
  EXPECT_EQ(config->vocab_size, 126464);
  EXPECT_EQ(config->hidden_size, 4096);
  EXPECT_EQ(config->intermediate_size, 12288);
  EXPECT_EQ(config->layers, 32);
  EXPECT_EQ(config->heads, 32);
  EXPECT_EQ(config->kv_heads, 32);
  EXPECT_EQ(config->head_size, 128);
  EXPECT_EQ(config->max_positions, 4096);
  EXPECT_EQ(config->rms_norm_eps, 1e-5F);
  EXPECT_EQ(config->rope_theta, 5e5F);
  EXPECT_FALSE(config->qkv_bias || config->shift_logits || config->tied_embeddings);
  EXPECT_EQ(config->mask_token, 126336);
  const auto without = parse_model_config(
      llada_config(R"({"embedding_size": null, "n_kv_heads": null, "include_qkv_bias": true})"));
  ASSERT_TRUE(without.has_value()) << without.error().message;
  EXPECT_EQ(without->vocab_size, 126464);
  EXPECT_EQ(without->kv_heads, 32);
  EXPECT_TRUE(without->qkv_bias);
}

TEST(ModelConfigTest, SaysWhichLladaNetworkItCannotRun) {
  for (const auto& [change, message] : std::map<std::string, std::string>{
           {R"({"alibi": true})", "alibi is true; only false is supported"},
           {R"({"rope": false})", "rope is false; only true is supported"},
           {R"({"include_bias": true})", "include_bias is true; only false is supported"},
           {R"({"block_type": "sequential"})",
            "block_type is 'sequential'; only 'llama' is supported"},
           {R"({"layer_norm_type": "default"})",
            "layer_norm_type is 'default'; only 'rms' is supported"},
           {R"({"activation_type": "gelu"})",
            "activation_type is 'gelu'; only 'silu' is supported"},
           {R"({"block_group_size": 4})", "block_group_size is 4; only 1 is supported"},
       }) {
    check_refused(llada_config(change), ErrorCode::InvalidInput, message);
  }
  check_refused(llada_config(R"({"n_kv_heads": 5})"), ErrorCode::Corrupt,
                "n_kv_heads is 5; it must divide n_heads, which is 32");
  check_refused(llada_config(R"({"d_model": null})"), ErrorCode::Corrupt,
                "the key d_model is missing");
}

TEST(ModelConfigTest, OurKeysChangeWhatTheArchitectureSays) {
  EXPECT_FALSE(accepted(R"({"logits_shift": false})").shift_logits);
  EXPECT_FALSE(accepted(R"({"model_type": "qwen2", "architectures": null, "logits_shift": false})")
                   .shift_logits);
  EXPECT_EQ(accepted(R"({"head_dim": 32})").head_size, 32);
  EXPECT_EQ(accepted(R"({"num_key_value_heads": "<remove>"})").kv_heads, 4);
}

TEST(ModelConfigTest, RopeThetaMayStandInRopeParameters) {
  const auto config = accepted(R"({"rope_theta": "<remove>", "rope_scaling": {"type": "default"},
    "rope_parameters": {"rope_theta": 500000, "rope_type": "default"}})");
  EXPECT_EQ(config.rope_theta, 5e5F);
}

TEST(ModelConfigTest, TokensAreANumberAListOrNothing) {
  const auto config = accepted(R"({"mask_token_id": null, "pad_token_id": [], "bos_token_id": 0,
    "eos_token_id": [7, 3], "expand_token_id": 4, "delete_token_id": 2})");
  EXPECT_FALSE(config.mask_token);
  EXPECT_FALSE(config.pad_token);
  EXPECT_EQ(config.bos_token, 0);
  EXPECT_EQ(config.eos_token, 7);
  EXPECT_EQ(config.expand_token, 4);
  EXPECT_EQ(config.delete_token, 2);
}

TEST(ModelConfigTest, AModelThatExpandsDeletesByEos) {
  EXPECT_EQ(accepted(R"({"expand_token_id": 4, "eos_token_id": 3})").delete_token, 3);
  EXPECT_FALSE(accepted(R"({"eos_token_id": 3})").delete_token);
}

TEST(ModelConfigTest, GenerationConfigFillsInTheMask) {
  GenerationDefaults generation;
  generation.mask_token = 11;
  generation.expand_token = 12;
  const std::string without = config_with(R"({"mask_token_id": "<remove>", "eos_token_id": 3})");
  const auto adopted = parse_model_config(without, generation);
  ASSERT_TRUE(adopted.has_value());
  EXPECT_EQ(adopted->mask_token, 11);
  EXPECT_EQ(adopted->expand_token, 12);
  EXPECT_EQ(adopted->delete_token, 3);
  EXPECT_EQ(parse_model_config(config_with(R"({"mask_token_id": 1})"), generation)->mask_token, 1);

  generation.mask_token = 48;
  const auto refused = parse_model_config(without, generation);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message,
            "mask_token_id of generation_config.json is 48; token ids go from 0 to 47");
}

TEST(ModelConfigTest, ReadsTheDocumentFormatOfOurModels) {
  const auto config = accepted(R"({"document_format": {"begin": 5, "end": 3, "any_language": 6,
    "languages": {"python": 7, "c++": 8, "c\u0000": 9}}})");
  ASSERT_TRUE(config.document_format.has_value());
  EXPECT_EQ(config.document_format->begin, 5);
  EXPECT_EQ(config.document_format->end, 3);
  EXPECT_EQ(config.document_format->any_language, 6);
  EXPECT_EQ(
      config.document_format->languages,
      (std::map<std::string, std::int32_t>{{"python", 7}, {"c++", 8}, {std::string("c\0", 2), 9}}));
  EXPECT_TRUE(accepted(R"({"document_format": {}})").document_format.has_value());
  EXPECT_FALSE(accepted(R"({"document_format": null})").document_format.has_value());
}

TEST(ModelConfigTest, SaysWhichFeatureItCannotRun) {
  const struct {
    const char* changes;
    const char* message;
  } cases[] = {
      {R"({"model_type": "llada"})",
       "architectures names 'DreamModel'; for this model_type LLaDAModelLM is supported"},
      {R"({"model_type": "llama"})", "model_type is 'llama'; Dream, qwen2 and llada are supported"},
      {R"({"model_type": "<remove>"})",
       "model_type is absent; Dream, qwen2 and llada are supported"},
      {R"({"architectures": ["Qwen2ForCausalLM"]})",
       "architectures names 'Qwen2ForCausalLM'; for this model_type DreamModel is supported"},
      {R"({"model_type": "qwen2", "architectures": ["Qwen2ForSequenceClassification"]})",
       "architectures names 'Qwen2ForSequenceClassification'; for this model_type "
       "Qwen2ForCausalLM is supported"},
      {R"({"architectures": [1]})",
       "architectures names no string; for this model_type DreamModel is supported"},
      {R"({"rope_scaling": {"type": "yarn", "factor": 4.0}})",
       "rope_scaling has the type 'yarn'; only RoPE without scaling is supported"},
      {R"({"rope_scaling": {"rope_type": 1}})",
       "rope_scaling is an object; only RoPE without scaling is supported"},
      {R"({"rope_scaling": {"factor": 2.0}})",
       "rope_scaling is an object; only RoPE without scaling is supported"},
      {R"({"rope_parameters": {"rope_type": "linear"}})",
       "rope_parameters has the type 'linear'; only RoPE without scaling is supported"},
      {R"({"use_sliding_window": true})",
       "use_sliding_window is true; sliding-window attention is not supported"},
      {R"({"use_mrope": true})", "use_mrope is true; multimodal RoPE is not supported"},
      {R"({"hidden_act": "gelu"})", "hidden_act is 'gelu'; only 'silu' is supported"},
      {R"({"quantization_config": {"bits": 4}})",
       "quantization_config is an object; only F32, F16 and BF16 weights are supported"},
      {R"({"layer_types": ["full_attention", "sliding_attention"]})",
       "layer_types is a list; only 'full_attention' is supported"},
      {R"({"document_format": {"start": 5}})",
       "document_format has the key 'start', which this version does not know"},
      {R"({"lacuna_quantization": {"bits": 2}})",
       "lacuna_quantization.bits is 2; 4 and 8 are supported"},
      {R"({"lacuna_quantization": {"bits": 8, "group": 32}})",
       "lacuna_quantization has the key 'group', which this version does not know"},
      {R"({"lacuna_quantization": {"bits": 4, "group": 32, "zeros": true}})",
       "lacuna_quantization has the key 'zeros', which this version does not know"},
  };
  for (const auto& [changes, message] : cases) {
    check_refused(config_with(changes), ErrorCode::InvalidInput, message);
  }
}

TEST(ModelConfigTest, NamesTheAbsurdKeyAndItsValue) {
  const struct {
    const char* changes;
    const char* message;
  } cases[] = {
      {R"({"vocab_size": "<remove>"})", "the key vocab_size is missing"},
      {R"({"vocab_size": null})", "the key vocab_size is missing"},
      {R"({"vocab_size": 0})", "vocab_size is 0; it must be an integer from 1 to 4194304"},
      {R"({"vocab_size": -48})", "vocab_size is -48; it must be an integer from 1 to 4194304"},
      {R"({"vocab_size": 48.0})", "vocab_size is 48.0; it must be an integer from 1 to 4194304"},
      {R"({"vocab_size": "48"})", "vocab_size is '48'; it must be an integer from 1 to 4194304"},
      {R"({"vocab_size": 4294967344})",
       "vocab_size is 4294967344; it must be an integer from 1 to 4194304"},
      {R"({"vocab_size": 18446744073709551615})",
       "vocab_size is 18446744073709551615; it must be an integer from 1 to 4194304"},
      {R"({"hidden_size": 65537})", "hidden_size is 65537; it must be an integer from 1 to 65536"},
      {R"({"intermediate_size": 0})",
       "intermediate_size is 0; it must be an integer from 1 to 524288"},
      {R"({"num_hidden_layers": 1000000000})",
       "num_hidden_layers is 1000000000; it must be an integer from 1 to 1024"},
      {R"({"num_attention_heads": 0})",
       "num_attention_heads is 0; it must be an integer from 1 to 1024"},
      {R"({"num_key_value_heads": 0})",
       "num_key_value_heads is 0; it must be an integer from 1 to 1024"},
      {R"({"num_key_value_heads": 3})",
       "num_key_value_heads is 3; it must divide num_attention_heads, which is 4"},
      {R"({"num_key_value_heads": 8})",
       "num_key_value_heads is 8; it must divide num_attention_heads, which is 4"},
      {R"({"hidden_size": 18})",
       "hidden_size is 18; it must be a multiple of num_attention_heads, which is 4"},
      {R"({"hidden_size": 12})",
       "hidden_size is 12; with num_attention_heads 4 a head has 3 "
       "numbers; it must be even and at most 256"},
      {R"({"hidden_size": 1032})",
       "hidden_size is 1032; with num_attention_heads 4 a head has 258 "
       "numbers; it must be even and at most 256"},
      {R"({"head_dim": 5})", "head_dim is 5; RoPE needs an even number"},
      {R"({"head_dim": 0})", "head_dim is 0; it must be an integer from 2 to 256"},
      {R"({"head_dim": 258})", "head_dim is 258; it must be an integer from 2 to 256"},
      {R"({"head_dim": 256, "num_attention_heads": 1024})",
       "head_dim is 256; with num_attention_heads 1024 the product exceeds 65536"},
      {R"({"max_position_embeddings": 0})",
       "max_position_embeddings is 0; it must be an integer from 1 to 16777216"},
      {R"({"rms_norm_eps": 0})", "rms_norm_eps is 0; it must be a number from 1e-12 to 0.1"},
      {R"({"rms_norm_eps": -1e-6})",
       "rms_norm_eps is -1e-06; it must be a number from 1e-12 to 0.1"},
      {R"({"rms_norm_eps": "1e-6"})",
       "rms_norm_eps is '1e-6'; it must be a number from 1e-12 to 0.1"},
      {R"({"rope_theta": "<remove>"})", "the key rope_theta is missing"},
      {R"({"rope_theta": 0})", "rope_theta is 0; it must be a number from 1 to 1e+12"},
      {R"({"rope_theta": 1e300})", "rope_theta is 1e+300; it must be a number from 1 to 1e+12"},
      {R"({"rope_theta": null, "rope_parameters": {"rope_theta": -1}})",
       "rope_parameters.rope_theta is -1; it must be a number from 1 to 1e+12"},
      {R"({"rope_scaling": 2})", "rope_scaling is 2; it must be an object"},
      {R"({"tie_word_embeddings": 1})", "tie_word_embeddings is 1; it must be true or false"},
      {R"({"logits_shift": "no"})", "logits_shift is 'no'; it must be true or false"},
      {R"({"model_type": 1})", "model_type is 1; it must be a string"},
      {R"({"mask_token_id": 48})", "mask_token_id is 48; token ids go from 0 to 47"},
      {R"({"mask_token_id": -1})", "mask_token_id is -1; token ids go from 0 to 47"},
      {R"({"mask_token_id": 4294967297})",
       "mask_token_id is 4294967297; token ids go from 0 to 47"},
      {R"({"eos_token_id": [3, 48]})", "eos_token_id is 48; token ids go from 0 to 47"},
      {R"({"eos_token_id": [[3]]})", "eos_token_id is a list; token ids go from 0 to 47"},
      {R"({"eos_token_id": {"x": 3}})", "eos_token_id is an object; token ids go from 0 to 47"},
      {R"({"document_format": [5, 3]})", "document_format is a list; it must be an object"},
      {R"({"document_format": {"begin": 99}})",
       "document_format.begin is 99; token ids go from 0 to 47"},
      {R"({"document_format": {"languages": [7]}})",
       "document_format.languages is a list; it must be an object of token ids"},
      {R"({"document_format": {"languages": {"python": "7"}}})",
       "document_format.languages.python is '7'; token ids go from 0 to 47"},
      {R"({"document_format": {"languages": {"\u001b[2J": -1}}})",
       "document_format.languages.?[2J is -1; token ids go from 0 to 47"},
  };
  for (const auto& [changes, message] : cases) {
    check_refused(config_with(changes), ErrorCode::Corrupt, message);
  }
}

TEST(ModelConfigTest, ReadsHowManyBitsAWeightHas) {
  EXPECT_FALSE(accepted("{}").quantisation.has_value());
  EXPECT_FALSE(accepted(R"({"lacuna_quantization": null})").quantisation.has_value());
  const auto eight = accepted(R"({"lacuna_quantization": {"bits": 8}})").quantisation;
  ASSERT_TRUE(eight.has_value());
  EXPECT_EQ(eight->bits, 8);
  const auto four = accepted(R"({"lacuna_quantization": {"bits": 4, "group": 64}})").quantisation;
  ASSERT_TRUE(four.has_value());
  EXPECT_EQ(four->bits, 4);
  EXPECT_EQ(four->group, 64);
}

TEST(ModelConfigTest, RefusesAbsurdQuantisation) {
  const struct {
    const char* value;
    const char* message;
  } cases[] = {
      {"8", "lacuna_quantization is 8; it must be an object"},
      {"{}", "the key lacuna_quantization.bits is missing"},
      {R"({"bits": 4})", "the key lacuna_quantization.group is missing"},
      {R"({"bits": -8})", "lacuna_quantization.bits is -8; it must be an integer from 1 to 64"},
      {R"({"bits": "8"})", "lacuna_quantization.bits is '8'; it must be an integer from 1 to 64"},
      {R"({"bits": 4, "group": 0})",
       "lacuna_quantization.group is 0; it must be an integer from 8 to 1024"},
      {R"({"bits": 4, "group": 4294967328})",
       "lacuna_quantization.group is 4294967328; it must be an integer from 8 to 1024"},
  };
  for (const auto& [value, message] : cases) {
    check_refused(config_with(std::string(R"({"lacuna_quantization": )") + value + "}"),
                  ErrorCode::Corrupt, message);
  }
}

TEST(ModelConfigTest, RefusesTextThatIsNoJsonObject) {
  check_refused("", ErrorCode::Corrupt, "invalid JSON near byte 1");
  check_refused("[]", ErrorCode::Corrupt, "it is not a JSON object");
  check_refused("{\"rms_norm_eps\": NaN}", ErrorCode::Corrupt, "invalid JSON near byte 18");
  check_refused(R"({"a": 1, "a": 2})", ErrorCode::Corrupt, "the key 'a' appears twice");
}

TEST(ModelConfigTest, RefusesEveryTruncation) {
  const std::string whole = test::make_tiny_model().config_json;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    ASSERT_FALSE(parse_model_config(whole.substr(0, length)).has_value()) << length;
  }
}

}  // namespace
}  // namespace lacuna::engine
