// The transformer on a CUDA device against the CPU. Built twice, as kernels/cuda_parity_test.cpp is.
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "engine/resident_cache.h"
#include "tests/helpers/temporary_folder.h"
#include "tests/helpers/tiny_model.h"
#include "tests/helpers/two_devices.h"
#ifdef LACUNA_CUDA_EMULATOR
#include "tests/helpers/cuda_emulator/fake_cublaslt.h"
#endif

namespace lacuna::engine {
namespace {

using kernels::WeightFormat;
using kernels::cuda::KvType;
using CudaForwardTest = CudaEngineTest;

constexpr const char* kModels[] = {"dream-tiny", "llada-tiny", "dream-tiny-bf16-sharded"};

// The largest difference, relative to the largest logit of the row.
double worst_difference(std::span<const float> got, std::span<const float> want, std::size_t V) {
  double worst = 0;
  for (std::size_t row = 0; row + V <= want.size(); row += V) {
    double largest = 0;
    double difference = 0;
    for (std::size_t v = row; v < row + V; ++v) {
      if (!std::isfinite(got[v])) return INFINITY;
      largest = std::max(largest, std::abs(static_cast<double>(want[v])));
      difference = std::max(difference, std::abs(static_cast<double>(got[v]) - want[v]));
    }
    worst = std::max(worst, difference / largest);
  }
  return worst;
}

double relative_rms(std::span<const float> got, std::span<const float> want) {
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    difference += (got[i] - want[i]) * (got[i] - want[i]);
    size += want[i] * want[i];
  }
  return std::isfinite(difference) ? std::sqrt(difference / size) : INFINITY;
}

std::vector<float> logits_of(TransformerPredictor predictor, const Ids& ids, std::size_t V) {
  std::vector<float> logits(ids.size() * V);
  predictor.logits(ids, iota_ids(ids.size()), logits.data());
  return logits;
}

// The ids of a canvas that the emulator runs in less than a second.
Ids short_canvas(const std::string& folder) {
  const nlohmann::json golden = read_reference(folder + "/golden.json");
  for (const auto& entry : golden["forward"]) {
    if (entry["ids"].size() == 33) return entry["ids"].get<Ids>();
  }
  throw std::runtime_error("there is no such case");
}

TEST_F(CudaForwardTest, LogitsInFloatAreThoseOfTheCpu) {
  for (const char* folder : kModels) {
    TwoDevices model(folder);
    const auto V = static_cast<std::size_t>(model.cpu.vocab_size());
    const nlohmann::json golden = read_reference(std::string(folder) + "/golden.json");
    for (const auto& entry : golden["forward"]) {
      const Ids ids = entry["ids"].get<Ids>();
      const ForwardLimits limits{.canvas = static_cast<int>(ids.size())};
      const std::vector<float> want = logits_of(model.on_cpu(limits), ids, V);
      const std::vector<float> got = logits_of(model.on_device(limits), ids, V);
      EXPECT_LE(worst_difference(got, want, V), 1e-4) << folder << ", " << ids.size();
    }
  }
}

// Weights and activations rounded to bf16 cost these random networks several percent, on the CPU
// too. What is left between the two is the rounding of activations that differ in the last bit.
TEST_F(CudaForwardTest, LogitsInBf16AreThoseOfTheCpuInBf16) {
  if (kernels::best_isa() < kernels::Isa::Avx512Bf16) GTEST_SKIP() << "this CPU has no bf16";
  for (const char* folder : {"dream-tiny", "llada-tiny"}) {
    TwoDevices model(folder, WeightFormat::Bf16);
    ReferenceModel cpu(folder, WeightFormat::Bf16);
    const auto V = static_cast<std::size_t>(cpu.vocab_size());
    const Ids ids = short_canvas(folder);
    const ForwardLimits limits{.canvas = static_cast<int>(ids.size())};
    const std::vector<float> want =
        logits_of({cpu.transformer, cpu.context, limits, kernels::Precision::Bf16}, ids, V);
    const std::vector<float> got = logits_of(model.on_device(limits), ids, V);
    EXPECT_LE(worst_difference(got, want, V), 1e-2) << folder;
  }
}

// The bf16 model has heads of 32, whose keys and values are bf16 too.
TEST_F(CudaForwardTest, LogitsOfReducedWeightsAreNearThoseInFloat) {
  for (const char* folder : kModels) {
    for (const WeightFormat format : {WeightFormat::Bf16, WeightFormat::Int8}) {
      TwoDevices model(folder, format);
      const auto V = static_cast<std::size_t>(model.cpu.vocab_size());
      const Ids ids = short_canvas(folder);
      const ForwardLimits limits{.canvas = static_cast<int>(ids.size())};
      const std::vector<float> want = logits_of(model.on_cpu(limits), ids, V);
      const std::vector<float> got = logits_of(model.on_device(limits), ids, V);
      EXPECT_LE(relative_rms(got, want), format == WeightFormat::Bf16 ? 0.05 : 0.1) << folder;
    }
  }
}

#ifdef LACUNA_CUDA_EMULATOR
// So many rows that the library multiplies them.
TEST_F(CudaForwardTest, LogitsOfManyRowsAreThoseOfOurKernels) {
  const ReferenceModel cpu("dream-tiny");
  const auto V = static_cast<std::size_t>(cpu.vocab_size());
  Ids ids(70);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i * 7 % 50);
  const ForwardLimits limits{.canvas = static_cast<int>(ids.size())};
  kernels::CpuContext context(kernels::best_isa(), 1);
  const auto logits_with = [&](const char* library) {
    const auto device = kernels::cuda::open_cuda(0, KvType::Bf16, context.pool(), library);
    const Transformer there = Transformer::load(cpu.checkpoint.config(), cpu.checkpoint.tensors(),
                                                *device, WeightFormat::Bf16);
    return logits_of({there, context, limits, kernels::Precision::F32}, ids, V);
  };
  const int before = cuda_emulator::fake_cublaslt().products;
  const std::vector<float> got = logits_with(LACUNA_FAKE_CUBLASLT);
  EXPECT_GT(cuda_emulator::fake_cublaslt().products, before);
  // Sums in another order now and then round an activation to the next bf16.
  EXPECT_LE(relative_rms(got, logits_with(nullptr)), 5e-3);
}
#endif

// As after an edit: a token that is new, and what follows it moved by one.
TEST_F(CudaForwardTest, WhatOutlivesAPassIsThatOfTheCpu) {
  TwoDevices model("dream-tiny");
  const Ids before = short_canvas("dream-tiny");
  Ids after = before;
  after.insert(after.begin() + 12, 3);
  const std::int32_t mask = model.cpu.mask_token();
  const auto V = static_cast<std::size_t>(model.cpu.vocab_size());
  const Ids wanted = {11, 12, 13};
  const auto logits_after_edit = [&](TransformerPredictor first, TransformerPredictor next) {
    ResidentCache cache({.near = 2});
    first.pass().run(before, iota_ids(before.size()), {});
    cache.save(first.pass(), 0, "a", before, 0);
    const Ids rows = cache.load(next.pass(), 0, "a", after, mask, 1).rows;
    EXPECT_LT(rows.size(), after.size());
    next.pass().run(after, rows, wanted);
    std::vector<float> logits(wanted.size() * V);
    next.pass().logits(0, static_cast<int>(wanted.size()), logits.data());
    return logits;
  };
  const ForwardLimits limits{.canvas = static_cast<int>(after.size())};
  const std::vector<float> want = logits_after_edit(model.on_cpu(limits), model.on_cpu(limits));
  const std::vector<float> got =
      logits_after_edit(model.on_device(limits), model.on_device(limits));
  EXPECT_LE(worst_difference(got, want, V), 1e-4);
}

TEST_F(CudaForwardTest, QuantisedFilesAreReadAsTheyAre) {
  for (const int bits : {8, 4}) {
    const test::TemporaryFolder folder;
    test::write_model(folder.path(),
                      test::quantised(test::make_tiny_model({.hidden_size = 64, .heads = 2}),
                                      {.bits = bits, .group = 32}));
    const auto checkpoint = Checkpoint::open(folder.path());
    ASSERT_TRUE(checkpoint.has_value()) << checkpoint.error().message;
    kernels::CpuContext context(kernels::best_isa(), 1);
    const auto device = kernels::cuda::open_cuda(0, KvType::Bf16, context.pool());
    const Transformer here =
        Transformer::load(checkpoint->config(), checkpoint->tensors(), context, WeightFormat::Int8);
    const Transformer there =
        Transformer::load(checkpoint->config(), checkpoint->tensors(), *device, WeightFormat::Int8);
    const auto V = static_cast<std::size_t>(checkpoint->config().vocab_size);
    const Ids ids = {3, 14, 15, 9, 2, 6, 5, 35, 8, 9, 7, 9};
    const ForwardLimits limits{.canvas = static_cast<int>(ids.size())};
    const std::vector<float> want =
        logits_of({here, context, limits, kernels::Precision::F32}, ids, V);
    const std::vector<float> got =
        logits_of({there, context, limits, kernels::Precision::F32}, ids, V);
    EXPECT_LE(relative_rms(got, want), 0.03) << bits;
  }
}

}  // namespace
}  // namespace lacuna::engine
