#include "daemon/http/api.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

#include "daemon/http/json_fields.h"
#include "daemon/http/live_fill.h"
#include "daemon/http/page.h"
#include "daemon/http/server_info.h"

namespace lacuna::daemon::http {
namespace {

struct Route {
  std::string_view path;
  std::string_view method;  // GET is HEAD, too
  bool open = false;        // no token needed
};

constexpr std::array kRoutes = {
    Route{"/", "GET", true},          Route{"/health", "GET", true},
    Route{"/v1/health", "GET", true}, Route{"/models", "GET", true},
    Route{"/v1/models", "GET", true}, Route{"/props", "GET"},
    Route{"/metrics", "GET"},         Route{"/infill", "POST"},
    Route{"/completion", "POST"},     Route{"/completions", "POST"},
    Route{"/v1/completions", "POST"}, Route{"/v1/fim/completions", "POST"},
    Route{"/v1/events", "POST"},      Route{"/lacuna/fill", "POST"},
    Route{"/api/generate", "POST"},   Route{"/api/show", "POST"},
    Route{"/api/tags", "GET"},        Route{"/api/ps", "GET"},
    Route{"/api/version", "GET"},
};

// What clients try and Lacuna does not do.
constexpr std::array<std::string_view, 6> kUnsupported = {
    "/v1/chat/completions", "/chat/completions", "/api/chat",
    "/v1/embeddings",       "/embedding",        "/tokenize"};

const Route* find_route(std::string_view path) {
  const auto* found = std::find_if(kRoutes.begin(), kRoutes.end(),
                                   [path](const Route& route) { return route.path == path; });
  return found == kRoutes.end() ? nullptr : found;
}

bool is_method(const Route& route, std::string_view method) {
  return route.method == method || (route.method == "GET" && method == "HEAD");
}

std::string_view error_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 500:
      return "server_error";
    case 501:
      return "not_supported_error";
    case 503:
      return "unavailable_error";
    default:
      return "invalid_request_error";
  }
}

Response error_response(const std::string& path, int status, const std::string& message) {
  const bool ollama = path.compare(0, 5, "/api/") == 0;
  Response response;
  response.status = status;
  response.body = ollama ? ollama_error(message) : llama_error(status, message);
  if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

// Counts how requests end.
class CountedExchange : public Exchange {
 public:
  CountedExchange(std::shared_ptr<Exchange> exchange, std::shared_ptr<Metrics> metrics)
      : exchange_(std::move(exchange)), metrics_(std::move(metrics)) {}

  const Request& request() const override { return exchange_->request(); }
  void respond(Response response) override {
    count(response.status);
    exchange_->respond(std::move(response));
  }
  void begin_stream(std::string content_type) override {
    count(200);
    exchange_->begin_stream(std::move(content_type));
  }
  void send(std::string part, Loss loss) override { exchange_->send(std::move(part), loss); }
  void end_stream() override { exchange_->end_stream(); }
  void on_gone(std::function<void()> callback) override { exchange_->on_gone(std::move(callback)); }

 private:
  void count(int status) {
    const Route* route = find_route(request().path);
    ++metrics_->requests[{route == nullptr ? "other" : std::string(route->path), status}];
  }

  const std::shared_ptr<Exchange> exchange_;
  const std::shared_ptr<Metrics> metrics_;
};

}  // namespace

std::string llama_error(int status, const std::string& message) {
  return compact(nlohmann::ordered_json{
      {"error", {{"code", status}, {"message", message}, {"type", error_type(status)}}}});
}

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidInput:
      return 400;
    case ErrorCode::NotFound:
      return 404;
    case ErrorCode::Cancelled:  // the daemon is going down
    case ErrorCode::Unavailable:
      return 503;
    case ErrorCode::Corrupt:
    case ErrorCode::Internal:
      return 500;
  }
  return 500;
}

std::string sse(const std::string& json) { return "data: " + json + "\n\n"; }

Api::Api(FillService& fills, Options options)
    : fills_(fills), options_(std::move(options)), metrics_(std::make_shared<Metrics>()) {
  context_ = std::make_shared<CompletionContext>(
      CompletionContext{.fills = fills_,
                        .options = options_,
                        .metrics = metrics_,
                        .now = [] { return std::chrono::steady_clock::now(); },
                        .error_response =
                            [](const std::string& path, const Error& error) {
                              return error_response(path, status_of(error.code), error.message);
                            }});
}

void Api::set_clock(std::function<std::chrono::steady_clock::time_point()> now) {
  context_->now = std::move(now);
}

std::optional<Refusal> Api::check(const Request& request) const {
  const Route* route = find_route(request.path);
  return check_access(request, options_, route != nullptr && route->open);
}

Response Api::refuse(const std::string& path, int status, const std::string& message) {
  const Route* route = find_route(path);
  ++metrics_->requests[{route == nullptr ? "other" : std::string(route->path), status}];
  return error_response(path, status, message);
}

void Api::handle(std::shared_ptr<Exchange> exchange) {
  const auto counted = std::make_shared<CountedExchange>(std::move(exchange), metrics_);
  const Request& request = counted->request();
  const Route* route = find_route(request.path);
  if (route == nullptr) {
    const bool known =
        std::find(kUnsupported.begin(), kUnsupported.end(), request.path) != kUnsupported.end();
    return counted->respond(
        known
            ? error_response(request.path, 501, "Lacuna fills gaps in code, and does nothing else")
            : error_response(request.path, 404, "there is nothing at this path"));
  }
  if (!is_method(*route, request.method)) {
    Response response =
        error_response(request.path, 405,
                       std::string(route->path) + " is asked with " + std::string(route->method));
    response.headers.emplace_back("Allow", route->method);
    return counted->respond(std::move(response));
  }
  try {
    this->route(counted);
  } catch (const std::exception&) {  // a bug, or no memory: of this request only
    counted->respond(error_response(request.path, 500, "this request could not be served"));
  }
}

void Api::route(const std::shared_ptr<Exchange>& exchange) {
  const std::string& path = exchange->request().path;
  const EngineState engine = fills_.state();
  if (path == "/") return exchange->respond(page());
  if (path == "/health" || path == "/v1/health") return exchange->respond(health(engine));
  if (path == "/models" || path == "/v1/models") return exchange->respond(models(engine));
  if (path == "/props") return exchange->respond(props(engine));
  if (path == "/metrics") {
    return exchange->respond({.content_type = "text/plain; version=0.0.4; charset=utf-8",
                              .body = prometheus_text(*metrics_, engine)});
  }
  if (path == "/infill") return complete(exchange, parse_infill);
  if (path == "/completion" || path == "/completions") return complete(exchange, parse_llama);
  if (path == "/v1/completions") {
    return complete(exchange, [](const nlohmann::json& body, const ServerFacts& facts) {
      const bool tabby = body.contains("segments") && !body.contains("prompt");
      return tabby ? parse_tabby(body, facts) : parse_openai(body, facts);
    });
  }
  if (path == "/v1/fim/completions") return complete(exchange, parse_mistral);
  if (path == "/lacuna/fill") return live_fill(exchange);
  if (path == "/api/generate") return complete(exchange, parse_ollama);
  if (path == "/api/show") return exchange->respond(ollama_show(engine));
  if (path == "/api/tags") return exchange->respond(ollama_tags(engine));
  if (path == "/api/ps") return exchange->respond(ollama_running(engine));
  if (path == "/api/version") return exchange->respond(ollama_version());
  exchange->respond({.body = "{}"});  // /v1/events: nothing is kept of what users accept
}

void Api::complete(const std::shared_ptr<Exchange>& exchange, Parse parse) {
  const Request& request = exchange->request();
  const auto body = parse_object(request.body);
  if (!body) return exchange->respond(error_response(request.path, 400, body.error().message));
  Result<ParsedCompletion> parsed = parse(*body, facts());
  if (!parsed) {
    return exchange->respond(
        error_response(request.path, status_of(parsed.error().code), parsed.error().message));
  }
  run_completion(context_, exchange, std::move(parsed->completion), std::move(parsed->dialect),
                 next_document());
}

void Api::live_fill(const std::shared_ptr<Exchange>& exchange) {
  const Request& request = exchange->request();
  const auto body = parse_object(request.body);
  if (!body) return exchange->respond(error_response(request.path, 400, body.error().message));
  Result<FillOrder> order = parse_live_fill(*body, options_, next_document());
  if (!order) return exchange->respond(error_response(request.path, 400, order.error().message));
  run_live_fill(context_, exchange, std::move(*order));
}

ServerFacts Api::facts() {
  const EngineState engine = fills_.state();
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {.model = model_name(engine),
          .max_canvas = engine.model.max_canvas,
          .time = std::chrono::duration_cast<std::chrono::seconds>(now).count(),
          .number = ++last_number_};
}

std::string Api::next_document() { return "http:" + std::to_string(++last_number_); }

}  // namespace lacuna::daemon::http
