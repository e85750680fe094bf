// Shim: a language server on standard input and output that is a daemon elsewhere.
#pragma once

#include <functional>
#include <string>

#include "support/result.h"

namespace lacuna::daemon {

struct ShimOptions {
  // A connected socket of the daemon, which is started where there is none. May block.
  std::function<Result<int>()> connect;
  std::string version;
  std::function<void(const std::string& line)> log;
};

// Copies messages until the editor sends `exit`, closes its end or is gone; returns the exit code
// of the session. When the daemon ends it connects anew and sets the session up again: documents as
// they are, requests that wait. Where the editor itself has asked for the daemon's end that waits for
// the next request. Unavailable when no daemon can be had.
Result<int> run_shim(ShimOptions options);

}  // namespace lacuna::daemon
