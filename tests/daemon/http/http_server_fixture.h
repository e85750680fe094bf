// The real server on a free port of loopback, with a scripted engine, on a loop of its own thread.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "daemon/http/server.h"
#include "tests/daemon/http/http_client.h"
#include "tests/daemon/scripted_fill_service.h"

namespace lacuna::daemon::http {

class TestServer {
 public:
  explicit TestServer(Options options = {})
      : fills([this](std::function<void()> job) { boost::asio::post(loop_, std::move(job)); }) {
    options.port = 0;
    auto listening = Server::listen(loop_, fills, std::move(options),
                                    [this](const std::string& line) { log.push_back(line); });
    if (!listening) throw std::runtime_error(listening.error().message);
    server = std::move(*listening);
    port = server->port();
    thread_ = std::thread([this] { loop_.run(); });
  }

  ~TestServer() {
    on_loop([this] { server.reset(); });
    guard_.reset();
    thread_.join();
  }

  // Runs `f` on the loop's thread and returns what it returns.
  template <class F>
  std::invoke_result_t<F> on_loop(F f) {
    std::packaged_task<std::invoke_result_t<F>()> task(std::move(f));
    auto result = task.get_future();
    boost::asio::post(loop_, [&task] { task(); });
    return result.get();
  }

  // Waits until `condition` holds on the loop; false after 20 s.
  bool wait_until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      if (on_loop(condition)) return true;
      std::this_thread::yield();
    }
    return false;
  }

  // Every order is answered with these fills, one alternative for each wanted.
  void answer_with(std::string text) {
    on_loop([&] {
      fills.set_script([text](const FillOrder& order) -> Result<FillAnswer> {
        FillAnswer answer = answer_of({text});
        for (int i = 1; i < order.alternatives; ++i) {
          answer.alternatives.push_back(result_of({text + std::to_string(i)}));
        }
        answer.denoise_seconds = 0.25;
        return answer;
      });
    });
  }

  // Waits for an order and returns its id.
  FillId next_order() {
    FillId id = 0;
    wait_until([&] {
      if (fills.open().empty()) return false;
      id = fills.open().rbegin()->first;
      return true;
    });
    return id;
  }

 private:
  boost::asio::io_context loop_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{
      loop_.get_executor()};

 public:
  ScriptedFillService fills;       // only on the loop
  std::unique_ptr<Server> server;  // only on the loop
  std::vector<std::string> log;    // only on the loop
  std::uint16_t port = 0;

 private:
  std::thread thread_;
};

// The state of one hole: nullopt-like masks are empty texts.
inline FillStep step_of(int step, const std::vector<std::string>& tokens) {
  FillStep state;
  state.step = step;
  state.steps = static_cast<int>(tokens.size());
  FillStep::HoleState hole{.hole = 0, .tokens = {}};
  for (const std::string& token : tokens) {
    const bool masked = token == "?";
    hole.tokens.push_back({masked, masked ? "" : token, masked ? 0.0F : 0.5F});
    state.masks_left += masked ? 1 : 0;
    ++state.masks_total;
  }
  state.holes.push_back(std::move(hole));
  return state;
}

}  // namespace lacuna::daemon::http
