// `lacuna rewrite`: a function of a file, written again.
#pragma once

#include <string>
#include <vector>

#include "cli/fill.h"

namespace lacuna::cli {

struct RewriteOptions {
  std::vector<std::string> nodes;  // names, lines, or kinds of nodes
  double strength = 1;
  std::string instruct;
  FillOptions fill;  // the rest; no places
};

int run_rewrite(const RewriteOptions& options);

}  // namespace lacuna::cli
