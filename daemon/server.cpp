#include "daemon/server.h"

#include <chrono>
#include <csignal>
#include <exception>
#include <map>
#include <poll.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/connection.h"
#include "daemon/engine_service.h"
#include "daemon/runtime_paths.h"
#include "daemon/work_queue.h"

namespace lacuna::daemon {
namespace {

namespace asio = boost::asio;
using Local = asio::local::stream_protocol;

// Each takes a socket, a document store and its place in the rounds.
constexpr std::size_t kMaxSessions = 1000;

class Server {
 public:
  explicit Server(ServerOptions options)
      : options_(std::move(options)),
        signals_(loop_, SIGTERM, SIGINT),
        idle_timer_(loop_),
        acceptor_(loop_),
        retry_timer_(loop_),
        fills_(loop_, std::move(options_.engine),
               {.max_queued = static_cast<std::size_t>(options_.settings.values.max_queued),
                .idle_unload_seconds =
                    options_.minute_seconds * options_.settings.values.idle_unload_minutes}) {
    for (const std::string& warning : options_.settings.warnings) {
      options_.log(LogLevel::Error, warning);
    }
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
      if (error) return;
      options_.log(LogLevel::Info, "ended by signal " + std::to_string(signal));
      stop();
    });
  }

  Result<void> start_companion() {
    if (!options_.companion) return {};
    auto made = options_.companion(loop_, fills_);
    if (!made) return made.error();
    companion_ = std::move(*made);
    return {};
  }

  void accept_from(int listener) {
    acceptor_.assign(Local(), listener);
    accept();
    arm_idle();
  }

  void add_connection(int in, int out, std::function<void(int)> on_end) {
    const std::uint64_t id = ++last_id_;
    SessionHost host{.fills = &fills_,
                     .settings = &options_.settings,
                     .send = {},
                     .log = options_.log,
                     .sessions =
                         [this] {
                           std::vector<SessionFacts> all;
                           all.reserve(connections_.size());
                           for (const auto& [key, it] : connections_) all.push_back(it->facts());
                           return all;
                         },
                     .end_daemon = {},
                     .in_background =
                         [this](std::function<void()> work, std::function<void()> done) {
                           return run_in_background(std::move(work), std::move(done));
                         },
                     .version = options_.version};
    if (acceptor_.is_open()) host.end_daemon = [this] { end_soon(); };
    connections_[id] = std::make_unique<Connection>(
        loop_, in, out, "session " + std::to_string(id), std::move(host),
        [this, id, on_end = std::move(on_end)](int code) {
          options_.log(LogLevel::Info, "session " + std::to_string(id) + ": ended");
          // Not from within the connection's own call.
          asio::post(loop_, [this, id] {
            connections_.erase(id);
            arm_idle();
          });
          if (on_end) on_end(code);
        });
  }

  // A bug in one handler must not end the sessions of others.
  void run() {
    for (;;) {
      try {
        loop_.run();
        return;
      } catch (const std::exception& error) {
        options_.log(LogLevel::Error, std::string("this is a bug: ") + error.what());
      }
    }
  }

  // After what has been written already has gone out.
  void end_soon() {
    options_.log(LogLevel::Info, "ended by an editor");
    retry_timer_.expires_after(std::chrono::milliseconds(200));
    retry_timer_.async_wait([this](const boost::system::error_code&) { stop(); });
  }

  void stop() {
    boost::system::error_code ignored;
    ignored = acceptor_.close(ignored);
    ignored = signals_.cancel(ignored);
    loop_.stop();
  }

 private:
  bool run_in_background(std::function<void()> work, std::function<void()> done) {
    return background_.submit(
        [this, work = std::move(work), done = std::move(done)](const std::stop_token& shutdown) {
          if (shutdown.stop_requested()) return;
          work();
          asio::post(loop_, done);
        });
  }

  void accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, Local::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) {  // most likely no descriptor is left: it would fail at once again
        options_.log(LogLevel::Error, "a session was refused: " + error.message());
        retry_timer_.expires_after(std::chrono::milliseconds(200));
        retry_timer_.async_wait([this](const boost::system::error_code& stopped) {
          if (!stopped) accept();
        });
        return;
      }
      welcome(std::move(socket));
      accept();
    });
  }

  void welcome(Local::socket socket) {
    if (!is_own_peer(socket.native_handle())) {
      return options_.log(LogLevel::Error, "a connection of another user was refused");
    }
    if (connections_.size() >= kMaxSessions) {
      return options_.log(LogLevel::Error, "a session was refused: there are too many");
    }
    idle_timer_.cancel();
    const int fd = socket.release();
    add_connection(fd, fd, {});
  }

  void arm_idle() {
    const int minutes = options_.settings.values.idle_exit_minutes;
    if (minutes <= 0 || !connections_.empty() || !acceptor_.is_open()) return;
    idle_timer_.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(
        std::chrono::duration<double>(options_.minute_seconds * minutes)));
    idle_timer_.async_wait([this](const boost::system::error_code& error) {
      if (error || !connections_.empty()) return;
      if (companion_ && companion_->is_in_use()) return arm_idle();
      options_.log(LogLevel::Info, "no session for a long time: the daemon ends");
      stop();
    });
  }

  ServerOptions options_;
  asio::io_context loop_{1};
  asio::signal_set signals_;
  asio::steady_timer idle_timer_;
  Local::acceptor acceptor_;
  asio::steady_timer retry_timer_;
  EngineService fills_;
  std::unique_ptr<Companion> companion_;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  WorkQueue background_{64};  // reads files; last: its thread ends first
};

// Waits for a daemon that ends: it listens no more, and holds its lock until its last step is done.
Result<FileLock> lock_of(const std::filesystem::path& socket) {
  constexpr std::chrono::seconds kEndLimit(10);
  constexpr int kPollMs = 10;
  const auto deadline = std::chrono::steady_clock::now() + kEndLimit;
  for (;;) {
    Result<FileLock> lock = FileLock::take(socket.string() + ".lock", false);
    if (lock || lock.error().code != ErrorCode::NotFound) return lock;
    if (const Result<int> connected = connect_to(socket)) {
      close(*connected);
      return fail(ErrorCode::NotFound, "a daemon listens at " + socket.string() + " already");
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(ErrorCode::Unavailable, "the daemon that listened at " + socket.string() +
                                              " does not end; kill it and try again");
    }
    poll(nullptr, 0, kPollMs);  // flock() cannot wait for a limited time
  }
}

}  // namespace

Result<void> serve_socket(const std::filesystem::path& socket, ServerOptions options) {
  const Result<FileLock> lock = lock_of(socket);
  if (!lock) return lock.error();
  const Result<int> listener = listen_at(socket);
  if (!listener) return listener.error();
  const auto log = options.log;
  Server server(std::move(options));
  server.accept_from(*listener);
  if (const Result<void> started = server.start_companion(); !started) {
    unlink(socket.c_str());
    return started;
  }
  log(LogLevel::Info, "listening at " + socket.string());
  server.run();
  unlink(socket.c_str());
  return {};
}

Result<int> serve_stdio(ServerOptions options) {
  int exit_code = 1;
  Server server(std::move(options));
  if (const Result<void> started = server.start_companion(); !started) return started.error();
  server.add_connection(dup(STDIN_FILENO), dup(STDOUT_FILENO), [&](int code) {
    exit_code = code;
    server.stop();
  });
  server.run();
  return exit_code;
}

}  // namespace lacuna::daemon
