// JSON-RPC 2.0 as LSP uses it: requests, notifications and responses; no batches.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lsp/json.h"
#include "support/result.h"

namespace lacuna::lsp {

// The codes of JSON-RPC and of LSP 3.18 that we send.
enum class RpcError : int {
  ParseError = -32700,
  InvalidRequest = -32600,
  MethodNotFound = -32601,
  InvalidParams = -32602,
  InternalError = -32603,
  ServerNotInitialized = -32002,
  RequestCancelled = -32800,
  ContentModified = -32801,
  RequestFailed = -32803,
};

struct Message {
  enum class Kind : std::uint8_t { Request, Notification, Response };

  Kind kind = Kind::Notification;
  Json id;  // string or number; null in notifications
  std::string method;
  Json params;  // object, array or null
  Json result;  // of a response without error
  Json error;   // of a response; null when there is none
};

// Nesting beyond it is refused: what walks a value recurses.
inline constexpr int kMaxJsonDepth = 128;

// The value of a text. InvalidInput for what is not JSON, not UTF-8 or nested too deep.
Result<Json> parse_json(std::string_view text);

struct BadMessage {
  RpcError code;  // ParseError or InvalidRequest
  Json id;        // of the request that is to be answered with it; may be null
  std::string message;
};

// Reads a body. Where it is none, `bad` says what to answer and the result is empty.
std::optional<Message> parse_message(std::string_view body, BadMessage& bad);

// Bodies, without frame. Bytes that are not UTF-8 become U+FFFD.
std::string request(const Json& id, std::string_view method, Json params);
std::string notification(std::string_view method, Json params);
std::string response(const Json& id, Json result);
std::string error_response(const Json& id, RpcError code, std::string_view message);

}  // namespace lacuna::lsp
