#include "cli/daemon_process.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "cli/exit.h"
#include "cli/load_model.h"
#include "daemon/http/companion.h"
#include "daemon/runtime_paths.h"

namespace lacuna::cli {
namespace {

constexpr int kTrainedContext = 2048;

daemon::LogLevel level_of(const std::string& name) {
  if (name == "error") return daemon::LogLevel::Error;
  return name == "debug" ? daemon::LogLevel::Debug : daemon::LogLevel::Info;
}

daemon::ModelLoader model_loader(const daemon::Settings& settings) {
  CommonOptions options;
  options.model = settings.model;
  options.device = settings.device;
  options.vram = settings.vram;
  options.threads = settings.threads;
  return
      [options](
          const engine::LoadProgress& on_progress) -> Result<std::unique_ptr<daemon::LoadedModel>> {
        Result<LoadedModel> loaded = load_model(options, true, nullptr, on_progress);
        if (!loaded) return loaded.error();
        const engine::ModelConfig& config = loaded->model.config();
        daemon::ModelFacts facts;
        facts.name = loaded->place.name;
        facts.device = loaded->device.name();
        facts.numbers = describe(loaded->numbers);
        facts.bytes = loaded->bytes;
        facts.parameters = loaded->parameters;
        facts.vocabulary = config.vocab_size;
        facts.width = config.hidden_size;
        facts.max_canvas = std::min(config.max_positions, kTrainedContext);
        return std::make_unique<daemon::LoadedModel>(
            daemon::LoadedModel{.context = std::move(loaded->context),
                                .model = std::move(loaded->model),
                                .facts = std::move(facts)});
      };
}

}  // namespace

void add_daemon_options(CLI::App& app, DaemonOptions& options) {
  add_model_option(app, options.common);
  add_device_options(app, options.common);
  app.add_option("--socket", options.socket,
                 "The Unix socket of the daemon (default: one of this user and version)")
      ->type_name("PATH");
  app.add_option("--http", options.http, "Serve HTTP at this address, as in 127.0.0.1:8012")
      ->type_name("HOST:PORT");
  app.add_option("--set", options.set,
                 "A setting, as in idle.exitMinutes=5; see docs/settings.md; may be given several "
                 "times")
      ->type_name("NAME=VALUE");
}

const char* environment_variable(const char* name) {
  return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here changes it
}

Result<daemon::SettingsState> settings_of(const DaemonOptions& options) {
  daemon::SettingsState state = daemon::load_settings(environment_variable);
  const std::size_t warnings = state.warnings.size();
  const auto given = [&](std::string_view name, const std::string& value) {
    daemon::merge_text(state, name, value, daemon::SettingSource::CommandLine, "--set");
  };
  for (const std::string& text : options.set) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) {
      return fail(ErrorCode::InvalidInput, "--set " + text + " is not NAME=VALUE");
    }
    given(text.substr(0, equals), text.substr(equals + 1));
  }
  if (!options.common.model.empty()) given("model", options.common.model);
  if (options.common.device != "auto") given("device", options.common.device);
  if (options.common.vram > 0) given("vram", std::to_string(options.common.vram));
  if (options.common.threads != 0) given("threads", std::to_string(options.common.threads));
  if (!options.http.empty()) given("http.address", options.http);
  // What is wrong on the command line is not only warned of.
  if (state.warnings.size() > warnings) {
    return fail(ErrorCode::InvalidInput, state.warnings[warnings]);
  }
  return state;
}

std::function<void(daemon::LogLevel, const std::string&)> stderr_log(daemon::LogLevel wanted) {
  return [wanted](daemon::LogLevel level, const std::string& line) {
    if (level > wanted) return;
    constexpr std::array<const char*, 3> kNames = {"error", "info", "debug"};
    std::array<char, 32> when{};
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    std::strftime(when.data(), when.size(), "%Y-%m-%d %H:%M:%S", &local);
    std::fprintf(stderr, "%s lacuna %s: %s\n", when.data(), kNames[static_cast<std::size_t>(level)],
                 one_line(line).c_str());
  };
}

Result<daemon::ServerOptions> server_options(const DaemonOptions& options) {
  Result<daemon::SettingsState> settings = settings_of(options);
  if (!settings) return settings.error();
  daemon::ServerOptions server;
  server.version = LACUNA_VERSION;
  server.engine = daemon::make_model_engine(model_loader(settings->values));
  server.log = stderr_log(level_of(settings->values.log_level));
  if (!settings->values.http_address.empty()) {
    server.companion = [values = settings->values, log = server.log](boost::asio::io_context& loop,
                                                                     daemon::FillService& fills) {
      return daemon::http::start_http(loop, fills, values, [log](const std::string& line) {
        log(daemon::LogLevel::Info, line);
      });
    };
  }
  server.settings = std::move(*settings);
  return server;
}

Result<std::filesystem::path> socket_of(const DaemonOptions& options) {
  if (!options.socket.empty()) return std::filesystem::absolute(options.socket);
  const Result<std::filesystem::path> folder = daemon::runtime_folder(environment_variable);
  if (!folder) return folder.error();
  return daemon::socket_in(*folder, LACUNA_VERSION);
}

}  // namespace lacuna::cli
