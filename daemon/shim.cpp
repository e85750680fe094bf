#include "daemon/shim.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <deque>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <unistd.h>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "daemon/replay.h"
#include "lsp/framing.h"
#include "lsp/json_rpc.h"

namespace lacuna::daemon {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kPauseAt = std::size_t{16} << 20;
constexpr std::chrono::seconds kProcessCheck(2);
// A daemon that dies again and again is not started for ever.
constexpr int kMaxRestarts = 5;
constexpr std::chrono::minutes kRestartWindow(3);
constexpr std::chrono::milliseconds kRetry(50);
constexpr int kMaxSilent = 200;

// Not inherited: a daemon that is started must not hold the editor's pipes.
int duplicate(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 0); }

bool is_alive(std::int64_t pid) { return kill(static_cast<pid_t>(pid), 0) == 0 || errno != ESRCH; }

// One direction's end: a descriptor that is read in bodies, or written in frames.
class Reader {
 public:
  Reader(asio::io_context& loop, int fd) : stream(loop, fd) {}

  asio::posix::stream_descriptor stream;
  lsp::FrameReader frames;
  std::array<char, 1 << 16> buffer{};
  bool reading = false;
};

class Writer {
 public:
  Writer(asio::io_context& loop, int fd) : stream(loop, fd) {}

  asio::posix::stream_descriptor stream;
  std::deque<std::string> waiting;
  std::size_t unsent = 0;
  bool writing = false;
};

class Shim {
 public:
  explicit Shim(ShimOptions options)
      : options_(std::move(options)),
        process_timer_(loop_),
        retry_timer_(loop_),
        editor_in_(std::make_shared<Reader>(loop_, duplicate(STDIN_FILENO))),
        editor_out_(std::make_shared<Writer>(loop_, duplicate(STDOUT_FILENO))) {}

  Result<int> run() {
    if (const Result<void> connected = connect(); !connected) return connected.error();
    read_editor();
    loop_.run();
    if (failure_) return *failure_;
    return exit_code_;
  }

 private:
  Result<void> connect() {
    const Result<int> socket = options_.connect();
    if (!socket) return socket.error();
    daemon_in_ = std::make_shared<Reader>(loop_, *socket);
    daemon_out_ = std::make_shared<Writer>(loop_, duplicate(*socket));
    read_daemon();
    return {};
  }

  void read_editor() {
    if (ending_ || editor_in_->reading) return;
    if (!resting_ && daemon_out_->unsent > kPauseAt) return;
    editor_in_->reading = true;
    editor_in_->stream.async_read_some(
        asio::buffer(editor_in_->buffer),
        [this](const boost::system::error_code& error, std::size_t size) {
          editor_in_->reading = false;
          if (error) return end(replay_.exit_code());
          editor_in_->frames.push({editor_in_->buffer.data(), size});
          for (;;) {
            Result<std::optional<std::string>> body = editor_in_->frames.next();
            if (!body) return refuse_editor(body.error().message);
            if (!*body) break;
            replay_.from_client(**body);
            if (resting_) {
              rest();
            } else {
              write(daemon_out_, **body);
            }
            if (ending_) return;
            watch_process();
          }
          read_editor();
        });
  }

  void refuse_editor(const std::string& why) {
    options_.log(why);
    write(editor_out_, lsp::error_response(nullptr, lsp::RpcError::ParseError, why));
    end_when_written(1);
  }

  // Without a daemon, whose end the editor wanted, until a request needs one.
  void rest() {
    resting_ = true;
    for (const std::string& body : replay_.answer_without_daemon()) write(editor_out_, body);
    if (replay_.saw_exit()) return end_when_written(replay_.exit_code());
    if (replay_.needs_no_daemon()) return read_editor();
    resting_ = false;
    reconnect();
  }

  void read_daemon() {
    if (ending_ || daemon_in_->reading || editor_out_->unsent > kPauseAt) return;
    daemon_in_->reading = true;
    daemon_in_->stream.async_read_some(
        asio::buffer(daemon_in_->buffer),
        [this, reader = daemon_in_](const boost::system::error_code& error, std::size_t size) {
          reader->reading = false;
          if (reader != daemon_in_) return;  // of a daemon that is gone
          if (error) return daemon_gone();
          reader->frames.push({reader->buffer.data(), size});
          for (;;) {
            Result<std::optional<std::string>> body = reader->frames.next();
            if (!body) return daemon_gone();
            if (!*body) break;
            hear();
            if (replay_.from_daemon(**body)) write(editor_out_, **body);
            check_version();
          }
          read_daemon();
        });
  }

  void daemon_gone() {
    if (ending_) return;
    if (replay_.saw_exit()) return end(replay_.exit_code());
    boost::system::error_code ignored;
    ignored = daemon_in_->stream.close(ignored);
    ignored = daemon_out_->stream.close(ignored);
    if (replay_.needs_no_daemon()) return rest();
    if (!heard_) {
      // It was dying when it was connected to: its socket goes last.
      if (++silent_ > kMaxSilent) {
        return give_up(fail(ErrorCode::Unavailable, "the daemon does not answer; see its log"));
      }
      retry_timer_.expires_after(kRetry);
      retry_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) reconnect();
      });
      return;
    }
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(restarts_, [&](auto then) { return now - then > kRestartWindow; });
    restarts_.push_back(now);
    if (restarts_.size() > kMaxRestarts) {
      return give_up(fail(ErrorCode::Unavailable, "the daemon ends again and again; see its log"));
    }
    options_.log("the daemon is gone; connecting again");
    reconnect();
  }

  void reconnect() {
    heard_ = false;
    announce_ = true;
    if (const Result<void> connected = connect(); !connected) return give_up(connected.error());
    const Replay::Restart restart = replay_.restart();
    for (const std::string& body : restart.to_daemon) write(daemon_out_, body);
    for (const std::string& body : restart.to_client) write(editor_out_, body);
    read_editor();
  }

  void hear() {
    heard_ = true;
    silent_ = 0;
    if (!std::exchange(announce_, false)) return;
    write(editor_out_,
          lsp::notification("window/logMessage",
                            {{"type", 3}, {"message", "Lacuna: the daemon was started again"}}));
  }

  void give_up(Error error) {
    failure_ = std::move(error);
    end(1);
  }

  void check_version() {
    if (version_checked_ || replay_.daemon_version().empty()) return;
    version_checked_ = true;
    if (replay_.daemon_version() == options_.version) return;
    const std::string text = "Lacuna: the daemon is version " + replay_.daemon_version() +
                             ", this is " + options_.version +
                             "; end the daemon to use the new one";
    write(editor_out_, lsp::notification("window/logMessage", {{"type", 2}, {"message", text}}));
  }

  void write(const std::shared_ptr<Writer>& writer, std::string_view body) {
    writer->waiting.push_back(lsp::frame(body));
    writer->unsent += writer->waiting.back().size();
    write_next(writer);
  }

  void write_next(const std::shared_ptr<Writer>& writer) {
    if (writer->writing || writer->waiting.empty()) return;
    writer->writing = true;
    asio::async_write(writer->stream, asio::buffer(writer->waiting.front()),
                      [this, writer](const boost::system::error_code& error, std::size_t) {
                        writer->writing = false;
                        if (error) {
                          // The daemon's end is noticed where it is read; the editor's is here.
                          if (writer == editor_out_) end(replay_.exit_code());
                          return;
                        }
                        writer->unsent -= writer->waiting.front().size();
                        writer->waiting.pop_front();
                        if (ending_ && writer == editor_out_ && writer->waiting.empty()) {
                          return end(exit_code_);
                        }
                        write_next(writer);
                        read_editor();
                        read_daemon();
                      });
  }

  void watch_process() {
    if (watched_ || !replay_.client_process_id()) return;
    watched_ = true;
    if (*replay_.client_process_id() > 0 && is_alive(*replay_.client_process_id())) check_process();
  }

  void check_process() {
    process_timer_.expires_after(kProcessCheck);
    process_timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      if (!is_alive(*replay_.client_process_id())) return end(1);
      check_process();
    });
  }

  void end_when_written(int exit_code) {
    ending_ = true;
    exit_code_ = exit_code;
    if (!editor_out_->writing) end(exit_code);
  }

  void end(int exit_code) {
    exit_code_ = exit_code;
    ending_ = true;
    loop_.stop();
  }

  ShimOptions options_;
  asio::io_context loop_{1};
  asio::steady_timer process_timer_;
  asio::steady_timer retry_timer_;
  Replay replay_;
  std::shared_ptr<Reader> editor_in_;
  std::shared_ptr<Writer> editor_out_;
  std::shared_ptr<Reader> daemon_in_;
  std::shared_ptr<Writer> daemon_out_;
  std::deque<std::chrono::steady_clock::time_point> restarts_;
  std::optional<Error> failure_;
  int exit_code_ = 1;
  bool ending_ = false;
  bool resting_ = false;  // there is no daemon, and nobody needs one
  bool watched_ = false;
  bool version_checked_ = false;
  bool heard_ = false;     // something, of this daemon
  bool announce_ = false;  // the editor is to be told of a new daemon
  int silent_ = 0;         // daemons in a row that said nothing
};

}  // namespace

Result<int> run_shim(ShimOptions options) { return Shim(std::move(options)).run(); }

}  // namespace lacuna::daemon
