// A model of tests/data on the CPU and on a CUDA device, which is the emulator where a test is linked
// to it.
#pragma once

#include <memory>
#include <string>

#include "kernels/cuda/cuda_kernels.h"
#include "tests/helpers/reference_model.h"

namespace lacuna::engine {

#ifdef LACUNA_CUDA_EMULATOR
inline constexpr bool kOnDevice = false;
#else
inline constexpr bool kOnDevice = true;
#endif

class CudaEngineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (kernels::cuda::probe().device_count == 0) GTEST_SKIP() << kernels::cuda::probe().problem;
  }
};

struct TwoDevices {
  explicit TwoDevices(const std::string& folder,
                      kernels::WeightFormat format = kernels::WeightFormat::F32)
      : cpu(folder),
        device(kernels::cuda::open_cuda(0,
                                        format == kernels::WeightFormat::F32
                                            ? kernels::cuda::KvType::F32
                                            : kernels::cuda::KvType::Bf16,
                                        cpu.context.pool())),
        transformer(Transformer::load(cpu.checkpoint.config(), cpu.checkpoint.tensors(), *device,
                                      format)) {}

  TransformerPredictor on_cpu(const ForwardLimits& limits) {
    return {cpu.transformer, cpu.context, limits, kernels::Precision::F32};
  }
  TransformerPredictor on_device(const ForwardLimits& limits) {
    return {transformer, cpu.context, limits, kernels::Precision::F32};
  }

  ReferenceModel cpu;  // in float
  std::unique_ptr<kernels::Backend> device;
  Transformer transformer;  // with weights in the format asked for
};

}  // namespace lacuna::engine
