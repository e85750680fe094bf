// `lacuna serve`: the daemon in the foreground.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/command.h"
#include "cli/daemon_process.h"
#include "cli/exit.h"
#include "cli/standard_io.h"
#include "daemon/http/companion.h"

namespace lacuna::cli {
namespace {

constexpr const char* kDescription =
    "Run the daemon that language servers of this user share: one engine, any number of editors. "
    "`lacuna lsp` starts it by itself.\n\n"
    "The model is loaded by the first request and given back after idle.unloadMinutes; the daemon "
    "ends after idle.exitMinutes without a session, or by SIGTERM. It logs to standard error.";

struct ServeOptions {
  DaemonOptions daemon;
  bool print_schema = false;
  bool print_settings = false;
};

// HTTP where the settings ask for it. A daemon that an editor started does without when the address
// is taken; one that was told to serve HTTP does not start.
void serve_http(daemon::ServerOptions& server, bool must) {
  if (server.settings.values.http_address.empty()) return;
  server.companion = [settings = server.settings.values, log = server.log, must](
                         boost::asio::io_context& loop,
                         daemon::FillService& fills) -> Result<std::unique_ptr<daemon::Companion>> {
    auto started = daemon::http::start_http(loop, fills, settings, [log](const std::string& line) {
      log(daemon::LogLevel::Info, line);
    });
    if (started || must) return started;
    log(daemon::LogLevel::Error, "no HTTP: " + started.error().message);
    return std::unique_ptr<daemon::Companion>();
  };
}

int run_serve(const ServeOptions& options) {
  if (options.print_schema || options.print_settings) {
    const Result<void> written = write_output(options.print_schema ? daemon::settings_schema()
                                                                   : daemon::settings_markdown());
    return written ? kDone : report(written.error());
  }
  Result<daemon::ServerOptions> server = server_options(options.daemon);
  if (!server) return report(server.error());
  const Result<std::filesystem::path> socket = socket_of(options.daemon);
  if (!socket) return report(socket.error());
  serve_http(*server, !options.daemon.http.empty());
  const Result<void> served = daemon::serve_socket(*socket, std::move(*server));
  return served ? kDone : report(served.error());
}

}  // namespace

Command add_serve(CLI::App& root) {
  CLI::App* app = root.add_subcommand("serve", "Run the daemon in the foreground");
  app->description(kDescription);
  const auto options = std::make_shared<ServeOptions>();
  add_daemon_options(*app, options->daemon);
  app->add_flag("--print-schema", options->print_schema, "Print the JSON schema of the settings");
  app->add_flag("--print-settings", options->print_settings, "Print docs/settings.md");
  return {app, [options] { return run_serve(*options); }};
}

}  // namespace lacuna::cli
