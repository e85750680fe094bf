#include "daemon/http/server.h"

#include <chrono>
#include <map>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/http/api.h"
#include "daemon/http/connection.h"

namespace lacuna::daemon::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// After a failed accept, as when there are no file descriptors left.
constexpr std::chrono::milliseconds kAcceptPause(100);

Result<tcp::endpoint> endpoint_of(const Options& options) {
  const std::string& host = options.host == "localhost" ? "127.0.0.1" : options.host;
  boost::system::error_code error;
  const asio::ip::address address = asio::ip::make_address(host, error);
  if (error) {
    return fail(ErrorCode::InvalidInput,
                "'" + options.host + "' is no address to listen on; give one, as in 127.0.0.1");
  }
  if (options.token.empty() && !address.is_loopback()) {
    return fail(ErrorCode::InvalidInput, "listening on " + options.host +
                                             ", which others can reach, needs a token; set "
                                             "one, or listen on 127.0.0.1");
  }
  return tcp::endpoint(address, options.port);
}

}  // namespace

class Server::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& loop, FillService& fills, Options options, Log log)
      : acceptor_(loop),
        pause_(loop),
        options_(std::move(options)),
        log_(std::move(log)),
        api_(std::make_shared<Api>(fills, options_)) {
    hooks_ = std::make_shared<ConnectionHooks>(ConnectionHooks{
        .check = [api = api_](const Request& request) { return api->check(request); },
        .handle =
            [api = api_](std::shared_ptr<Exchange> exchange) { api->handle(std::move(exchange)); },
        .refusal = [api = api_](
                       const std::string& path, int status,
                       const std::string& message) { return api->refuse(path, status, message); },
        .log = log_});
  }

  Result<void> listen() {
    const Result<tcp::endpoint> endpoint = endpoint_of(options_);
    if (!endpoint) return endpoint.error();
    boost::system::error_code error;
    error = acceptor_.open(endpoint->protocol(), error);
    if (!error) error = acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) error = acceptor_.bind(*endpoint, error);
    if (!error) error = acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      return fail(ErrorCode::Unavailable, "cannot listen on " + options_.host + ":" +
                                              std::to_string(options_.port) + ": " +
                                              error.message());
    }
    port_ = acceptor_.local_endpoint(error).port();
    accept();
    return {};
  }

  void stop() {
    stopped_ = true;
    boost::system::error_code ignored;
    ignored = acceptor_.close(ignored);
    pause_.cancel();
    while (!connections_.empty()) {
      const std::shared_ptr<Connection> connection = connections_.begin()->second;
      connection->close();  // takes itself out of the map
    }
  }

  std::uint16_t port() const { return port_; }
  const Options& options() const { return options_; }
  std::size_t connections() const { return connections_.size(); }

 private:
  void accept() {
    acceptor_.async_accept(
        [self = shared_from_this()](boost::system::error_code error, tcp::socket socket) {
          if (self->stopped_) return;
          if (error) return self->accept_later();
          self->take(std::move(socket));
          self->accept();
        });
  }

  void accept_later() {
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (!error && !self->stopped_) self->accept();
    });
  }

  void take(tcp::socket socket) {
    // Some more than allowed are told so; beyond that they are only closed.
    const std::size_t limit = options_.limits.max_connections;
    if (connections_.size() >= limit + limit / 4 + 1) return;
    const bool full = connections_.size() >= limit;
    const std::uint64_t id = ++last_id_;
    const auto connection =
        std::make_shared<Connection>(std::move(socket), options_.limits, hooks_,
                                     [self = std::weak_ptr<Impl>(shared_from_this()), id] {
                                       if (const auto impl = self.lock()) impl->forget(id);
                                     });
    connections_.emplace(id, connection);
    api_->metrics().connections = connections_.size();
    if (full) {
      connection->start_refused();
    } else {
      connection->start();
    }
  }

  void forget(std::uint64_t id) {
    connections_.erase(id);
    api_->metrics().connections = connections_.size();
  }

  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  const Options options_;
  const Log log_;
  const std::shared_ptr<Api> api_;
  std::shared_ptr<const ConnectionHooks> hooks_;
  std::uint16_t port_ = 0;
  bool stopped_ = false;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, std::shared_ptr<Connection>> connections_;
};

Result<std::unique_ptr<Server>> Server::listen(asio::io_context& loop, FillService& fills,
                                               Options options, Log log) {
  auto impl = std::make_shared<Impl>(loop, fills, std::move(options), std::move(log));
  if (const Result<void> listening = impl->listen(); !listening) return listening.error();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() { impl_->stop(); }

std::uint16_t Server::port() const { return impl_->port(); }
std::size_t Server::connections() const { return impl_->connections(); }

std::string Server::url() const {
  const std::string& host = impl_->options().host;
  const bool v6 = host.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port());
}

}  // namespace lacuna::daemon::http
