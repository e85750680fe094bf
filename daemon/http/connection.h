// One client's connection: HTTP/1.0 and 1.1, requests one after the other, answered in order.
//
// A read is pending all the time, also while a request is being worked on: that is how a client
// that went away is noticed at once. Only the loop's thread.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "daemon/http/access.h"
#include "daemon/http/exchange.h"
#include "daemon/http/options.h"

namespace lacuna::daemon::http {

// What a connection asks of the server it belongs to.
struct ConnectionHooks {
  // After the header, before the body: what forbids the request, or nothing.
  std::function<std::optional<Refusal>(const Request&)> check;
  std::function<void(std::shared_ptr<Exchange>)> handle;
  // The answer to what is refused here, in the form that the path's clients expect.
  std::function<Response(const std::string& path, int status, const std::string& message)> refusal;
  // A message to the log; no source text in it.
  std::function<void(const std::string&)> log;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `closed` is called once, when the connection has ended.
  Connection(boost::asio::ip::tcp::socket socket, const Limits& limits,
             std::shared_ptr<const ConnectionHooks> hooks, std::function<void()> closed);

  void start();
  void close();

  // A connection that is only told to come back later.
  void start_refused();

 private:
  class Answer;
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  enum class State : std::uint8_t {
    Receiving,  // a request, or waiting for one
    Working,    // a handler has it
    Draining,   // the last answer is being written or was; what still comes is thrown away
    Closed,
  };

  void expect_request();
  void read();
  void on_read(boost::beast::error_code error, std::size_t n_bytes);
  void receive();
  bool accept_header();
  void dispatch();
  void refuse(int status, const std::string& message);

  void queue(std::string bytes);
  void write();
  void on_written(boost::beast::error_code error, std::size_t n_bytes);
  void answer_complete();
  void written_all();

  bool reads_ahead() const;
  void set_deadline(double seconds);
  void set_write_deadline();
  std::string head_of(int status, const std::string& content_type,
                      const std::vector<Header>& headers, std::optional<std::size_t> length) const;

  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer deadline_;        // of what is being received
  boost::asio::steady_timer write_deadline_;  // of what is being written
  const Limits limits_;
  const std::shared_ptr<const ConnectionHooks> hooks_;
  std::function<void()> closed_;

  State state_ = State::Receiving;
  bool reading_ = false;
  bool writing_ = false;
  bool client_finished_ = false;                      // no more bytes will come
  std::array<char, std::size_t{16} << 10> incoming_;  // where the pending read writes
  std::string unread_;                                // received, not parsed
  std::optional<Parser> parser_;
  bool header_accepted_ = false;
  Request request_;
  bool keep_alive_ = true;
  bool chunked_ = true;  // the client knows chunks: HTTP/1.1
  bool head_only_ = false;
  std::shared_ptr<Answer> answer_;  // of the request that a handler has

  std::deque<std::string> out_;
  std::size_t out_offset_ = 0;  // bytes of the first that are written
  std::size_t out_bytes_ = 0;   // that are not written yet
};

}  // namespace lacuna::daemon::http
