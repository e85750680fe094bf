#include "daemon/connection.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <deque>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "lsp/framing.h"
#include "lsp/json_rpc.h"

namespace lacuna::daemon {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kPauseAt = std::size_t{1} << 20;
constexpr std::size_t kEndAt = std::size_t{64} << 20;
constexpr std::chrono::seconds kProcessCheck(2);

bool is_alive(std::int64_t pid) { return kill(static_cast<pid_t>(pid), 0) == 0 || errno != ESRCH; }

}  // namespace

struct Connection::Impl : std::enable_shared_from_this<Connection::Impl> {
  Impl(asio::io_context& io, int in_fd, int out_fd, std::string session_name, SessionHost host,
       std::function<void(int)> end)
      : loop(io),
        in(io, in_fd),
        out(io, in_fd == out_fd ? dup(out_fd) : out_fd),
        process_timer(io),
        name(std::move(session_name)),
        log(host.log),
        on_end(std::move(end)) {
    host.send = [this](std::string body) { send(body); };
    session = std::make_unique<Session>(name, std::move(host));
  }

  void read() {
    if (ended || closing || reading) return;
    if (unsent > kPauseAt) return;  // goes on when the client has read
    reading = true;
    in.async_read_some(
        asio::buffer(buffer),
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t size) {
          self->reading = false;
          if (self->ended) return;
          if (error) return self->end(1);
          self->frames.push({self->buffer.data(), size});
          self->handle();
          self->read();
        });
  }

  void handle() {
    while (!ended && !closing) {
      Result<std::optional<std::string>> body = frames.next();
      if (!body) {
        log(LogLevel::Error, name + ": " + body.error().message);
        send(lsp::error_response(nullptr, lsp::RpcError::ParseError, body.error().message));
        return close_when_sent(1);
      }
      if (!*body) return;
      session->receive(**body);
      if (session->has_exited()) return close_when_sent(session->exit_code());
      watch_process();
    }
  }

  // An editor that was killed may leave its pipes open in a child of its own.
  void watch_process() {
    if (watched || session->client_process_id() <= 0) return;
    watched = true;
    // In a container the editor's number may mean nothing here.
    if (is_alive(session->client_process_id())) check_process();
  }

  void check_process() {
    process_timer.expires_after(kProcessCheck);
    process_timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (error || !self || self->ended) return;
      if (!is_alive(self->session->client_process_id())) return self->end(1);
      self->check_process();
    });
  }

  void send(const std::string& body) {
    if (ended) return;
    unsent += body.size();
    if (unsent > kEndAt) {
      log(LogLevel::Error, name + ": the client does not read; it is cut off");
      asio::post(loop, [self = shared_from_this()] { self->end(1); });
      return;
    }
    waiting.push_back(lsp::frame(body));
    sizes.push_back(body.size());
    write();
  }

  void write() {
    if (writing || waiting.empty() || ended) return;
    writing = true;
    asio::async_write(
        out, asio::buffer(waiting.front()),
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
          self->writing = false;
          if (self->ended) return;
          if (error) return self->end(1);
          self->unsent -= self->sizes.front();
          self->waiting.pop_front();
          self->sizes.pop_front();
          if (self->waiting.empty() && self->closing) return self->end(self->code);
          self->write();
          self->read();
        });
  }

  void close_when_sent(int exit_code) {
    closing = true;
    code = exit_code;
    if (waiting.empty()) asio::post(loop, [self = shared_from_this()] { self->end(self->code); });
  }

  void end(int exit_code) {
    if (ended) return;
    ended = true;
    session.reset();
    boost::system::error_code ignored;
    process_timer.cancel();
    ignored = in.close(ignored);
    ignored = out.close(ignored);
    if (on_end) on_end(exit_code);
  }

  asio::io_context& loop;
  asio::posix::stream_descriptor in;
  asio::posix::stream_descriptor out;
  asio::steady_timer process_timer;
  std::string name;
  std::function<void(LogLevel, const std::string&)> log;
  std::function<void(int)> on_end;
  std::unique_ptr<Session> session;
  lsp::FrameReader frames;
  std::array<char, 1 << 16> buffer{};
  std::deque<std::string> waiting;  // the first is being written
  std::deque<std::size_t> sizes;
  std::size_t unsent = 0;
  int code = 1;
  bool reading = false;
  bool writing = false;
  bool closing = false;
  bool ended = false;
  bool watched = false;
};

Connection::Connection(asio::io_context& loop, int in, int out, std::string name, SessionHost host,
                       std::function<void(int)> on_end)
    : impl_(std::make_shared<Impl>(loop, in, out, std::move(name), std::move(host),
                                   std::move(on_end))) {
  impl_->read();
}

SessionFacts Connection::facts() const {
  if (impl_->session == nullptr) return {.name = impl_->name, .client = {}, .settings = "{}"};
  return impl_->session->facts();
}

Connection::~Connection() {
  impl_->on_end = nullptr;
  impl_->end(1);
}

}  // namespace lacuna::daemon
