// Steps that a device takes down and starts again (kernels/step.h): the same bits as passes queued
// operation by operation. Built twice, as kernels/cuda_parity_test.cpp is.
#include <algorithm>
#include <functional>
#include <numeric>

#include <gtest/gtest.h>

#include "engine/denoiser.h"
#include "tests/helpers/temporary_folder.h"
#include "tests/helpers/tiny_model.h"
#include "tests/helpers/two_devices.h"
#ifdef LACUNA_CUDA_EMULATOR
#include <cuda_runtime_api.h>
#endif

namespace lacuna::engine {
namespace {

using kernels::WeightFormat;
using kernels::cuda::KvType;
using CudaStepTest = CudaEngineTest;

constexpr int kTokens = 140;  // more than a step has rows, so that a full pass is none
constexpr std::int32_t kMask = 39;

Checkpoint small_checkpoint(const test::TemporaryFolder& folder) {
  test::write_model(
      folder.path(),
      test::make_tiny_model({.hidden_size = 32, .heads = 2, .kv_heads = 1, .head_size = 32}));
  auto opened = Checkpoint::open(folder.path());
  if (!opened) throw std::runtime_error(opened.error().message);
  return std::move(*opened);
}

// Heads of 32, as the tensor cores take them.
struct SmallModel {
  explicit SmallModel(WeightFormat format)
      : checkpoint(small_checkpoint(folder)),
        device(kernels::cuda::open_cuda(0, format == WeightFormat::F32 ? KvType::F32 : KvType::Bf16,
                                        context.pool())),
        transformer(Transformer::load(checkpoint.config(), checkpoint.tensors(), *device, format)) {
  }

  ForwardPass pass(const ForwardLimits& limits) {
    return {transformer, context, limits, kernels::Precision::F32};
  }
  TransformerPredictor predictor(const ForwardLimits& limits) {
    return {transformer, context, limits, kernels::Precision::F32};
  }
  std::size_t V() const { return static_cast<std::size_t>(checkpoint.config().vocab_size); }

  test::TemporaryFolder folder;
  Checkpoint checkpoint;
  kernels::CpuContext context{kernels::best_isa(), 1};
  std::unique_ptr<kernels::Backend> device;
  Transformer transformer;
};

Ids tokens_of(int size, int seed) {
  Ids ids;
  for (int i = 0; i < size; ++i) ids.push_back((7 * i + 3 * seed + i * i * seed) % kMask);
  return ids;
}

// Every second row, then what is left, until there are `count`.
Ids spread_rows(int count) {
  Ids rows;
  for (int row = 0; row < kTokens && static_cast<int>(rows.size()) < count; row += 2)
    rows.push_back(row);
  for (int row = 1; static_cast<int>(rows.size()) < count; row += 2) rows.push_back(row);
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::vector<float> logits_of(ForwardPass& pass, std::size_t count, std::size_t V) {
  std::vector<float> logits(count * V);
  pass.logits(0, static_cast<int>(count), logits.data());
  return logits;
}

// With a variant beside it, which no step has and which changes nothing.
void run_without_step(ForwardPass& pass, const ForwardInput& input) {
  const ForwardInput inputs[] = {
      input, {.canvas = input.canvas, .rows = input.rows.first(1), .wanted = {}, .variant = true}};
  pass.run(inputs);
}

// Both sides of the borders of buckets. Each is run three times: as it comes, taken down, and started
// again with other tokens.
TEST_F(CudaStepTest, AStepHasTheBitsOfAnyOtherPass) {
  const std::pair<WeightFormat, std::vector<int>> cases[] = {{WeightFormat::F32, {8, 9}},
                                                             {WeightFormat::Bf16, {1, 16, 17, 128}},
                                                             {WeightFormat::Int8, {33}}};
  for (const auto& [format, counts] : cases) {
    SmallModel model(format);
    const ForwardLimits limits{.canvas = kTokens, .rows = kTokens + 1, .variant_rows = 1};
    ForwardPass plain = model.pass(limits);
    ForwardPass steps = model.pass(limits);
    const Ids first = tokens_of(kTokens, 1);
    plain.run(first, iota_ids(kTokens), {});
    steps.run(first, iota_ids(kTokens), {});
    for (const int count : counts) {
      const Ids rows = spread_rows(count);
      for (int turn = 0; turn < 3; ++turn) {
        Ids canvas = first;
        for (const std::int32_t row : rows) canvas[static_cast<std::size_t>(row)] = turn + row % 5;
        canvas.resize(static_cast<std::size_t>(kTokens - turn));  // other numbers of keys
        Ids used = rows;
        while (used.back() >= kTokens - turn) used.pop_back();
        Ids wanted;
        for (std::size_t i = 0; i < used.size(); i += 1 + static_cast<std::size_t>(turn))
          wanted.push_back(used[i]);
        const ForwardInput input{.canvas = canvas, .rows = used, .wanted = wanted};
        run_without_step(plain, input);
        steps.run({&input, 1});
        EXPECT_EQ(logits_of(steps, wanted.size(), model.V()),
                  logits_of(plain, wanted.size(), model.V()))
            << static_cast<int>(format) << ", " << count << " rows, turn " << turn;
      }
    }
  }
}

DenoiseRequest request_of(int seed) {
  DenoiseRequest request{.canvas = tokens_of(30 + seed, seed), .mask_token = kMask};
  std::fill_n(request.canvas.begin() + 4 + seed, 5, kMask);
  std::fill_n(request.canvas.begin() + 20, 3 + seed, kMask);
  request.sampling.algorithm = Algorithm::Entropy;
  request.sampling.tokens_per_step = 2;
  request.sampling.seed = static_cast<std::uint64_t>(seed);
  request.cache = {.scope = CacheScope::Holes, .refresh = 4};
  return request;
}

struct Steps {
  std::vector<Ids> canvases;          // after each step
  std::vector<Candidate> candidates;  // of all steps
};

Steps decode(TransformerPredictor& predictor, DenoiseRequest request) {
  Steps seen;
  request.on_step = [&](const StepEvent& event) {
    seen.canvases.emplace_back(event.canvas.begin(), event.canvas.end());
    seen.candidates.insert(seen.candidates.end(), event.candidates.begin(), event.candidates.end());
  };
  EXPECT_TRUE(denoise(predictor, request).has_value());
  return seen;
}

void expect_same_bits(const Steps& got, const Steps& want, const std::string& what) {
  EXPECT_EQ(got.canvases, want.canvases) << what;
  ASSERT_EQ(got.candidates.size(), want.candidates.size()) << what;
  for (std::size_t i = 0; i < want.candidates.size(); ++i) {
    const Candidate& a = got.candidates[i];
    const Candidate& b = want.candidates[i];
    EXPECT_TRUE(a.position == b.position && a.token == b.token && a.probability == b.probability &&
                a.confidence == b.confidence && a.plain_probability == b.plain_probability)
        << what << ", candidate " << i;
  }
}

TEST_F(CudaStepTest, DecodesAreTheSameWithStepsTakenDownAndWithout) {
  SmallModel model(WeightFormat::Bf16);
  std::vector<std::uint8_t> allowed(model.V(), 1);
  for (std::size_t i = 0; i < allowed.size(); i += 3) allowed[i] = 0;
  for (const int seed : {0, 1, 2}) {
    DenoiseRequest request = request_of(seed);
    if (seed == 1) request.sampling.temperature = 0.7F;
    if (seed == 2) request.allowed = allowed;
    const auto run = [&](bool records) {
      model.device->step_device()->set_records(records);
      TransformerPredictor predictor = model.predictor(limits_of(request));
      return decode(predictor, request);
    };
    const Steps want = run(false);
    expect_same_bits(run(true), want, "seed " + std::to_string(seed));
    EXPECT_TRUE(model.device->step_device()->records());
  }
}

TEST_F(CudaStepTest, CanvasesOfABatchAreWhatTheyAreAlone) {
  SmallModel model(WeightFormat::F32);
  std::vector<DenoiseRequest> requests = {request_of(0), request_of(1), request_of(2)};
  requests[1].canvas.resize(28);
  requests[1].sampling.temperature = 0.7F;
  requests[2].sampling.algorithm = Algorithm::TopkMargin;
  TransformerPredictor together = model.predictor(limits_of(requests));
  const auto got = denoise_batch(together, requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    model.device->step_device()->set_records(false);
    TransformerPredictor alone = model.predictor(limits_of(requests[i]));
    const auto want = denoise(alone, requests[i]);
    ASSERT_TRUE(got[i].has_value() && want.has_value()) << i;
    EXPECT_EQ(got[i]->canvas, want->canvas) << i;
  }
}

#ifdef LACUNA_CUDA_EMULATOR
TEST_F(CudaStepTest, AStepThatWasTakenDownIsOneLaunchAndAllocatesNothing) {
  SmallModel model(WeightFormat::Bf16);
  DenoiseRequest request = request_of(0);
  request.cache.refresh = 0;
  for (int warm_up = 0; warm_up < 2; ++warm_up) {
    TransformerPredictor predictor = model.predictor(limits_of(request));
    decode(predictor, request);
  }
  const std::size_t allocations = cuda_emulator::allocations();
  const std::size_t graphs = cuda_emulator::graphs();
  const std::size_t launches = cuda_emulator::launches();
  std::size_t graph_launches = cuda_emulator::graph_launches();
  int steps = 0;
  request.on_step = [&](const StepEvent& event) { steps = event.step + 1; };
  for (int run = 0; run < 2; ++run) {
    // Another request, whose canvas is a little larger.
    request.canvas.resize(request.canvas.size() + 1, 4);
    TransformerPredictor predictor = model.predictor(limits_of(request));
    ASSERT_TRUE(denoise(predictor, request).has_value());
    EXPECT_EQ(cuda_emulator::launches(), launches) << "of kernels alone";
    EXPECT_EQ(cuda_emulator::graph_launches() - graph_launches, static_cast<std::size_t>(steps));
    graph_launches = cuda_emulator::graph_launches();
  }
  EXPECT_EQ(steps, 4);
  EXPECT_EQ(cuda_emulator::allocations(), allocations);
  EXPECT_EQ(cuda_emulator::graphs(), graphs);
}

TEST_F(CudaStepTest, WhatWasTakenDownIsBoundedAndGoesWithTheModel) {
  const std::size_t before = cuda_emulator::graphs();
  {
    SmallModel model(WeightFormat::F32);
    const Ids canvas = tokens_of(kTokens, 1);
    for (int turn = 0; turn < 2; ++turn) {
      ForwardPass pass = model.pass({.canvas = kTokens});
      for (const int count : {1, 7, 8, 9, 16, 17, 40, 60, 70, 128})
        pass.run(canvas, spread_rows(count), {});
    }
    EXPECT_EQ(cuda_emulator::graphs() - before, 5U) << "one for each bucket";
  }
  EXPECT_EQ(cuda_emulator::graphs(), before);
}

TEST_F(CudaStepTest, ADeviceThatTakesNothingDownRunsTheSameSteps) {
  SmallModel model(WeightFormat::F32);
  const DenoiseRequest request = request_of(0);
  const auto run = [&] {
    TransformerPredictor predictor = model.predictor(limits_of(request));
    return decode(predictor, request);
  };
  const Steps want = run();
  model.transformer = Transformer::load(model.checkpoint.config(), model.checkpoint.tensors(),
                                        *model.device, WeightFormat::F32);
  cuda_emulator::fail_instantiation(true);
  const Steps got = run();
  cuda_emulator::fail_instantiation(false);
  EXPECT_FALSE(model.device->step_device()->records());
  expect_same_bits(got, want, "not taken down");
  expect_same_bits(run(), want, "after that");
}

// The emulator ends the program where a graph uses memory that is gone.
TEST_F(CudaStepTest, ScratchMemoryThatGrowsMakesStepsBeTakenDownAnew) {
  SmallModel model(WeightFormat::Bf16);
  const Ids canvas = tokens_of(129, 1);
  const Ids rows = iota_ids(9);
  ForwardPass pass = model.pass({.canvas = 129});
  const auto step = [&] {
    pass.run(canvas, rows, rows);
    return logits_of(pass, rows.size(), model.V());
  };
  pass.run(canvas, iota_ids(129), {});
  for (int i = 0; i < 3; ++i) step();
  // A move within a cache goes through scratch memory of its size.
  const KvBuffer kv(*model.device, 1 << 14, model.checkpoint.config());
  const std::size_t taken_down = cuda_emulator::graph_launches();
  EXPECT_GT(taken_down, 0U);
  const kernels::Memory angles = model.device->allocate(1024);
  const std::size_t allocations = cuda_emulator::allocations();
  model.device->kv_move({.from = kv.view,
                         .to = kv.view,
                         .cos = angles.as<float>(),
                         .sin = angles.as<float>(),
                         .begin = 0,
                         .end = 1,
                         .by = 1});
  EXPECT_GT(cuda_emulator::allocations(), allocations) << "it has not grown";
  const std::vector<float> want = step();
  EXPECT_EQ(step(), want);
  EXPECT_EQ(cuda_emulator::graph_launches(), taken_down + 2);
}

TEST_F(CudaStepTest, AfterARequestWithoutMemoryTheNextOneIsTheSame) {
  SmallModel model(WeightFormat::F32);
  const DenoiseRequest request = request_of(0);
  const auto run = [&] {
    TransformerPredictor predictor = model.predictor(limits_of(request));
    return decode(predictor, request);
  };
  const Steps want = run();
  DenoiseRequest large = request;
  large.canvas.resize(2000, 4);
  cuda_emulator::limit_memory(cuda_emulator::used_bytes());
  EXPECT_THROW(model.predictor(limits_of(large)), kernels::DeviceError);
  cuda_emulator::limit_memory(0);
  expect_same_bits(run(), want, "after the error");
}

TEST_F(CudaStepTest, TheEmulatorForbidsWhatCudaForbidsInACapture) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  kernels::CpuContext context(kernels::best_isa(), 1);
  const auto device = kernels::cuda::open_cuda(0, KvType::F32, context.pool());
  kernels::StepDevice& steps = *device->step_device();
  const kernels::Memory memory = device->allocate(64);
  std::vector<std::byte> pageable(64);
  const auto record = [&](const std::function<void()>& operations) { steps.record(operations); };
  EXPECT_DEATH(record([&] { device->allocate(8); }), "forbidden.*cudaMalloc");
  EXPECT_DEATH(record([&] { steps.wait(); }), "forbidden.*cudaStreamSynchronize");
  EXPECT_DEATH(record([&] { device->upload(memory.as<void>(), pageable.data(), 64); }),
               "pageable memory");
  EXPECT_DEATH(
      {
        kernels::Memory gone = device->allocate(64);
        kernels::Memory pinned = steps.pinned(64);
        const auto recording =
            steps.record([&] { steps.send(gone.as<void>(), pinned.as<void>(), 64); });
        gone = kernels::Memory();
        steps.replay(*recording);
      },
      "given back");
}
#endif

}  // namespace
}  // namespace lacuna::engine
