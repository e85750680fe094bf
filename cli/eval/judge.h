// Runs the programs of many samples, several at a time.
#pragma once

#include <functional>
#include <span>
#include <stop_token>

#include "cli/eval/metrics.h"

namespace lacuna::cli {

// Fills in the outcome of every sample without an error; results[i] belongs to cases[i]. A case
// without tests only has to run. `on_done(n)` is called on the calling thread, now and then, when n
// programs are through. Cancelled when stopped; else the first error of the sandbox.
Result<void> judge(const PythonSandbox& sandbox, std::span<const EvalCase> cases,
                   std::span<CaseResult> results, int parallel,
                   const std::function<void(int)>& on_done, std::stop_token stop);

}  // namespace lacuna::cli
