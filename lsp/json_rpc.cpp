#include "lsp/json_rpc.h"

#include <utility>

namespace lacuna::lsp {
namespace {

bool is_nested_too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxJsonDepth) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_id(const Json& id) { return id.is_string() || id.is_number(); }

// What makes an object no message, or nothing; fills in what could be read.
const char* problem_of(Json& json, Message& message) {
  if (!json.is_object()) return "a message is not an object";
  if (const auto id = json.find("id"); id != json.end()) message.id = *id;
  if (!message.id.is_null() && !is_id(message.id)) {
    message.id = nullptr;
    return "the id of a message is neither a string nor a number";
  }
  if (const auto version = json.find("jsonrpc"); version == json.end() || *version != "2.0") {
    return "a message has no \"jsonrpc\": \"2.0\"";
  }
  const auto method = json.find("method");
  if (method == json.end()) {
    message.kind = Message::Kind::Response;
    const auto error = json.find("error");
    const auto result = json.find("result");
    if (error == json.end() && result == json.end()) return "a message has no method";
    if (error != json.end()) message.error = std::move(*error);
    if (result != json.end()) message.result = std::move(*result);
    return nullptr;
  }
  if (!method->is_string()) return "the method of a message is not a string";
  message.method = method->get<std::string>();
  message.kind = message.id.is_null() ? Message::Kind::Notification : Message::Kind::Request;
  if (const auto params = json.find("params"); params != json.end()) {
    message.params = std::move(*params);
  }
  if (!message.params.is_structured() && !message.params.is_null()) {
    return "the params of a message are neither an object nor an array";
  }
  return nullptr;
}

}  // namespace

Result<Json> parse_json(std::string_view text) {
  if (is_nested_too_deep(text)) {
    return fail(ErrorCode::InvalidInput,
                "JSON is nested deeper than " + std::to_string(kMaxJsonDepth));
  }
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return fail(ErrorCode::InvalidInput, "this is not JSON in UTF-8");
  return json;
}

std::optional<Message> parse_message(std::string_view body, BadMessage& bad) {
  Result<Json> json = parse_json(body);
  if (!json) {
    bad = {.code = RpcError::ParseError, .id = nullptr, .message = json.error().message};
    return std::nullopt;
  }
  Message message;
  if (const char* problem = problem_of(*json, message); problem != nullptr) {
    bad = {.code = RpcError::InvalidRequest, .id = std::move(message.id), .message = problem};
    return std::nullopt;
  }
  return message;
}

std::string request(const Json& id, std::string_view method, Json params) {
  return dump({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", std::move(params)}});
}

std::string notification(std::string_view method, Json params) {
  return dump({{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}});
}

std::string response(const Json& id, Json result) {
  return dump({{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}});
}

std::string error_response(const Json& id, RpcError code, std::string_view message) {
  return dump({{"jsonrpc", "2.0"},
               {"id", id},
               {"error", {{"code", static_cast<int>(code)}, {"message", message}}}});
}

}  // namespace lacuna::lsp
