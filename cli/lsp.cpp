// `lacuna lsp`: a language server on standard input and output.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "cli/command.h"
#include "cli/daemon_process.h"
#include "cli/exit.h"
#include "daemon/runtime_paths.h"
#include "daemon/shim.h"

namespace lacuna::cli {
namespace {

constexpr const char* kDescription =
    "Speak the Language Server Protocol on standard input and output.\n\n"
    "The work is done by the daemon of this user, which is started if there is none: several "
    "editors share one model. This process ends with its editor.";

constexpr const char* kExamples =
    "Examples:\n"
    "  lacuna lsp                       what an editor starts\n"
    "  lacuna lsp --no-daemon           everything in this process\n\n"
    "Options of the daemon only count where it is not running yet.";

struct LspOptions {
  DaemonOptions daemon;
  bool no_daemon = false;
  bool stdio = false;  // what editors say by themselves
  std::string client_process;
};

// The command that runs the daemon, with the options that were given here.
std::vector<std::string> serve_command(const DaemonOptions& options,
                                       const std::filesystem::path& socket) {
  std::error_code ignored;
  const auto executable = std::filesystem::read_symlink("/proc/self/exe", ignored);
  std::vector<std::string> command = {executable.string(), "serve", "--socket", socket.string()};
  const auto add = [&](const char* name, const std::string& value) {
    command.insert(command.end(), {name, value});
  };
  if (!options.common.model.empty()) add("--model", options.common.model);
  if (options.common.device != "auto") add("--device", options.common.device);
  if (options.common.vram > 0) add("--vram", std::to_string(options.common.vram));
  if (options.common.threads != 0) add("--threads", std::to_string(options.common.threads));
  if (!options.http.empty()) add("--http", options.http);
  for (const std::string& set : options.set) add("--set", set);
  return command;
}

int run_lsp(const LspOptions& options) {
  // What is wrong with the options is told here, not in the log of a daemon.
  Result<daemon::ServerOptions> server = server_options(options.daemon);
  if (!server) return report(server.error());
  if (options.no_daemon) {
    const Result<int> code = daemon::serve_stdio(std::move(*server));
    return code ? *code : report(code.error());
  }
  const Result<std::filesystem::path> socket = socket_of(options.daemon);
  if (!socket) return report(socket.error());
  const auto command = serve_command(options.daemon, *socket);
  const auto log = stderr_log(daemon::LogLevel::Info);
  const Result<int> code = daemon::run_shim(
      {.connect =
           [&] {
             return daemon::connect_or_start(*socket, command,
                                             daemon::log_file(environment_variable));
           },
       .version = LACUNA_VERSION,
       .log = [log](const std::string& line) { log(daemon::LogLevel::Info, line); }});
  return code ? *code : report(code.error());
}

}  // namespace

Command add_lsp(CLI::App& root) {
  CLI::App* app = root.add_subcommand("lsp", "Speak the Language Server Protocol");
  app->description(kDescription);
  app->footer(kExamples);
  const auto options = std::make_shared<LspOptions>();
  add_daemon_options(*app, options->daemon);
  app->add_flag("--no-daemon", options->no_daemon, "Run the model in this process");
  app->add_flag("--stdio", options->stdio, "Accepted for editors that say so; it is what is done");
  app->add_option("--clientProcessId", options->client_process,
                  "Accepted for editors that say so; initialize tells it, too")
      ->type_name("PID");
  return {app, [options] { return run_lsp(*options); }};
}

}  // namespace lacuna::cli
