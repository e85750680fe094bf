// Server: the daemon's loop. Sessions over a Unix socket or over standard input and output, one
// engine for all of them.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "daemon/fill_engine.h"
#include "daemon/session.h"
#include "daemon/settings.h"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): a name of Boost
}

namespace lacuna::daemon {

// Something that serves beside the sessions, as HTTP does; lives as long as the loop.
struct Companion {
  virtual ~Companion() = default;
  // Whether somebody uses it: then the daemon does not end for want of sessions.
  virtual bool is_in_use() const = 0;
};

struct ServerOptions {
  SettingsState settings;
  std::string version;
  std::unique_ptr<FillEngine> engine;
  double minute_seconds = 60;  // of the settings' idle times; tests have shorter minutes
  // Lines for a log; no text of documents among them.
  std::function<void(LogLevel level, const std::string& line)> log;
  // Made before the loop runs; may be empty.
  std::function<Result<std::unique_ptr<Companion>>(boost::asio::io_context&, FillService&)>
      companion;
};

// Serves until SIGTERM, SIGINT or the idle time without sessions. NotFound when a daemon listens at
// the socket already.
Result<void> serve_socket(const std::filesystem::path& socket, ServerOptions options);

// One session over standard input and output. Returns its exit code, or 1 at the end of input.
Result<int> serve_stdio(ServerOptions options);

}  // namespace lacuna::daemon
