// What `lacuna eval holes` prints.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/eval/holes_run.h"
#include "cli/load_model.h"

namespace lacuna::cli {

struct HolesReport {
  std::span<const std::string> paths;
  int limit;
  const LoadedModel& model;
  const HolesPlan& plan;
  std::span<const HoleKind> kinds;
  std::span<const HoleResult> results;
};

// A table in Markdown that reads well as it is: all languages first, with 95 % intervals.
std::string holes_table(const HolesReport& report);

// The table, and `show` holes chosen at random from all, whatever became of them, each with the lines
// around it and every fill. The same report gives the same page, but for its times.
std::string holes_page(const HolesReport& report, int show);

std::string holes_json(const HolesReport& report);

}  // namespace lacuna::cli
