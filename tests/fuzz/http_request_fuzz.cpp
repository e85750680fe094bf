// Whatever a client sends to any path, there is one answer, and orders to the engine are in order.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/http/api.h"
#include "tests/daemon/scripted_fill_service.h"

namespace {

using namespace lacuna::daemon;  // NOLINT(google-build-using-namespace): its subject
using http::Exchange;

// Ends the process when a handler answers twice or mixes the two ways to answer.
class StrictExchange : public Exchange {
 public:
  explicit StrictExchange(http::Request request) : request_(std::move(request)) {}

  const http::Request& request() const override { return request_; }
  void respond(http::Response response) override {
    if (ended_ || streaming_ || response.status < 200) std::abort();
    ended_ = true;
  }
  void begin_stream(std::string) override {
    if (ended_ || streaming_) std::abort();
    streaming_ = true;
  }
  void send(std::string, Loss) override {
    if (ended_ || !streaming_) std::abort();
  }
  void end_stream() override {
    if (ended_ || !streaming_) std::abort();
    ended_ = true;
  }
  void on_gone(std::function<void()>) override {}

  bool ended() const { return ended_; }

 private:
  const http::Request request_;
  bool streaming_ = false;
  bool ended_ = false;
};

// What the real service would refuse, a front end must have refused, and its holes must be holes.
lacuna::Result<FillAnswer> answer(const FillOrder& order) {
  std::vector<lacuna::engine::Hole> holes = order.holes;
  if (holes.empty() || !lacuna::engine::check_and_sort(order.text, holes)) std::abort();
  if (order.alternatives < 1 || order.options.max_hole_tokens < 1) std::abort();
  if (!lacuna::engine::check(order.options.sampling)) std::abort();
  return answer_of(std::vector<std::string>(holes.size(), "a\n  b \xC3\xA9"));
}

}  // namespace

// The first line is the path, the rest the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line_end = input.find('\n');
  if (line_end == std::string_view::npos) return 0;
  http::Request request;
  request.method = "POST";
  request.path = input.substr(0, line_end);
  request.headers = {{"Host", "localhost"}};
  request.body = input.substr(line_end + 1);

  std::deque<std::function<void()>> jobs;
  ScriptedFillService fills([&jobs](std::function<void()> job) { jobs.push_back(std::move(job)); });
  fills.set_script(answer);
  const auto api = std::make_shared<http::Api>(fills, http::Options());
  const auto exchange = std::make_shared<StrictExchange>(std::move(request));
  api->check(exchange->request());
  api->handle(exchange);
  if (!fills.open().empty()) {
    FillStep step;
    step.holes.push_back({.hole = 0,
                          .tokens = {{.masked = false, .text = "a\n", .probability = 0.5F},
                                     {.masked = false, .text = "  b \xC3", .probability = 0.5F},
                                     {.masked = true, .text = {}, .probability = 0}}});
    fills.step(fills.open().begin()->first, step);
  }
  while (!jobs.empty()) {
    const auto job = std::move(jobs.front());
    jobs.pop_front();
    job();
  }
  if (!exchange->ended()) std::abort();
  return 0;
}
