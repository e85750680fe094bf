// What `lacuna fill --json` and `--alternatives` print.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/load_model.h"
#include "daemon/checked_alternatives.h"
#include "daemon/checked_infill.h"
#include "engine/infill.h"

namespace lacuna::cli {

struct FillReport {
  std::string file;  // "-" for standard input
  bool written;
  std::string_view text;  // before the fill
  const engine::InfillRequest* request;
  const daemon::CheckedInfill* checked;
  std::span<const int> canvas_of_hole;  // which canvas denoised each hole
  const LoadedModel* model;
  double total_seconds;
};

// One JSON object and a line end. Bytes that are no UTF-8 become U+FFFD in it.
std::string to_json(const FillReport& report);

struct AlternativesReport {
  std::string file;  // "-" for standard input
  std::string_view text;
  const engine::InfillRequest* request;
  int wanted;
  std::span<const daemon::CheckedAlternative> alternatives;
  const LoadedModel* model;
  double fill_seconds;  // of all of them
  double total_seconds;
};

std::string to_json(const AlternativesReport& report);
// For people: a heading for each alternative, then each hole's place and text.
std::string to_text(const AlternativesReport& report);

}  // namespace lacuna::cli
