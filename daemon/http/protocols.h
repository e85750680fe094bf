// The protocols of completions: each reads a request's body and knows how to write the answer.
//
// docs/http.md has a request and an answer of each, and names the clients.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "daemon/http/completion.h"
#include "daemon/http/completion_run.h"
#include "support/result.h"

namespace lacuna::daemon::http {

// What answers tell of the server.
struct ServerFacts {
  std::string model;         // name of the model, even before it is loaded
  int max_canvas = 0;        // tokens
  std::int64_t time = 0;     // of the request, in seconds since 1970
  std::uint64_t number = 0;  // of the request
};

struct ParsedCompletion {
  Completion completion;
  std::unique_ptr<Dialect> dialect;
};

// A request asks for at most this many alternatives.
inline constexpr int kMaxAlternatives = 8;
// At most this many pieces of context are read.
inline constexpr std::size_t kMaxContextPieces = 256;
inline constexpr std::size_t kMaxStopWords = 64;

// llama.cpp's POST /infill. InvalidInput in all of these, in llama.cpp's words where it has some.
Result<ParsedCompletion> parse_infill(const nlohmann::json& body, const ServerFacts& facts);
// llama.cpp's POST /completion, with sentinels in the prompt.
Result<ParsedCompletion> parse_llama(const nlohmann::json& body, const ServerFacts& facts);
// OpenAI's POST /v1/completions, with `suffix` or with sentinels in the prompt.
Result<ParsedCompletion> parse_openai(const nlohmann::json& body, const ServerFacts& facts);
// Mistral's POST /v1/fim/completions.
Result<ParsedCompletion> parse_mistral(const nlohmann::json& body, const ServerFacts& facts);
// Ollama's POST /api/generate.
Result<ParsedCompletion> parse_ollama(const nlohmann::json& body, const ServerFacts& facts);
// Tabby's POST /v1/completions, which has `segments`.
Result<ParsedCompletion> parse_tabby(const nlohmann::json& body, const ServerFacts& facts);

// {"error":{"code":...,"message":...,"type":...}}, as llama.cpp and OpenAI write it.
std::string llama_error(int status, const std::string& message);
// {"error":"..."}
std::string ollama_error(const std::string& message);

int status_of(ErrorCode code);  // of HTTP

std::string sse(const std::string& json);  // "data: ...\n\n"

}  // namespace lacuna::daemon::http
