// Tabby's /v1/completions: `segments` instead of a prompt (crates/tabby/src/routes there).
#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "daemon/http/json_fields.h"
#include "daemon/http/protocols.h"

namespace lacuna::daemon::http {
namespace {

using Json = nlohmann::ordered_json;
using nlohmann::json;

class TabbyDialect : public Dialect {
 public:
  explicit TabbyDialect(ServerFacts facts) : facts_(std::move(facts)) {}

  Response whole(const CompletionAnswer& answer) override {
    Json object = {{"id", "cmpl-" + std::to_string(facts_.number)}, {"choices", Json::array()}};
    for (std::size_t i = 0; i < answer.choices.size(); ++i) {
      object["choices"].push_back({{"index", i}, {"text", answer.choices[i].text}});
    }
    object["mode"] = "standard";
    return {.body = compact(object)};
  }

  // Tabby has no streams, and parse_tabby() asks for none.
  std::string part(const std::string& text) override { return text; }
  std::string last(const CompletionAnswer&, const std::string& text) override { return text; }
  std::string failure(const Error& error) override { return error.message; }

 private:
  const ServerFacts facts_;
};

void read_pieces(JsonFields& segments, std::string_view name, std::vector<ContextPiece>& pieces) {
  const json* list = segments.array(name);
  if (list == nullptr) return;
  for (const json& it : *list) {
    if (pieces.size() == kMaxContextPieces) return;
    if (!it.is_object()) {
      return segments.refuse("\"" + std::string(name) + "\" must be an array of objects");
    }
    JsonFields piece(it);
    std::string path = piece.text("filepath");
    std::string text = piece.text("body");
    if (const Result<void> ok = piece.check(); !ok) return segments.refuse(ok.error().message);
    if (!text.empty()) pieces.push_back({.path = std::move(path), .text = std::move(text)});
  }
}

}  // namespace

Result<ParsedCompletion> parse_tabby(const json& body, const ServerFacts& facts) {
  constexpr std::array kLists = {"relevant_snippets_from_changed_files",
                                 "relevant_snippets_from_recently_opened_files", "declarations"};
  JsonFields fields(body);
  Completion completion;
  completion.language = fields.text("language");
  completion.temperature = fields.number("temperature", 0);
  completion.seed = static_cast<std::uint64_t>(std::max<std::int64_t>(0, fields.whole("seed", 0)));
  completion.max_tokens = -1;
  if (const json* object = fields.object("segments"); object != nullptr) {
    JsonFields segments(*object);
    completion.prefix = segments.required_text("prefix");
    completion.suffix = segments.text("suffix");
    completion.path = segments.text("filepath");
    for (const char* name : kLists) read_pieces(segments, name, completion.context);
    const std::string clipboard = segments.text("clipboard");
    if (!clipboard.empty()) completion.context.push_back({.path = {}, .text = clipboard});
    if (const Result<void> ok = segments.check(); !ok) return ok.error();
  }
  if (const Result<void> ok = fields.check(); !ok) return ok.error();
  return ParsedCompletion{std::move(completion), std::make_unique<TabbyDialect>(facts)};
}

}  // namespace lacuna::daemon::http
