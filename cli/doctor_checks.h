// The checks of `lacuna doctor`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/common_options.h"
#include "engine/device.h"

namespace lacuna::cli {

struct Check {
  enum class Status : std::uint8_t { Ok, Warn, Fail };
  Status status;
  std::string name;
  std::string found;
  std::string advice;  // what to do about it; empty when there is nothing to do
};

// All of them, in the order in which they are shown. Loads the model and runs a small fill.
std::vector<Check> run_checks(const CommonOptions& options);

// Single ones, as far as they follow from what was found on the machine.
Check check_cpu(const engine::CpuState& cpu);
Check check_memory(const engine::CpuState& cpu);
Check check_cuda(const engine::CudaState& cuda);
Check check_cublaslt(const std::string& version);  // empty: it is not there

}  // namespace lacuna::cli
