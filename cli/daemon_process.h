// What `lacuna lsp` and `lacuna serve` share: settings, the model of the daemon, its log.
#pragma once

#include <string>
#include <vector>

#include "cli/common_options.h"
#include "daemon/server.h"

namespace lacuna::cli {

struct DaemonOptions {
  CommonOptions common;          // --model, --device, --threads as given
  std::string socket;            // empty: the user's
  std::string http;              // HOST:PORT; empty: as the settings say
  std::vector<std::string> set;  // NAME=VALUE
};

// Adds --model, --device, --threads, --socket, --http and --set.
void add_daemon_options(CLI::App& app, DaemonOptions& options);

// Defaults, file, environment and what was given on the command line. InvalidInput for a --set that
// is none.
Result<daemon::SettingsState> settings_of(const DaemonOptions& options);

// Everything that a server needs.
Result<daemon::ServerOptions> server_options(const DaemonOptions& options);

// The socket that --socket names, or that of the user's daemon of this version.
Result<std::filesystem::path> socket_of(const DaemonOptions& options);

// Prints to standard error with time and level, from `wanted` on.
std::function<void(daemon::LogLevel, const std::string&)> stderr_log(daemon::LogLevel wanted);

// The variable of the process's environment, or null.
const char* environment_variable(const char* name);

}  // namespace lacuna::cli
