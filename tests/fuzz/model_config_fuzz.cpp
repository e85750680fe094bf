// config.json and generation_config.json: no text may crash the parsers, and a configuration
// that passes must keep the promises of model_config.h.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/checkpoint/generation_defaults.h"
#include "engine/checkpoint/model_config.h"

namespace {

using lacuna::engine::ModelConfig;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_sizes(const ModelConfig& config) {
  require(config.vocab_size > 0 && config.hidden_size > 0 && config.intermediate_size > 0);
  require(config.layers > 0 && config.heads > 0 && config.kv_heads > 0);
  require(config.max_positions > 0);
  require(config.heads % config.kv_heads == 0);
  require(config.head_size % 2 == 0 && config.head_size > 0 && config.head_size <= 256);
  require(config.heads * config.head_size <= 1 << 16);
  require(config.rms_norm_eps > 0 && std::isfinite(config.rms_norm_eps));
  require(config.rope_theta > 0 && std::isfinite(config.rope_theta));
  const auto bound = std::int64_t{1} << 40;
  require(std::int64_t{config.vocab_size} * config.hidden_size < bound);
  require(std::int64_t{config.intermediate_size} * config.hidden_size < bound);
}

void check_tokens(const ModelConfig& config) {
  const auto check = [&](std::optional<std::int32_t> id) {
    require(!id || (*id >= 0 && *id < config.vocab_size));
  };
  for (const auto& id : {config.mask_token, config.pad_token, config.bos_token, config.eos_token,
                         config.expand_token, config.delete_token}) {
    check(id);
  }
  if (!config.document_format) return;
  check(config.document_format->begin);
  check(config.document_format->end);
  check(config.document_format->any_language);
  for (const auto& [name, id] : config.document_format->languages) check(id);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto generation = lacuna::engine::parse_generation_defaults(text);
  const auto config = generation ? lacuna::engine::parse_model_config(text, *generation)
                                 : lacuna::engine::parse_model_config(text);
  if (!config) {
    require(!config.error().message.empty() && config.error().message.size() < 1000);
    return 0;
  }
  check_sizes(*config);
  check_tokens(*config);
  if (config->quantisation) {
    const auto& [bits, group] = *config->quantisation;
    require(bits == 8 ? group == 0 : bits == 4 && group >= 8 && group <= 1024);
  }
  return 0;
}
