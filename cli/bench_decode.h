// `lacuna bench decode`: what each way to decode costs and what it changes, over the holes of a
// file. The published sampler, one token a pass over the whole canvas, is what the others are
// compared with.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/common_options.h"

namespace lacuna::cli {

struct BenchDecodeOptions {
  std::vector<std::string> files;  // HumanEval-Infilling
  int limit = 50;
  int context = 0;  // as FillOptions has it
  int holes = 1;    // in each text
  CommonOptions common;
};

// Adds the subcommand to `bench`.
CLI::App* add_bench_decode(CLI::App& bench, const std::shared_ptr<BenchDecodeOptions>& options);
int run_bench_decode(const BenchDecodeOptions& options);

}  // namespace lacuna::cli
