// `lacuna bench daemon`: what the daemon adds to the time of the model, as an editor sees it.
#pragma once

#include <memory>

#include "cli/common_options.h"

namespace lacuna::cli {

struct BenchDaemonOptions {
  CommonOptions common;
  int runs = 20;
};

// Adds the subcommand to `bench`.
CLI::App* add_bench_daemon(CLI::App& bench, const std::shared_ptr<BenchDaemonOptions>& options);
int run_bench_daemon(const BenchDaemonOptions& options);

}  // namespace lacuna::cli
