// Ollama's /api/generate (docs/api.md there), with `suffix` or with raw sentinels.
#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

#include <nlohmann/json.hpp>

#include "daemon/http/fim_prompt.h"
#include "daemon/http/json_fields.h"
#include "daemon/http/protocols.h"

namespace lacuna::daemon::http {
namespace {

using Json = nlohmann::ordered_json;
using nlohmann::json;

std::int64_t nanoseconds(double seconds) { return std::llround(seconds * 1e9); }

std::string rfc3339(std::int64_t time) {
  const auto seconds = static_cast<std::time_t>(time);
  std::tm parts = {};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text = {};
  const std::size_t n = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), n};
}

class OllamaDialect : public Dialect {
 public:
  OllamaDialect(ServerFacts facts, std::string asked_model)
      : facts_(std::move(facts)), model_(std::move(asked_model)) {
    if (model_.empty()) model_ = facts_.model;
  }

  Response whole(const CompletionAnswer& answer) override {
    return {.body = compact(done(answer, answer.choices.front().text))};
  }

  std::string stream_type() const override { return "application/x-ndjson"; }

  std::string part(const std::string& text) override {
    return compact(Json{{"model", model_},
                        {"created_at", rfc3339(facts_.time)},
                        {"response", text},
                        {"done", false}}) +
           "\n";
  }

  std::string last(const CompletionAnswer& answer, const std::string& text) override {
    return (text.empty() ? "" : part(text)) + compact(done(answer, "")) + "\n";
  }

  std::string failure(const Error& error) override { return ollama_error(error.message) + "\n"; }

 private:
  Json done(const CompletionAnswer& answer, const std::string& text) const {
    const CompletionChoice& choice = answer.choices.front();
    const double total = answer.queued_seconds + answer.load_seconds + answer.encode_seconds +
                         answer.denoise_seconds;
    return {{"model", model_},
            {"created_at", rfc3339(facts_.time)},
            {"response", text},
            {"done", true},
            {"done_reason", choice.reason == StopReason::Limit ? "length" : "stop"},
            {"total_duration", nanoseconds(total)},
            {"load_duration", nanoseconds(answer.load_seconds)},
            {"prompt_eval_count", answer.context_tokens},
            {"prompt_eval_duration", nanoseconds(answer.encode_seconds)},
            {"eval_count", choice.tokens},
            {"eval_duration", nanoseconds(answer.denoise_seconds)}};
  }

  const ServerFacts facts_;
  std::string model_;
};

}  // namespace

Result<ParsedCompletion> parse_ollama(const json& body, const ServerFacts& facts) {
  JsonFields fields(body);
  Completion completion;
  const std::string prompt = fields.text("prompt");
  const std::string suffix = fields.text("suffix");
  std::optional<FimPrompt> parsed;
  if (suffix.empty()) parsed = parse_fim_prompt(prompt);
  if (parsed) {
    take(std::move(*parsed), completion);
  } else {
    completion.prefix = prompt;
    completion.suffix = suffix;
  }
  completion.stream = fields.flag("stream", true);
  completion.max_tokens = -1;
  // A request without a text only loads the model, or unloads it: that is done by idle time here.
  if (prompt.empty() && suffix.empty()) completion.max_tokens = 0;
  if (const json* object = fields.object("options"); object != nullptr) {
    JsonFields options(*object);
    if (completion.max_tokens != 0) completion.max_tokens = options.whole("num_predict", -1);
    completion.stop = options.texts("stop", kMaxStopWords);
    completion.temperature = options.number("temperature", 0);
    if (options.has("top_p")) completion.top_p = options.number("top_p", 1);
    completion.seed =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, options.whole("seed", 0)));
    if (const Result<void> ok = options.check(); !ok) return ok.error();
  }
  std::string model = fields.text("model");
  if (const Result<void> ok = fields.check(); !ok) return ok.error();
  return ParsedCompletion{std::move(completion),
                          std::make_unique<OllamaDialect>(facts, std::move(model))};
}

std::string ollama_error(const std::string& message) { return compact(Json{{"error", message}}); }

}  // namespace lacuna::daemon::http
