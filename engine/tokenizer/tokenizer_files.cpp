#include "engine/tokenizer/tokenizer_files.h"

#include <charconv>
#include <optional>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "engine/tokenizer/bounded_json.h"
#include "engine/tokenizer/pretokenizer_json.h"
#include "engine/tokenizer/splitter.h"

namespace lacuna::engine {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxTokenBytes = 4096;  // of an added token

Error corrupt(std::string message) { return fail(ErrorCode::Corrupt, std::move(message)); }

std::optional<std::int32_t> to_id(std::int64_t id) {
  if (id < 0 || id > kMaxTokenId) return std::nullopt;
  return static_cast<std::int32_t>(id);
}

// Both lists have as many entries as a vocabulary can have at most.
bool has_room(std::size_t n) { return n <= static_cast<std::size_t>(kMaxTokenId); }

JsonSinks sinks_into(BpeSpec& spec) {
  JsonSinks sinks;
  sinks.vocab_entry = [&spec](std::string& piece, std::int64_t id) {
    if (!to_id(id) || !has_room(spec.vocab.size())) return false;
    spec.vocab.emplace_back(std::move(piece), static_cast<std::int32_t>(id));
    return true;
  };
  sinks.merge = [&spec](std::string& merge) {
    if (!has_room(spec.merges.size())) return false;
    spec.merges.push_back(std::move(merge));
    return true;
  };
  return sinks;
}

Result<AddedToken> added_token(const json& content, std::int64_t id, std::string_view name) {
  if (!content.is_string() || content.get_ref<const std::string&>().empty() ||
      content.get_ref<const std::string&>().size() > kMaxTokenBytes) {
    return corrupt(std::string(name) + ": an added token has no proper content");
  }
  AddedToken token{.content = content.get<std::string>()};
  const std::optional<std::int32_t> valid = to_id(id);
  if (!valid) {
    return corrupt(std::string(name) + ": added token '" + token.content +
                   "' has an id out of range");
  }
  token.id = *valid;
  return token;
}

// An entry of "added_tokens" (with an "id") or "added_tokens_decoder" (with the id as its key).
Result<AddedToken> added_token_object(const json& entry, std::int64_t id, std::string_view name) {
  if (!entry.is_object() || !entry.contains("content")) {
    return corrupt(std::string(name) + ": an added token has no content");
  }
  Result<AddedToken> token = added_token(entry["content"], id, name);
  if (!token) return token;
  for (const auto& [key, flag] :
       {std::pair{"normalized", &AddedToken::normalized}, std::pair{"lstrip", &AddedToken::lstrip},
        std::pair{"rstrip", &AddedToken::rstrip},
        std::pair{"single_word", &AddedToken::single_word}}) {
    if (!entry.contains(key)) continue;
    if (!entry[key].is_boolean()) {
      return corrupt(std::string(name) + ": '" + key + "' of '" + token->content +
                     "' is not true or false");
    }
    (*token).*flag = entry[key].get<bool>();
  }
  return token;
}

Result<std::vector<AddedToken>> added_token_list(const json& list, std::string_view name) {
  std::vector<AddedToken> tokens;
  if (list.is_null()) return tokens;
  if (!list.is_array()) return corrupt(std::string(name) + ": 'added_tokens' is not a list");
  for (const json& entry : list) {
    if (!entry.is_object() || !entry.contains("id") || !entry["id"].is_number_integer()) {
      return corrupt(std::string(name) + ": an added token has no id");
    }
    Result<AddedToken> token = added_token_object(entry, entry["id"].get<std::int64_t>(), name);
    if (!token) return token.error();
    tokens.push_back(std::move(*token));
  }
  return tokens;
}

// Parts of the model that change its result and that byte-level models do not use.
std::optional<Error> check_bpe_model(const json& model) {
  const auto unsupported = [](const std::string& what) {
    return fail(ErrorCode::InvalidInput, "tokenizer.json: " + what + " is not supported");
  };
  if (!model.is_object()) return corrupt("tokenizer.json: 'model' is missing");
  const json type = model.value("type", json("BPE"));  // the oldest files have no type
  if (type != "BPE")
    return unsupported("a model of type " +
                       type.dump(-1, ' ', true, json::error_handler_t::replace));
  for (const char* key : {"vocab", "merges"}) {  // of the right type they are not in the tree
    if (model.contains(key)) {
      return corrupt(std::string("tokenizer.json: 'model.") + key + "' has the wrong type");
    }
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (model.contains(key) && !model[key].is_null() && model[key] != json(""))
      return unsupported(key);
  }
  if (model.contains("dropout") && !model["dropout"].is_null() && model["dropout"] != 0) {
    return unsupported("dropout");
  }
  for (const char* key : {"byte_fallback", "ignore_merges"}) {
    if (model.contains(key) && !model[key].is_boolean()) {
      return corrupt(std::string("tokenizer.json: 'model.") + key + "' is not true or false");
    }
  }
  if (model.value("byte_fallback", false)) return unsupported("byte_fallback");
  return std::nullopt;
}

}  // namespace

Result<BpeSpec> parse_tokenizer_json(std::string_view text) {
  BpeSpec spec;
  const Result<json> root = parse_json(text, "tokenizer.json", sinks_into(spec));
  if (!root) return root.error();
  if (!root->is_object()) return corrupt("tokenizer.json: not an object");
  const json model = root->value("model", json());
  if (const std::optional<Error> error = check_bpe_model(model)) return *error;
  spec.ignore_merges = model.value("ignore_merges", false);
  if (const std::optional<Error> error = read_text_rules(*root, spec)) return *error;
  Result<std::vector<AddedToken>> added =
      added_token_list(root->value("added_tokens", json()), "tokenizer.json");
  if (!added) return added.error();
  if (Result<void> done = add_tokens(std::move(*added), "tokenizer.json", spec.added); !done) {
    return done.error();
  }
  return spec;
}

Result<BpeSpec> parse_vocab_and_merges(std::string_view vocab_json, std::string_view merges_txt,
                                       std::string_view tokenizer_class) {
  BpeSpec spec;
  if (tokenizer_class.ends_with("Fast")) tokenizer_class.remove_suffix(4);
  if (tokenizer_class.empty() || tokenizer_class == "Qwen2Tokenizer" ||
      tokenizer_class == "DreamTokenizer") {
    spec.nfc = true;
    spec.patterns = {std::string(kQwen2Pattern)};
  } else if (tokenizer_class == "GPT2Tokenizer") {
    spec.patterns = {std::string(kGpt2Pattern)};
  } else {
    return fail(ErrorCode::InvalidInput, "tokenizer_class '" + std::string(tokenizer_class) +
                                             "' is not supported without a tokenizer.json");
  }
  JsonSinks sinks = sinks_into(spec);
  sinks.root_is_vocab = true;
  const Result<json> root = parse_json(vocab_json, "vocab.json", sinks);
  if (!root) return root.error();
  if (!root->is_null()) return corrupt("vocab.json: not an object");
  for (std::size_t number = 0; !merges_txt.empty(); ++number) {
    const std::size_t newline = std::min(merges_txt.find('\n'), merges_txt.size());
    std::string_view line = merges_txt.substr(0, newline);
    merges_txt.remove_prefix(std::min(newline + 1, merges_txt.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (number == 0 && line.starts_with("#version"))) continue;
    if (!has_room(spec.merges.size())) return corrupt("merges.txt: too many merges");
    spec.merges.emplace_back(line);
  }
  return spec;
}

Result<std::vector<AddedToken>> parse_added_tokens(std::string_view text) {
  const Result<json> root = parse_json(text, "added_tokens.json");
  if (!root) return root.error();
  if (!root->is_object()) return corrupt("added_tokens.json: not an object");
  std::vector<AddedToken> tokens;
  for (const auto& [content, id] : root->items()) {
    Result<AddedToken> token = added_token(
        json(content), id.is_number_integer() ? id.get<std::int64_t>() : -1, "added_tokens.json");
    if (!token) return token.error();
    tokens.push_back(std::move(*token));
  }
  return tokens;
}

Result<TokenizerConfig> parse_tokenizer_config(std::string_view text) {
  constexpr std::string_view kName = "tokenizer_config.json";
  const Result<json> root = parse_json(text, kName);
  if (!root) return root.error();
  if (!root->is_object()) return corrupt("tokenizer_config.json: not an object");
  TokenizerConfig config;
  if (root->contains("tokenizer_class") && (*root)["tokenizer_class"].is_string()) {
    config.tokenizer_class = (*root)["tokenizer_class"].get<std::string>();
  }
  const json decoder = root->value("added_tokens_decoder", json::object());
  if (!decoder.is_object()) {
    return corrupt("tokenizer_config.json: 'added_tokens_decoder' is not an object");
  }
  for (const auto& [key, entry] : decoder.items()) {
    std::int64_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size()) id = -1;
    Result<AddedToken> token = added_token_object(entry, id, kName);
    if (!token) return token.error();
    config.added.push_back(std::move(*token));
  }
  return config;
}

Result<std::vector<std::string>> parse_special_tokens_map(std::string_view text) {
  const Result<json> root = parse_json(text, "special_tokens_map.json");
  if (!root) return root.error();
  if (!root->is_object()) return corrupt("special_tokens_map.json: not an object");
  std::vector<std::string> spellings;
  const auto add = [&](const json& token) {  // a string, or an object as in added_tokens_decoder
    const json content = token.is_object() ? token.value("content", json()) : token;
    if (content.is_string() && !content.get_ref<const std::string&>().empty()) {
      spellings.push_back(content.get<std::string>());
    }
  };
  for (const auto& [role, value] : root->items()) {
    if (!value.is_array()) {
      add(value);
    } else {
      for (const json& token : value) add(token);
    }
  }
  return spellings;
}

Result<void> add_tokens(std::vector<AddedToken> more, std::string_view name,
                        std::vector<AddedToken>& tokens) {
  std::unordered_map<std::string_view, std::int32_t> known;
  for (const AddedToken& token : tokens) known.emplace(token.content, token.id);
  std::vector<AddedToken> fresh;
  for (AddedToken& token : more) {
    const auto [at, is_new] = known.emplace(token.content, token.id);
    if (!is_new && at->second != token.id) {
      return corrupt(std::string(name) + ": added token '" + token.content + "' has the id " +
                     std::to_string(token.id) + " here and " + std::to_string(at->second) +
                     " elsewhere");
    }
    if (is_new) fresh.push_back(token);  // a copy: `known` looks into `more`
  }
  tokens.insert(tokens.end(), fresh.begin(), fresh.end());
  return {};
}

}  // namespace lacuna::engine
