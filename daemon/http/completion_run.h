// One completion from its order to its answer, in whichever protocol.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/fill_service.h"
#include "daemon/http/completion.h"
#include "daemon/http/exchange.h"
#include "daemon/http/metrics.h"

namespace lacuna::daemon::http {

struct CompletionChoice {
  std::string text;
  StopReason reason = StopReason::End;
  std::string stop_word;
  int tokens = 0;
  float probability = 0;  // mean of its tokens
};

struct CompletionAnswer {
  std::vector<CompletionChoice> choices;  // best first; at least one
  std::string model;
  int context_tokens = 0;  // of the canvas, around the hole
  int context_pieces = 0;  // that the model saw
  double queued_seconds = 0;
  double load_seconds = 0;
  double encode_seconds = 0;
  double denoise_seconds = 0;
  int steps = 0;
  int forward_passes = 0;
};

// How a protocol writes an answer. One object for each request.
class Dialect {
 public:
  virtual ~Dialect() = default;

  virtual Response whole(const CompletionAnswer& answer) = 0;
  // Of a stream: the bytes of a part, of the last part and what follows it, and of a failure.
  virtual std::string stream_type() const { return "text/event-stream"; }
  virtual std::string part(const std::string& text) = 0;
  virtual std::string last(const CompletionAnswer& answer, const std::string& text) = 0;
  virtual std::string failure(const Error& error) = 0;
};

// What completions share.
struct CompletionContext {
  FillService& fills;  // outlives every completion
  const Options& options;
  std::shared_ptr<Metrics> metrics;
  std::function<std::chrono::steady_clock::time_point()> now;
  // The answer to an error, in the form of the request's path.
  std::function<Response(const std::string& path, const Error& error)> error_response;
};

// Asks for the fill and answers the exchange; stops the work when the client goes away. A
// completion of no tokens is answered at once, without the engine.
void run_completion(const std::shared_ptr<const CompletionContext>& context,
                    std::shared_ptr<Exchange> exchange, Completion completion,
                    std::unique_ptr<Dialect> dialect, std::string document);

}  // namespace lacuna::daemon::http
