// `lacuna eval holes`: how good a model's fills are, on files whose text is known.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/eval/decode.h"

namespace lacuna::cli {

struct HolesOptions {
  std::vector<std::string> paths;
  std::vector<std::string> kinds;    // empty: all
  std::vector<std::string> lengths;  // empty: those that the model can do
  std::vector<std::string> copies = {"auto"};
  int limit = 50;
  int show = 0;
  DecodeOptions decode;
};

// Adds the subcommand to `eval`.
CLI::App* add_eval_holes(CLI::App& eval, const std::shared_ptr<HolesOptions>& options);
int run_eval_holes(const HolesOptions& options);

}  // namespace lacuna::cli
