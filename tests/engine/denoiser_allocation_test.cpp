// The loop allocates nothing once it runs. This file replaces operator new of the whole program by
// one that counts, which is why it is a program of its own.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include <gtest/gtest.h>

#include "engine/denoiser.h"
#include "tests/engine/fake_predictor.h"

namespace {
std::atomic<long> n_allocations{0};  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

void* allocate(std::size_t size) {
  ++n_allocations;
  return std::malloc(size == 0 ? 1 : size);
}

void* allocate_or_throw(std::size_t size) {
  void* memory = allocate(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace

void* operator new(std::size_t size) { return allocate_or_throw(size); }
void* operator new[](std::size_t size) { return allocate_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace lacuna::engine {
namespace {

constexpr std::int32_t kMask = 299;

class AcceptingConstraint : public Constraint {
  void vet(std::span<const std::int32_t>, std::span<const Candidate>,
           std::span<std::uint8_t> accepted) override {
    std::fill(accepted.begin(), accepted.end(), std::uint8_t{1});
  }
};

TEST(DenoiserAllocationTest, NothingIsAllocatedAfterTheFirstStep) {
  std::vector<std::vector<float>> table(5, std::vector<float>(300));
  for (std::size_t i = 0; i < 300 * table.size(); ++i) {
    table[i % 5][i / 5] = static_cast<float>(i * 37 % 101) / 20;
  }
  AcceptingConstraint constraint;
  const std::vector<SamplingOptions> all{
      {.steps = 9, .algorithm = Algorithm::Origin},
      {.steps = 9, .algorithm = Algorithm::TopkMargin, .temperature = 1, .top_p = 0.9F},
      {.steps = 9, .algorithm = Algorithm::Entropy, .top_k = 20, .alg_temp = 0.5F},
      {.steps = 9, .algorithm = Algorithm::MaskgitPlus, .threshold = 0.02F},
      {.steps = 9, .algorithm = Algorithm::ConfidenceThreshold, .threshold = 0.02F},
  };
  for (const SamplingOptions& sampling : all) {
    for (Constraint* used :
         {static_cast<Constraint*>(nullptr), static_cast<Constraint*>(&constraint)}) {
      TablePredictor predictor(table, true);
      predictor.records = false;
      std::array<long, 64> counts{};
      const DenoiseRequest request{.canvas = Canvas(40, kMask),
                                   .mask_token = kMask,
                                   .sampling = sampling,
                                   .constraint = used,
                                   .early_exit = false,
                                   .on_step = [&](const StepEvent& event) {
                                     counts[static_cast<std::size_t>(event.step)] = n_allocations;
                                   }};
      const auto result = denoise(predictor, request);
      ASSERT_TRUE(result);
      ASSERT_GE(result->steps_run, 9);
      for (int step = 1; step < result->steps_run; ++step) {
        EXPECT_EQ(counts[static_cast<std::size_t>(step)], counts[0])
            << name_of(sampling.algorithm) << ", step " << step;
      }
    }
  }
}

}  // namespace
}  // namespace lacuna::engine
