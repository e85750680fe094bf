#include "daemon/http/connection.h"

#include <chrono>
#include <cstdio>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>

#include "daemon/http/ascii.h"

namespace lacuna::daemon::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;

// Of further requests while one is being worked on.
constexpr std::size_t kMaxReadAhead = std::size_t{64} << 10;
constexpr double kLingerSeconds = 2;

std::chrono::nanoseconds duration(double seconds) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(seconds));
}

std::string text(beast::string_view view) { return {view.data(), view.size()}; }

// The status and message for bytes that the parser did not take.
std::pair<int, std::string> describe(const beast::error_code& error) {
  if (error == beast::http::error::header_limit) return {431, "the request's header is too long"};
  if (error == beast::http::error::body_limit) return {413, "the request's body is too long"};
  return {400, "not an HTTP request: " + error.message()};
}

}  // namespace

// The answer to one request. The connection forgets it as soon as it is complete or the client is
// gone; what a handler does with it afterwards has no effect.
class Connection::Answer final : public Exchange {
 public:
  Answer(std::shared_ptr<Connection> connection, Request request)
      : connection_(std::move(connection)), request_(std::move(request)) {}

  const Request& request() const override { return request_; }

  void respond(Response response) override {
    if (!connection_) return;
    const std::shared_ptr<Connection> connection = release();
    std::string bytes = connection->head_of(response.status, response.content_type,
                                            response.headers, response.body.size());
    if (!connection->head_only_) bytes += response.body;
    connection->queue(std::move(bytes));
    connection->answer_complete();
  }

  void begin_stream(std::string content_type) override {
    if (!connection_) return;
    if (!connection_->chunked_) connection_->keep_alive_ = false;
    connection_->queue(connection_->head_of(200, content_type, {}, {}));
  }

  void send(std::string part, Loss loss) override {
    if (!connection_ || part.empty()) return;
    const std::size_t waiting = connection_->out_bytes_;
    if (loss == Loss::Allowed && waiting > connection_->limits_.lossy_queue_bytes) return;
    if (waiting > connection_->limits_.max_queue_bytes) {
      connection_->hooks_->log("a client that does not read its answer was cut off");
      const std::shared_ptr<Connection> connection = connection_;
      connection->close();
      return;
    }
    connection_->queue(connection_->chunked_ ? chunk(part) : std::move(part));
  }

  void end_stream() override {
    if (!connection_) return;
    const std::shared_ptr<Connection> connection = release();
    if (connection->chunked_) connection->queue("0\r\n\r\n");
    connection->answer_complete();
  }

  void on_gone(std::function<void()> callback) override { gone_ = std::move(callback); }

  // The client has gone.
  void abandon() {
    const std::shared_ptr<Connection> connection = std::move(connection_);
    connection_.reset();
    if (const auto gone = std::exchange(gone_, nullptr)) gone();
  }

 private:
  std::shared_ptr<Connection> release() {
    gone_ = nullptr;
    return std::exchange(connection_, nullptr);
  }

  static std::string chunk(const std::string& part) {
    char size[24];
    const int n = std::snprintf(size, sizeof(size), "%zx\r\n", part.size());
    return std::string(size, static_cast<std::size_t>(n)) + part + "\r\n";
  }

  std::shared_ptr<Connection> connection_;  // null when there is nothing more to answer
  const Request request_;
  std::function<void()> gone_;
};

Connection::Connection(asio::ip::tcp::socket socket, const Limits& limits,
                       std::shared_ptr<const ConnectionHooks> hooks, std::function<void()> closed)
    : socket_(std::move(socket)),
      deadline_(socket_.get_executor()),
      write_deadline_(socket_.get_executor()),
      limits_(limits),
      hooks_(std::move(hooks)),
      closed_(std::move(closed)) {}

void Connection::start() {
  beast::error_code ignored;
  ignored = socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  expect_request();
  read();
}

void Connection::start_refused() {
  keep_alive_ = false;
  request_.path = "/";
  refuse(503, "too many connections; try again in a moment");
  read();
}

void Connection::close() {
  if (state_ == State::Closed) return;
  state_ = State::Closed;
  beast::error_code ignored;
  ignored = socket_.close(ignored);
  deadline_.cancel();
  write_deadline_.cancel();
  out_.clear();
  out_bytes_ = 0;
  if (const auto answer = std::exchange(answer_, nullptr)) answer->abandon();
  if (const auto closed = std::exchange(closed_, nullptr)) closed();
}

void Connection::expect_request() {
  state_ = State::Receiving;
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(limits_.max_header_bytes));
  parser_->body_limit(limits_.max_body_bytes);
  header_accepted_ = false;
  request_ = {};
  set_deadline(limits_.idle_seconds);
}

// What is received now belongs to requests that come later.
bool Connection::reads_ahead() const {
  return state_ == State::Working || (state_ == State::Draining && keep_alive_);
}

void Connection::read() {
  if (reading_ || client_finished_ || state_ == State::Closed) return;
  if (reads_ahead() && unread_.size() >= kMaxReadAhead) return;
  reading_ = true;
  socket_.async_read_some(asio::buffer(incoming_),
                          [self = shared_from_this()](beast::error_code error, std::size_t n) {
                            self->on_read(error, n);
                          });
}

void Connection::on_read(beast::error_code error, std::size_t n_bytes) {
  reading_ = false;
  if (state_ == State::Closed) return;
  if (error) {
    client_finished_ = true;
    // A client that ends its side has what is already on its way written to it, nothing more.
    if (error != asio::error::eof || answer_ || out_.empty()) return close();
    keep_alive_ = false;
    return;
  }
  if (state_ == State::Receiving || reads_ahead()) unread_.append(incoming_.data(), n_bytes);
  receive();
  read();
}

void Connection::receive() {
  while (state_ == State::Receiving && !unread_.empty()) {
    if (!parser_->got_some()) set_deadline(limits_.request_seconds);
    beast::error_code error;
    unread_.erase(0, parser_->put(asio::buffer(unread_), error));
    if (error && error != beast::http::error::need_more) {
      const auto [status, message] = describe(error);
      return refuse(status, message);
    }
    if (parser_->is_header_done() && !header_accepted_) {
      header_accepted_ = true;
      if (!accept_header()) return;
      parser_->eager(true);
      if (!parser_->is_done()) continue;
    }
    if (parser_->is_done()) return dispatch();
    if (error) {  // more is needed; the parser has no bound for the header of a chunk
      if (unread_.size() > limits_.max_header_bytes) refuse(400, "not an HTTP request");
      return;
    }
  }
}

// Fills request_ from the header; false when the request is refused.
bool Connection::accept_header() {
  const auto& message = parser_->get();
  const std::string target = text(message.target());
  request_.method = text(message.method_string());
  request_.path = target.substr(0, target.find('?'));
  for (const auto& field : message) {
    request_.headers.emplace_back(text(field.name_string()), text(field.value()));
  }
  chunked_ = message.version() >= 11;
  head_only_ = request_.method == "HEAD";
  keep_alive_ = message.keep_alive() && !client_finished_;
  if (const auto refused = hooks_->check(request_)) {
    refuse(refused->status, refused->message);
    return false;
  }
  // curl waits a second for this before it sends a long body.
  const std::string* expect = request_.header("expect");
  if (expect != nullptr && equal_ignoring_case(*expect, "100-continue") && !parser_->is_done()) {
    queue("HTTP/1.1 100 Continue\r\n\r\n");
  }
  return true;
}

void Connection::dispatch() {
  deadline_.cancel();
  request_.body = std::move(parser_->get().body());
  parser_.reset();
  state_ = State::Working;
  answer_ = std::make_shared<Answer>(shared_from_this(), std::move(request_));
  hooks_->handle(answer_);
}

// Answers a request that no handler has seen. What is left of it may be long: the connection ends.
void Connection::refuse(int status, const std::string& message) {
  keep_alive_ = false;
  const Response response = hooks_->refusal(request_.path, status, message);
  std::string bytes =
      head_of(response.status, response.content_type, response.headers, response.body.size());
  if (!head_only_) bytes += response.body;
  queue(std::move(bytes));
  answer_complete();
}

std::string Connection::head_of(int status, const std::string& content_type,
                                const std::vector<Header>& headers,
                                std::optional<std::size_t> length) const {
  const auto reason = beast::http::obsolete_reason(static_cast<beast::http::status>(status));
  std::string head = "HTTP/1.1 " + std::to_string(status) + " " + text(reason) + "\r\n";
  head += "Server: lacuna\r\nContent-Type: " + content_type + "\r\n";
  head += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
  for (const auto& [name, value] : headers) head += name + ": " + value + "\r\n";
  if (length) {
    head += "Content-Length: " + std::to_string(*length) + "\r\n";
  } else if (chunked_) {
    head += "Transfer-Encoding: chunked\r\n";
  }
  head += keep_alive_ ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
  return head + "\r\n";
}

void Connection::queue(std::string bytes) {
  if (state_ == State::Closed) return;
  out_bytes_ += bytes.size();
  out_.push_back(std::move(bytes));
  write();
}

void Connection::write() {
  if (writing_ || out_.empty() || state_ == State::Closed) return;
  writing_ = true;
  set_write_deadline();
  const std::string& first = out_.front();
  socket_.async_write_some(asio::buffer(first.data() + out_offset_, first.size() - out_offset_),
                           [self = shared_from_this()](beast::error_code error, std::size_t n) {
                             self->on_written(error, n);
                           });
}

void Connection::on_written(beast::error_code error, std::size_t n_bytes) {
  writing_ = false;
  if (state_ == State::Closed) return;
  if (error) return close();
  out_offset_ += n_bytes;
  out_bytes_ -= n_bytes;
  if (out_offset_ == out_.front().size()) {
    out_.pop_front();
    out_offset_ = 0;
  }
  if (!out_.empty()) return write();
  write_deadline_.cancel();
  written_all();
}

// The handler has said everything. The next request is read when all of it is written.
void Connection::answer_complete() {
  if (state_ == State::Closed) return;
  answer_.reset();
  state_ = State::Draining;
  if (out_.empty()) written_all();
}

void Connection::written_all() {
  if (state_ != State::Draining) return;
  if (keep_alive_) {
    expect_request();
    receive();
    return read();
  }
  if (client_finished_) return close();
  // A socket that is closed with unread bytes resets the connection, and the client may lose the
  // answer: so our side ends first, and the rest of what comes is read.
  beast::error_code ignored;
  ignored = socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  set_deadline(kLingerSeconds);
  read();
}

void Connection::set_deadline(double seconds) {
  deadline_.expires_after(duration(seconds));
  deadline_.async_wait([self = shared_from_this()](beast::error_code error) {
    // A wait that had ended when the deadline was moved comes here, too.
    if (!error && self->deadline_.expiry() <= std::chrono::steady_clock::now()) self->close();
  });
}

void Connection::set_write_deadline() {
  write_deadline_.expires_after(duration(limits_.write_seconds));
  write_deadline_.async_wait([self = shared_from_this()](beast::error_code error) {
    if (error || self->state_ == State::Closed) return;
    if (self->write_deadline_.expiry() > std::chrono::steady_clock::now()) return;
    self->hooks_->log("a client that does not read its answer was cut off");
    self->close();
  });
}

}  // namespace lacuna::daemon::http
