// The `lacuna` executable: finds the subcommand and turns what goes wrong into one line and an
// exit code. Everything else is in the file of each subcommand.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <new>

#include "cli/command.h"
#include "cli/exit.h"
#include "cli/standard_io.h"

namespace {

using namespace lacuna::cli;  // NOLINT(google-build-using-namespace): this is their main file

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

// The deepest subcommand that was named, whose help is meant.
const CLI::App& innermost(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? app : innermost(*parsed.front());
}

int print(const std::string& text) {
  const auto written = write_output(text);
  return written ? kDone : report(written.error());
}

// CLI11 calls an unknown command an unexpected argument; people deserve better.
bool is_unknown_command(const CLI::App& app, const std::string& word) {
  if (word.empty() || word[0] == '-') return false;
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  return std::none_of(commands.begin(), commands.end(),
                      [&](const CLI::App* command) { return command->get_name() == word; });
}

int run(int argc, char** argv) {
  CLI::App app(kDescription, "lacuna");
  app.footer(kExamples);
  app.set_version_flag("--version", "lacuna " LACUNA_VERSION);
  app.require_subcommand(0, 1);
  app.get_formatter()->column_width(26);
  std::vector<Command> commands;
  for (const auto add : {add_fill, add_generate, add_model, add_doctor, add_bench, add_debug}) {
    commands.push_back(add(app));
  }
  if (argc > 1 && is_unknown_command(app, argv[1])) {
    return report_usage("", "there is no command '" + std::string(argv[1]) + "'");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return print(innermost(app).help("", CLI::AppFormatMode::Normal));
  } catch (const CLI::CallForVersion& version) {
    return print(std::string(version.what()) + "\n");
  } catch (const CLI::ParseError& error) {
    return report_usage(command_path(app), error.what());
  }
  for (const Command& command : commands) {
    if (command.app->parsed()) return command.run();
  }
  return print(app.help());
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
  } catch (const std::exception& error) {
    return report(std::string("this is a bug: ") + error.what());
  }
}
