// Steps of a ForwardPass on a device that takes them down: kernels/step.h. Only forward_buffers.h and
// forward_step.cpp need it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/forward_pass.h"
#include "kernels/backend.h"

namespace lacuna::engine {

// What decides which operations a step consists of. All else is numbers of its StepInput. (How many
// positions there are to attend to is one of them: how their keys are shared out is found on the
// device.)
struct StepShape {
  int rows;    // of the bucket
  bool batch;  // whether there is more than one canvas
  bool draws;  // whether tokens are drawn from it there
};

struct StepMemory {
  StepMemory(kernels::StepDevice& device, kernels::Backend& backend, int vocab_size);

  StepMemory(const StepMemory&) = delete;
  StepMemory& operator=(const StepMemory&) = delete;
  ~StepMemory();  // waits: copies from and to its pinned memory may be under way

  static bool fits(std::span<const ForwardInput> inputs);
  static bool fits(std::span<const kernels::DrawLogits> draws);

  // What was taken down of a shape.
  struct Taken {
    bool seen = false;  // it has been done, so that what it needs is allocated
    std::unique_ptr<kernels::Recording> recording;
  };
  Taken& taken(const StepShape& shape);
  // Before the host writes to `sent`.
  void finish();
  void allow(kernels::Backend& backend, std::span<const std::uint8_t> tokens);

  kernels::StepDevice* device;
  bool is_running = false;           // the last step may still be
  kernels::Memory sent, input;       // a StepInput, the host's and the device's
  kernels::Memory results, fetched;  // [kStepDraws] RowResult, the device's and the host's
  kernels::Memory allowed;           // [V]
  std::vector<std::uint8_t> allowed_now;
  std::array<Taken, 20> all_taken;
};

}  // namespace lacuna::engine
