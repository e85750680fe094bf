// The analysis as a page: one HTML file with everything in it, no script, light and dark.
#pragma once

#include <string>

#include "cli/analyze/analysis.h"

namespace lacuna::cli {

struct PageFacts {
  std::string model;
  std::string options;  // how it was decoded, for people
};

std::string html_page(const Analysis& analysis, const PageFacts& facts);

}  // namespace lacuna::cli
