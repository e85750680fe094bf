#include "engine/tokenizer/pretokenizer_json.h"

#include <string>

#include <nlohmann/json.hpp>

#include "engine/tokenizer/splitter.h"

namespace lacuna::engine {
namespace {

using nlohmann::json;

Error unsupported(const std::string& what) {
  return fail(ErrorCode::InvalidInput, "tokenizer.json: " + what + " is not supported");
}
Error corrupt(const std::string& what) {
  return fail(ErrorCode::Corrupt, "tokenizer.json: " + what);
}

// The "type" of a normaliser and so on; empty when there is none.
std::string type_of(const json& part) {
  if (!part.is_object() || !part.contains("type") || !part["type"].is_string()) return {};
  return part["type"].get<std::string>();
}

// A boolean member, `fallback` when missing; of another type it counts as the other value, which
// is never the one that we support.
bool flag(const json& part, const char* key, bool fallback) {
  if (!part.contains(key)) return fallback;
  return part[key].is_boolean() ? part[key].get<bool>() : !fallback;
}

// The steps of a part that may be a Sequence of them.
const json& steps_of(const json& part, const char* key, json& single) {
  if (type_of(part) == "Sequence" && part.contains(key)) return part[key];
  single = part.is_null() ? json::array() : json::array({part});
  return single;
}

std::optional<Error> read_normalizer(const json& normalizer, BpeSpec& spec) {
  json single;
  const json& steps = steps_of(normalizer, "normalizers", single);
  if (!steps.is_array()) return corrupt("'normalizer' is not a list");
  for (const json& step : steps) {
    if (type_of(step) != "NFC") return unsupported("normalizer '" + type_of(step) + "'");
    spec.nfc = true;
  }
  return std::nullopt;
}

std::optional<Error> read_split(const json& split, BpeSpec& spec) {
  if (split.value("behavior", json()) != "Isolated" || flag(split, "invert", false)) {
    return unsupported("a Split that does not isolate");
  }
  const json pattern = split.value("pattern", json());
  for (const char* key : {"Regex", "String"}) {
    if (!pattern.is_object() || !pattern.contains(key) || !pattern[key].is_string()) continue;
    const std::string text = pattern[key].get<std::string>();
    spec.patterns.push_back(key == std::string_view("Regex") ? text : quote_pattern(text));
    return std::nullopt;
  }
  return corrupt("a Split has no pattern");
}

std::optional<Error> read_byte_level(const json& step, BpeSpec& spec) {
  // The default is true, for the sake of the oldest files.
  if (flag(step, "add_prefix_space", true)) return unsupported("add_prefix_space");
  if (step.contains("use_regex") && !step["use_regex"].is_boolean()) {
    return corrupt("'use_regex' is not true or false");
  }
  if (flag(step, "use_regex", true)) spec.patterns.emplace_back(kGpt2Pattern);
  return std::nullopt;
}

std::optional<Error> read_pre_tokenizer(const json& pre_tokenizer, BpeSpec& spec) {
  json single;
  const json& steps = steps_of(pre_tokenizer, "pretokenizers", single);
  if (!steps.is_array()) return corrupt("'pre_tokenizer' is not a list");
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string type = type_of(steps[i]);
    std::optional<Error> error;
    if ((type == "ByteLevel") != (i + 1 == steps.size())) {
      error = unsupported("a pre_tokenizer in which ByteLevel is not the last step");
    } else if (type == "ByteLevel") {
      error = read_byte_level(steps[i], spec);
    } else if (type == "Split") {
      error = read_split(steps[i], spec);
    } else if (type == "Digits") {
      spec.patterns.emplace_back(flag(steps[i], "individual_digits", false) ? R"(\p{N})"
                                                                            : R"(\p{N}+)");
    } else {
      error = unsupported("pre_tokenizer '" + type + "'");
    }
    if (error) return error;
  }
  if (steps.empty()) return unsupported("a tokenizer that is not byte-level");
  return std::nullopt;
}

std::optional<Error> check_decoder(const json& decoder) {
  json single;
  const json& steps = steps_of(decoder, "decoders", single);
  if (!steps.is_array()) return corrupt("'decoder' is not a list");
  for (const json& step : steps) {
    if (type_of(step) != "ByteLevel") return unsupported("decoder '" + type_of(step) + "'");
  }
  return std::nullopt;
}

}  // namespace

std::optional<Error> read_text_rules(const json& root, BpeSpec& spec) {
  if (auto error = read_normalizer(root.value("normalizer", json()), spec)) return error;
  if (auto error = read_pre_tokenizer(root.value("pre_tokenizer", json()), spec)) return error;
  return check_decoder(root.value("decoder", json()));
}

}  // namespace lacuna::engine
