// From holes and a loaded model to what the user gets: what `fill` and `rewrite` have in common.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "cli/fill.h"
#include "cli/interrupts.h"
#include "cli/load_model.h"
#include "cli/terminal.h"
#include "engine/infill.h"

namespace lacuna::cli {

// How messages call FILE.
std::string name_of_source(const std::string& file);

// A request without holes. `text` must outlive it.
engine::InfillRequest request_of(std::string_view text, const FillOptions& options);

// Denoises the holes of the request, shows them meanwhile, checks the fills, and prints or writes
// the result or the report. Returns the exit code. `start` is when the command began.
int fill_and_deliver(const FillOptions& options, const LoadedModel& model,
                     engine::InfillRequest& request, Terminal& terminal, Interrupts& interrupts,
                     std::chrono::steady_clock::time_point start);

}  // namespace lacuna::cli
