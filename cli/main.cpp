// The `lacuna` executable: finds the subcommand and turns what goes wrong into one line and an
// exit code. Everything else is in the file of each subcommand.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <new>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/exit.h"
#include "cli/help.h"
#include "cli/standard_io.h"
#include "engine/device_memory.h"

namespace {

using namespace lacuna::cli;  // NOLINT(google-build-using-namespace): this is their main file

constexpr int kHelpWidth = 80;

constexpr const char* kDescription =
    "Lacuna fills gaps in code, any number at once, with a masked-diffusion language model.";

constexpr const char* kExamples =
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n\n"
    "Examples:\n"
    "  lacuna fill examples/inventory.py --watch\n"
    "  lacuna fill main.go --span 12:5-14:2 --write\n"
    "  lacuna doctor";

// The subcommand path that was being parsed, as in "debug logits".
std::string command_path(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  if (parsed.empty()) return "";
  const std::string rest = command_path(*parsed.front());
  return parsed.front()->get_name() + (rest.empty() ? "" : " " + rest);
}

int print(const std::string& text) {
  const auto written = write_output(text);
  return written ? kDone : report(written.error());
}

// The help of the deepest subcommand that was named.
int print_help(const CLI::App& root) {
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  const std::string path = command_path(root);
  return print(help_text(*app, path.empty() ? "lacuna" : "lacuna " + path, kHelpWidth));
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// CLI11 calls an unknown command an unexpected argument, or misses one where a wrong one was
// given. Returns what is wrong with the words that should be commands, or nothing.
std::string problem_with_commands(const CLI::App& root, int argc, char** argv) {
  const CLI::App* app = &root;
  std::string path;
  for (int i = 1; !commands_of(*app).empty(); ++i) {
    const std::string word = i < argc ? argv[i] : "";
    if (word.substr(0, 1) == "-") return "";
    const auto commands = commands_of(*app);
    const auto found = std::find_if(commands.begin(), commands.end(), [&](const CLI::App* command) {
      return command->get_name() == word;
    });
    if (found == commands.end()) {
      if (word.empty() && app == &root) return "";  // `lacuna` alone prints the help
      std::string known;
      for (const CLI::App* command : commands) known += " " + command->get_name();
      const std::string wrong =
          word.empty() ? "'" + path + "' needs a command"
                       : "there is no command '" + path + (path.empty() ? "" : " ") + word + "'";
      return wrong + "; there are:" + known;
    }
    app = *found;
    path += (path.empty() ? "" : " ") + word;
  }
  return "";
}

int run(int argc, char** argv) {
  CLI::App app(kDescription, "lacuna");
  app.footer(kExamples);
  app.set_version_flag("--version", "lacuna " LACUNA_VERSION);
  app.require_subcommand(0, 1);
  std::vector<Command> commands;
  for (const auto add : {add_fill, add_rewrite, add_generate, add_lsp, add_serve, add_model,
                         add_doctor, add_bench, add_eval, add_analyze, add_debug}) {
    commands.push_back(add(app));
  }
  if (const std::string problem = problem_with_commands(app, argc, argv); !problem.empty()) {
    return report_usage("", problem);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return print_help(app);
  } catch (const CLI::CallForVersion& version) {
    return print(std::string(version.what()) + "\n");
  } catch (const CLI::ExtrasError&) {
    const auto extras = app.remaining(true);
    return report_usage(command_path(app),
                        "'" + (extras.empty() ? "" : extras.front()) + "' was not expected here");
  } catch (const CLI::ParseError& error) {
    return report_usage(command_path(app), error.what());
  }
  for (const Command& command : commands) {
    if (command.app->parsed()) return command.run();
  }
  return print_help(app);
}

}  // namespace

int main(int argc, char** argv) {
  prepare_standard_streams();
  // What a caller can do something about comes as a Result; these are the rest.
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    return report(
        "there is not enough memory; try a smaller model, --dtype bf16 or a smaller "
        "--context");
  } catch (const lacuna::kernels::DeviceError& error) {
    return report(lacuna::engine::device_failure(error));
  } catch (const std::exception& error) {
    return report(std::string("this is a bug: ") + error.what());
  }
}
