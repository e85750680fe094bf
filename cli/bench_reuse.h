// `lacuna bench reuse`: what a fill becomes, and how soon its first step is done, when it uses what
// was computed before the last edits (engine/resident_cache.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/common_options.h"

namespace lacuna::cli {

struct BenchReuseOptions {
  std::vector<std::string> paths;  // as `lacuna eval holes` takes them
  int limit = 5;                   // holes of each language
  int context = 0;                 // as FillOptions has it
  std::string profile = "fast";
  std::string length = "oracle";  // that of what stood there, or probe
  std::vector<int> edits = {0, 1, 8, 64};
  int near = 0;  // 0: the cache's own
  CommonOptions common;
};

// Adds the subcommand to `bench`.
CLI::App* add_bench_reuse(CLI::App& bench, const std::shared_ptr<BenchReuseOptions>& options);
int run_bench_reuse(const BenchReuseOptions& options);

}  // namespace lacuna::cli
