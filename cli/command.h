// What main() knows of a subcommand.
#pragma once

#include <functional>

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11 calls itself so
class App;
}

namespace lacuna::cli {

struct Command {
  CLI::App* app;             // owned by the root
  std::function<int()> run;  // after parsing, if `app` was named; returns the exit code
};

// Each adds its subcommand and options to the root. One file pair for each.
Command add_fill(CLI::App& root);
Command add_rewrite(CLI::App& root);
Command add_generate(CLI::App& root);
Command add_debug(CLI::App& root);
Command add_model(CLI::App& root);
Command add_doctor(CLI::App& root);
Command add_bench(CLI::App& root);
Command add_eval(CLI::App& root);
Command add_analyze(CLI::App& root);
Command add_lsp(CLI::App& root);
Command add_serve(CLI::App& root);

}  // namespace lacuna::cli
