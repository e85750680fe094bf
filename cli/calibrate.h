// `lacuna model calibrate`: measures how sure a model is of holes of the wrong length, and how far
// copies of the file are to be trusted beside it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/common_options.h"

namespace lacuna::cli {

struct CalibrateOptions {
  std::vector<std::string> files;
  int samples = 100;
  CommonOptions common;
};

// Adds the subcommand to `model`.
CLI::App* add_calibrate(CLI::App& model, const std::shared_ptr<CalibrateOptions>& options);
int run_calibrate(const CalibrateOptions& options);

}  // namespace lacuna::cli
