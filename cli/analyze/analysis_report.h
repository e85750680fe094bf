// What `lacuna analyze` prints.
#pragma once

#include <string>

#include "cli/analyze/analysis.h"
#include "cli/load_model.h"

namespace lacuna::cli {

std::string as_text(const Analysis& analysis, const std::string& model);
std::string as_json(const Analysis& analysis, const AnalysisSettings& settings,
                    const LoadedModel& model);

}  // namespace lacuna::cli
