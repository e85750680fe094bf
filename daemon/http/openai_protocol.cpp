// OpenAI's legacy completions with `suffix` or sentinels, and Mistral's FIM, which answers in the
// form of chat completions.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "daemon/http/fim_prompt.h"
#include "daemon/http/json_fields.h"
#include "daemon/http/protocols.h"

namespace lacuna::daemon::http {
namespace {

using Json = nlohmann::ordered_json;
using nlohmann::json;

// What OpenAI takes when a request says nothing.
constexpr std::int64_t kOpenAiTokens = 16;

enum class Form : std::uint8_t { Text, Chat };

class OpenAiDialect : public Dialect {
 public:
  OpenAiDialect(ServerFacts facts, Form form, bool usage)
      : facts_(std::move(facts)), form_(form), usage_(usage) {}

  Response whole(const CompletionAnswer& answer) override {
    Json object = head(form_ == Form::Text ? "text_completion" : "chat.completion");
    for (std::size_t i = 0; i < answer.choices.size(); ++i) {
      const CompletionChoice& choice = answer.choices[i];
      Json it = {{"index", i}, {"logprobs", nullptr}, {"finish_reason", finish(choice.reason)}};
      if (form_ == Form::Text) {
        it["text"] = choice.text;
      } else {
        it["message"] = {{"role", "assistant"}, {"content", choice.text}};
      }
      object["choices"].push_back(std::move(it));
    }
    object["usage"] = usage_json(answer);
    return {.body = compact(object)};
  }

  std::string part(const std::string& text) override {
    return sse(compact(chunk(0, text, nullptr)));
  }

  std::string last(const CompletionAnswer& answer, const std::string& text) override {
    std::string out;
    for (std::size_t i = 1; i < answer.choices.size(); ++i) {
      const CompletionChoice& choice = answer.choices[i];
      out += sse(compact(chunk(i, choice.text, finish(choice.reason))));
    }
    Json final_chunk = chunk(0, text, finish(answer.choices.front().reason));
    // Mistral counts in the last chunk, OpenAI in one of its own.
    if (form_ == Form::Chat) final_chunk["usage"] = usage_json(answer);
    out += sse(compact(final_chunk));
    if (form_ == Form::Text && usage_) {
      Json object = chunk_head();
      object["usage"] = usage_json(answer);
      out += sse(compact(object));
    }
    return out + "data: [DONE]\n\n";
  }

  std::string failure(const Error& error) override {
    return sse(llama_error(status_of(error.code), error.message));
  }

 private:
  static const char* finish(StopReason reason) {
    return reason == StopReason::Limit ? "length" : "stop";
  }

  Json head(const char* object) const {
    return {{"id", (form_ == Form::Text ? "cmpl-" : "chatcmpl-") + std::to_string(facts_.number)},
            {"object", object},
            {"created", facts_.time},
            {"model", facts_.model},
            {"choices", Json::array()}};
  }

  Json chunk_head() const {
    return head(form_ == Form::Text ? "text_completion" : "chat.completion.chunk");
  }

  Json chunk(std::size_t i, const std::string& text, const Json& finish_reason) const {
    Json object = chunk_head();
    Json it = {{"index", i}, {"logprobs", nullptr}, {"finish_reason", finish_reason}};
    if (form_ == Form::Text) {
      it["text"] = text;
    } else {
      it["delta"] = {{"role", "assistant"}, {"content", text}};
    }
    object["choices"].push_back(std::move(it));
    return object;
  }

  static Json usage_json(const CompletionAnswer& answer) {
    int tokens = 0;
    for (const CompletionChoice& choice : answer.choices) tokens += choice.tokens;
    return {{"prompt_tokens", answer.context_tokens},
            {"completion_tokens", tokens},
            {"total_tokens", answer.context_tokens + tokens}};
  }

  const ServerFacts facts_;
  const Form form_;
  const bool usage_;
};

// A text, or a list of one.
std::string read_prompt(JsonFields& fields) {
  if (!fields.has("prompt")) fields.refuse("\"prompt\" is required");
  const std::vector<std::string> prompts = fields.texts("prompt", 2);
  if (prompts.size() == 1) return prompts.front();
  fields.refuse("\"prompt\" must be one string; several are several requests");
  return "";
}

// What OpenAI's and Mistral's requests have in common.
void read_common(JsonFields& fields, Completion& completion, std::int64_t tokens,
                 std::string_view seed) {
  completion.max_tokens = std::max<std::int64_t>(0, fields.whole("max_tokens", tokens));
  if (tokens < 0 && !fields.has("max_tokens")) completion.max_tokens = tokens;
  completion.stop = fields.texts("stop", kMaxStopWords);
  completion.stream = fields.flag("stream", false);
  completion.temperature = fields.number("temperature", 0);
  if (fields.has("top_p")) completion.top_p = fields.number("top_p", 1);
  completion.seed = static_cast<std::uint64_t>(std::max<std::int64_t>(0, fields.whole(seed, 0)));
}

}  // namespace

Result<ParsedCompletion> parse_openai(const json& body, const ServerFacts& facts) {
  JsonFields fields(body);
  Completion completion;
  const std::string prompt = read_prompt(fields);
  if (fields.has("suffix")) {
    completion.prefix = prompt;
    completion.suffix = fields.text("suffix");
  } else if (std::optional<FimPrompt> parsed = parse_fim_prompt(prompt)) {
    take(std::move(*parsed), completion);
  } else {
    completion.prefix = prompt;
  }
  read_common(fields, completion, kOpenAiTokens, "seed");
  const std::int64_t alternatives = fields.whole("n", 1);
  if (alternatives < 1 || alternatives > kMaxAlternatives) {
    fields.refuse("\"n\" must be between 1 and " + std::to_string(kMaxAlternatives));
  }
  completion.alternatives =
      static_cast<int>(std::clamp<std::int64_t>(alternatives, 1, kMaxAlternatives));
  bool usage = false;
  if (const json* options = fields.object("stream_options"); options != nullptr) {
    JsonFields stream(*options);
    usage = stream.flag("include_usage", false);
  }
  if (const Result<void> ok = fields.check(); !ok) return ok.error();
  return ParsedCompletion{std::move(completion),
                          std::make_unique<OpenAiDialect>(facts, Form::Text, usage)};
}

Result<ParsedCompletion> parse_mistral(const json& body, const ServerFacts& facts) {
  JsonFields fields(body);
  Completion completion;
  const std::string prompt = fields.required_text("prompt");
  take(split_files(prompt, fields.text("suffix")), completion);
  read_common(fields, completion, -1, "random_seed");
  if (const Result<void> ok = fields.check(); !ok) return ok.error();
  return ParsedCompletion{std::move(completion),
                          std::make_unique<OpenAiDialect>(facts, Form::Chat, false)};
}

}  // namespace lacuna::daemon::http
