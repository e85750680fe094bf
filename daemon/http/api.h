// The paths of the server and what answers them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "daemon/fill_service.h"
#include "daemon/http/access.h"
#include "daemon/http/completion_run.h"
#include "daemon/http/exchange.h"
#include "daemon/http/metrics.h"
#include "daemon/http/protocols.h"

namespace lacuna::daemon::http {

class Api : public std::enable_shared_from_this<Api> {
 public:
  // `fills` outlives the exchanges.
  Api(FillService& fills, Options options);

  // What forbids a request, seen when its header has come.
  std::optional<Refusal> check(const Request& request) const;

  // Answers, at once or later. A bug in an answer is answered with 500.
  void handle(std::shared_ptr<Exchange> exchange);

  // The answer to what is refused before it comes here.
  Response refuse(const std::string& path, int status, const std::string& message);

  Metrics& metrics() { return *metrics_; }
  // For tests of deadlines.
  void set_clock(std::function<std::chrono::steady_clock::time_point()> now);

 private:
  void route(const std::shared_ptr<Exchange>& exchange);
  using Parse = Result<ParsedCompletion> (*)(const nlohmann::json&, const ServerFacts&);
  void complete(const std::shared_ptr<Exchange>& exchange, Parse parse);
  void live_fill(const std::shared_ptr<Exchange>& exchange);

  ServerFacts facts();
  std::string next_document();

  FillService& fills_;
  const Options options_;
  const std::shared_ptr<Metrics> metrics_;
  std::shared_ptr<CompletionContext> context_;
  std::uint64_t last_number_ = 0;
};

}  // namespace lacuna::daemon::http
