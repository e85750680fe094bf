// Connection: a session over two file descriptors: a socket's, or standard input and output.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "daemon/session.h"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): a name of Boost
}

namespace lacuna::daemon {

// Loop thread only. What the client does not read is kept up to a limit: at 1 MiB nothing more is
// read from the client, at 64 MiB the connection ends.
class Connection {
 public:
  // Takes the descriptors over; `in` and `out` may be the same. `on_end` is called once, from the
  // loop, with the session's exit code: 1 when the client went without `exit`.
  Connection(boost::asio::io_context& loop, int in, int out, std::string name, SessionHost host,
             std::function<void(int exit_code)> on_end);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  SessionFacts facts() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace lacuna::daemon
