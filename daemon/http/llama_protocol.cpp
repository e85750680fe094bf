// llama.cpp's /infill as llama.vim and llama.vscode use it (tools/server/README.md there).
#include <algorithm>

#include <nlohmann/json.hpp>

#include "daemon/http/fim_prompt.h"
#include "daemon/http/json_fields.h"
#include "daemon/http/protocols.h"

namespace lacuna::daemon::http {
namespace {

using Json = nlohmann::ordered_json;
using nlohmann::json;

double per_token(double total, int n) { return n > 0 ? total / n : 0; }
double per_second(int n, double ms) { return ms > 0 ? n * 1000 / ms : 0; }

Json timings_json(const CompletionAnswer& answer, int predicted) {
  const double prompt_ms =
      (answer.queued_seconds + answer.load_seconds + answer.encode_seconds) * 1000;
  const double predicted_ms = answer.denoise_seconds * 1000;
  const int prompt = answer.context_tokens;
  return {{"cache_n", 0},
          {"prompt_n", prompt},
          {"prompt_ms", prompt_ms},
          {"prompt_per_token_ms", per_token(prompt_ms, prompt)},
          {"prompt_per_second", per_second(prompt, prompt_ms)},
          {"predicted_n", predicted},
          {"predicted_ms", predicted_ms},
          {"predicted_per_token_ms", per_token(predicted_ms, predicted)},
          {"predicted_per_second", per_second(predicted, predicted_ms)}};
}

std::string_view stop_type(StopReason reason) {
  if (reason == StopReason::Limit) return "limit";
  return reason == StopReason::StopWord ? "word" : "eos";
}

// The value under a path as "timings/prompt_n", or null.
const Json* at_path(const Json& object, std::string_view path) {
  const Json* value = &object;
  while (true) {
    const std::size_t slash = path.find('/');
    if (!value->is_object()) return nullptr;
    const auto found = value->find(path.substr(0, slash));
    if (found == value->end()) return nullptr;
    value = &*found;
    if (slash == std::string_view::npos) return value;
    path.remove_prefix(slash + 1);
  }
}

class LlamaDialect : public Dialect {
 public:
  LlamaDialect(ServerFacts facts, std::vector<std::string> fields, bool filtered, bool as_array)
      : facts_(std::move(facts)),
        fields_(std::move(fields)),
        filtered_(filtered),
        as_array_(as_array) {}

  Response whole(const CompletionAnswer& answer) override {
    Json all = Json::array();
    for (std::size_t i = 0; i < answer.choices.size(); ++i) {
      all.push_back(filter(choice_json(answer, i, answer.choices[i].text)));
    }
    return {.body = compact(as_array_ ? all : all.front())};
  }

  std::string part(const std::string& text) override {
    return sse(compact(Json{{"index", 0},
                            {"content", text},
                            {"tokens", Json::array()},
                            {"stop", false},
                            {"id_slot", 0},
                            {"tokens_predicted", 0},
                            {"tokens_evaluated", 0}}));
  }

  std::string last(const CompletionAnswer& answer, const std::string& text) override {
    std::string out = text.empty() ? "" : part(text);
    for (std::size_t i = 1; i < answer.choices.size(); ++i) {
      out += sse(compact(filter(choice_json(answer, i, answer.choices[i].text))));
    }
    return out + sse(compact(filter(choice_json(answer, 0, ""))));
  }

  std::string failure(const Error& error) override {
    return sse(llama_error(status_of(error.code), error.message));
  }

 private:
  Json choice_json(const CompletionAnswer& answer, std::size_t i, const std::string& text) const {
    const CompletionChoice& choice = answer.choices[i];
    return {{"index", i},
            {"content", text},
            {"tokens", Json::array()},
            {"id_slot", 0},
            {"stop", true},
            {"model", answer.model.empty() ? facts_.model : answer.model},
            {"tokens_predicted", choice.tokens},
            {"tokens_evaluated", answer.context_tokens},
            {"generation_settings", {{"n_ctx", facts_.max_canvas}}},
            {"prompt", ""},
            {"has_new_line", choice.text.find('\n') != std::string::npos},
            {"truncated", false},
            {"stop_type", stop_type(choice.reason)},
            {"stopping_word", choice.stop_word},
            {"tokens_cached", answer.context_tokens + choice.tokens},
            {"timings", timings_json(answer, choice.tokens)},
            {"lacuna",
             {{"steps", answer.steps},
              {"forward_passes", answer.forward_passes},
              {"probability", choice.probability},
              {"context_pieces", answer.context_pieces}}}};
  }

  // Only what was asked for, each under the name by which it was, as llama.cpp has it.
  Json filter(const Json& object) const {
    if (!filtered_) return object;
    Json kept = Json::object();
    for (const std::string& field : fields_) {
      if (const Json* value = at_path(object, field); value != nullptr) kept[field] = *value;
    }
    return kept;
  }

  const ServerFacts facts_;
  const std::vector<std::string> fields_;
  const bool filtered_;
  const bool as_array_;
};

// What clients know of other files: [{"text": ..., "filename": ...}].
std::vector<ContextPiece> read_extra(JsonFields& fields) {
  std::vector<ContextPiece> pieces;
  const auto refuse = [&fields] {
    fields.refuse("\"input_extra\" must be an array of {\"filename\": string, \"text\": string}");
  };
  if (!fields.has("input_extra")) return pieces;
  JsonFields alone(fields);
  const json* extra = alone.array("input_extra");
  if (extra == nullptr) {
    refuse();
    return pieces;
  }
  for (const json& it : *extra) {
    if (pieces.size() == kMaxContextPieces) break;
    if (!it.is_object()) {
      refuse();
      break;
    }
    JsonFields piece(it);
    std::string text = piece.required_text("text");
    std::string path = piece.text("filename");
    if (!piece.check()) refuse();
    pieces.push_back({.path = std::move(path), .text = std::move(text)});
  }
  return pieces;
}

// The fields that /infill and /completion share, and the answer's form.
Result<ParsedCompletion> read_common(JsonFields& fields, Completion completion,
                                     const ServerFacts& facts) {
  completion.max_tokens = fields.whole("n_predict", -1);
  completion.stop = fields.texts("stop", kMaxStopWords);
  completion.min_indent =
      static_cast<int>(std::clamp<std::int64_t>(fields.whole("n_indent", 0), 0, 1000));
  completion.deadline_seconds = std::max(0.0, fields.number("t_max_predict_ms", 0)) / 1000;
  completion.stream = fields.flag("stream", false);
  completion.temperature = fields.number("temperature", 0);
  if (fields.has("top_p")) completion.top_p = fields.number("top_p", 1);
  completion.seed = static_cast<std::uint64_t>(std::max<std::int64_t>(0, fields.whole("seed", 0)));
  const std::int64_t alternatives = fields.whole("n_cmpl", 1);
  if (alternatives < 1 || alternatives > kMaxAlternatives) {
    fields.refuse("Field 'n_cmpl': Value must be between 1 and " +
                  std::to_string(kMaxAlternatives));
  }
  completion.alternatives =
      static_cast<int>(std::clamp<std::int64_t>(alternatives, 1, kMaxAlternatives));
  std::vector<std::string> wanted = fields.texts("response_fields", 256);
  const bool filtered = fields.has("response_fields");
  if (const Result<void> ok = fields.check(); !ok) return ok.error();
  const bool as_array = completion.alternatives > 1;
  return ParsedCompletion{std::move(completion), std::make_unique<LlamaDialect>(
                                                     facts, std::move(wanted), filtered, as_array)};
}

}  // namespace

Result<ParsedCompletion> parse_infill(const json& body, const ServerFacts& facts) {
  JsonFields fields(body);
  Completion completion;
  completion.prefix = fields.required_text("input_prefix");
  completion.suffix = fields.required_text("input_suffix");
  completion.context = read_extra(fields);
  completion.prefix += fields.text("prompt");
  return read_common(fields, std::move(completion), facts);
}

Result<ParsedCompletion> parse_llama(const json& body, const ServerFacts& facts) {
  JsonFields fields(body);
  Completion completion;
  const std::string prompt = fields.required_text("prompt");
  if (std::optional<FimPrompt> parsed = parse_fim_prompt(prompt)) {
    take(std::move(*parsed), completion);
  } else {
    completion.prefix = prompt;
  }
  return read_common(fields, std::move(completion), facts);
}

}  // namespace lacuna::daemon::http
