// The HTTP server: listens, accepts, bounds the number of connections, hands requests to the API.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "daemon/fill_service.h"
#include "daemon/http/options.h"
#include "support/result.h"

namespace boost::asio {  // NOLINT(readability-identifier-naming): Boost calls itself so
class io_context;        // NOLINT(readability-identifier-naming): a name of Boost
}

namespace lacuna::daemon::http {

class Server {
 public:
  // Takes one line for the log; never source text.
  using Log = std::function<void(const std::string&)>;

  // Listens from now on; serves while `loop` runs, on its thread. `loop` and `fills` outlive the
  // server, and `fills` what it still has to answer when the server is destroyed. InvalidInput for
  // a host that is not loopback without a token, or that has no address; Unavailable when the
  // address cannot be listened on.
  static Result<std::unique_ptr<Server>> listen(boost::asio::io_context& loop, FillService& fills,
                                                Options options, Log log);

  // Closes every connection; what they wait for is cancelled.
  ~Server();

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const;
  std::string url() const;  // "http://127.0.0.1:8012"
  std::size_t connections() const;

 private:
  class Impl;
  explicit Server(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace lacuna::daemon::http
