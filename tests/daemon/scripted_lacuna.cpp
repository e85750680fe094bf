// `lacuna lsp` and `lacuna serve` with an engine by script (scripted_engine.h): for tests of the
// processes that must not depend on a model.
//   scripted_lacuna lsp [--no-daemon] --socket PATH
//   scripted_lacuna serve --socket PATH
// $SCRIPTED_MINUTE is how many seconds a minute of the settings has, $SCRIPTED_VERSION what it says it
// is. With $SCRIPTED_LOAD=held the model is loaded on SIGUSR1 only, with "failed" the first time fails.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "daemon/runtime_paths.h"
#include "daemon/server.h"
#include "daemon/shim.h"
#include "tests/daemon/scripted_engine.h"

namespace {

using namespace lacuna;          // NOLINT(google-build-using-namespace): a program's main file
using namespace lacuna::daemon;  // NOLINT(google-build-using-namespace): a program's main file

const char* variable(const char* name) {
  return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here changes it
}

void log(LogLevel /*level*/, const std::string& line) {
  std::fprintf(stderr, "scripted: %s\n", line.c_str());
}

int report(const Error& error) {
  log(LogLevel::Error, error.message);
  return 1;
}

std::string variable_or(const char* name, const char* otherwise) {
  const char* value = variable(name);
  return value == nullptr ? otherwise : value;
}

// What SIGUSR1 lets go; outlives the loop. NOLINTNEXTLINE: a signal handler knows only globals
ScriptedEngine* held = nullptr;

std::unique_ptr<FillEngine> make_engine() {
  auto engine = std::make_unique<ScriptedEngine>();
  const std::string load = variable_or("SCRIPTED_LOAD", "");
  if (load == "failed") engine->fail_loads = 1;
  if (load == "held") {
    engine->hold_load = true;
    held = engine.get();
    std::signal(SIGUSR1, [](int) { held->hold_load = false; });
  }
  return engine;
}

ServerOptions options() {
  ServerOptions options;
  options.settings = load_settings(variable);
  options.version = variable_or("SCRIPTED_VERSION", "test");
  options.minute_seconds = std::stod(variable_or("SCRIPTED_MINUTE", "60"));
  options.engine = make_engine();
  options.log = log;
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // as the executable does
  const std::string mode = argc > 1 ? argv[1] : "";
  const bool no_daemon = argc > 2 && std::string(argv[2]) == "--no-daemon";
  if (mode == "lsp" && no_daemon) {
    const Result<int> code = serve_stdio(options());
    return code ? *code : report(code.error());
  }
  if (argc != 4) return 2;
  const std::string socket = argv[3];
  if (mode == "serve") {
    const Result<void> served = serve_socket(socket, options());
    return served ? 0 : report(served.error());
  }
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const Result<int> code = run_shim(
      {.connect =
           [&] {
             return connect_or_start(socket, {self, "serve", "--socket", socket}, socket + ".log");
           },
       .version = variable_or("SCRIPTED_VERSION", "test"),
       .log = [](const std::string& line) { log(LogLevel::Info, line); }});
  return code ? *code : report(code.error());
}
