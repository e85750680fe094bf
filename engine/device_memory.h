// Whether a model fits a GPU, told before anything is put there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/checkpoint/model_config.h"
#include "engine/checkpoint/model_tensors.h"
#include "engine/device.h"
#include "kernels/backend.h"
#include "support/result.h"

namespace lacuna::engine {

// Bytes of a device that the model takes with weights of `format`, and one canvas of 2,048 tokens.
std::uint64_t device_bytes(const ModelConfig& config, const ModelTensors& tensors,
                           kernels::WeightFormat format);

// What a device has for a model: its free memory, or less where --vram says so.
struct DeviceRoom {
  std::string name;  // "cuda:0"
  std::uint64_t bytes = 0;
  bool is_budget = false;
};

// Unavailable when it does not fit, with both numbers, and with the format that would.
Result<void> check_fits(const ModelConfig& config, const ModelTensors& tensors,
                        kernels::WeightFormat format, const DeviceRoom& room);

// The device `gpu`, for a model that fits it. `vram`: the most bytes that the model may take, 0: what
// is free. `pool`, which outlives it, makes the rows of weights while they are loaded. Unavailable as
// check_fits() is, and when the device fails.
Result<std::unique_ptr<kernels::Backend>> open_gpu(const ModelConfig& config,
                                                   const ModelTensors& tensors,
                                                   kernels::WeightFormat format, const Device& gpu,
                                                   std::uint64_t vram, kernels::ThreadPool& pool);

// What a request fails with when the device refuses in the middle of it.
Error device_failure(const kernels::DeviceError& error);

}  // namespace lacuna::engine
