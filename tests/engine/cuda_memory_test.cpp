// A model on a CUDA device that has too little memory, or loses it. Built twice, as
// kernels/cuda_parity_test.cpp is.
#include <gtest/gtest.h>

#include "engine/device_memory.h"
#include "engine/generate.h"
#include "tests/helpers/two_devices.h"
#ifdef LACUNA_CUDA_EMULATOR
#include "tests/helpers/cuda_emulator/emulator.h"
#endif

namespace lacuna::engine {
namespace {

using CudaMemoryTest = CudaEngineTest;

// A megabyte is what an allocation of a real device may be rounded up to.
constexpr std::uint64_t kGrain = 1 << 20;

std::uint64_t free_bytes() { return kernels::cuda::memory_of_cuda(0).free_bytes; }

Result<Model> tiny_on_device(kernels::CpuContext& context, std::uint64_t vram = 0) {
  return Model::load(LACUNA_TEST_DATA "/reference/dream-tiny", context,
                     {.needs_tokenizer = false,
                      .device = {.kind = DeviceKind::Cuda, .index = 0, .reason = {}},
                      .vram = vram});
}

GenerateRequest short_request() {
  GenerateRequest request;
  request.prompt = {5, 6, 7, 8};
  request.max_new_tokens = 4;
  request.sampling.steps = 2;
  request.exact = true;
  return request;
}

TEST_F(CudaMemoryTest, AModelTakesWhatItWasSaidToTakeAndGivesItBack) {
  const std::uint64_t before = free_bytes();
  {
    TwoDevices model("dream-tiny");
    TransformerPredictor predictor = model.on_device({.canvas = 2048});
    const std::uint64_t taken = before - free_bytes();
    const std::uint64_t said = device_bytes(
        model.cpu.checkpoint.config(), model.cpu.checkpoint.tensors(), kernels::WeightFormat::F32);
    EXPECT_LE(taken, said + said / 20 + 64 * kGrain * (kOnDevice ? 1 : 0));
    EXPECT_GE(taken, said / 2);
  }
  EXPECT_LE(before - free_bytes(), kOnDevice ? 64 * kGrain : 0);
}

TEST_F(CudaMemoryTest, ABudgetRefusesAModelWithANumber) {
  kernels::CpuContext context(kernels::best_isa(), 1);
  const Result<Model> model = tiny_on_device(context, 1'000'000);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, ErrorCode::Unavailable);
  EXPECT_NE(model.error().message.find("of cuda:0 in f32, and --vram allows 0.00 GB"),
            std::string::npos)
      << model.error().message;
}

TEST_F(CudaMemoryTest, AModelOnADeviceGeneratesWhatItDoesOnTheCpu) {
  kernels::CpuContext context(kernels::best_isa(), 1);
  const Result<Model> there = tiny_on_device(context);
  ASSERT_TRUE(there.has_value()) << there.error().message;
  const Result<Model> here =
      Model::load(LACUNA_TEST_DATA "/reference/dream-tiny", context, {.needs_tokenizer = false});
  ASSERT_TRUE(here.has_value());
  const Result<GenerateResult> want = generate(*here, short_request());
  const Result<GenerateResult> got = generate(*there, short_request());
  ASSERT_TRUE(want.has_value() && got.has_value());
  EXPECT_EQ(got->sequence, want->sequence);
}

#ifdef LACUNA_CUDA_EMULATOR
TEST_F(CudaMemoryTest, WithoutMemoryARequestFailsAndTheNextOneRuns) {
  kernels::CpuContext context(kernels::best_isa(), 1);
  const Result<Model> model = tiny_on_device(context);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  const std::uint64_t used = cuda_emulator::used_bytes();
  for (const std::size_t room : {0, 1 << 10, 64 << 10}) {
    cuda_emulator::limit_memory(used + room);
    const Result<GenerateResult> failed = generate(*model, short_request());
    cuda_emulator::limit_memory(0);
    ASSERT_FALSE(failed.has_value()) << room;
    EXPECT_EQ(failed.error().code, ErrorCode::Unavailable);
    EXPECT_NE(failed.error().message.find("no memory left"), std::string::npos)
        << failed.error().message;
    EXPECT_EQ(cuda_emulator::used_bytes(), used) << "what was taken is given back";
  }
  EXPECT_TRUE(generate(*model, short_request()).has_value());
}
#endif

}  // namespace
}  // namespace lacuna::engine
