// draw_rows() of the CUDA kernels against draw(). Built twice, as kernels/cuda_parity_test.cpp is.
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include "engine/sampler/candidate.h"
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/device_buffer.h"

namespace lacuna::engine {
namespace {

using kernels::cuda::DeviceBuffer;
using kernels::cuda::DrawRows;
using kernels::cuda::RowConfidence;
using kernels::cuda::RowResult;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class CudaDrawTest : public ::testing::Test {
 protected:
  void SetUp() override {
#ifndef LACUNA_CUDA_EMULATOR
    if (kernels::cuda::probe().device_count == 0) GTEST_SKIP() << kernels::cuda::probe().problem;
#endif
  }
};

template <class T>
DeviceBuffer on_device(const std::vector<T>& content) {
  DeviceBuffer buffer(content.size() * sizeof(T));
  LACUNA_CUDA_CHECK(
      cudaMemcpy(buffer.as<void>(), content.data(), buffer.bytes(), cudaMemcpyHostToDevice));
  return buffer;
}

struct Rows {
  int V;
  std::vector<float> logits;                      // [rows, V]
  std::vector<std::vector<std::int32_t>> banned;  // [rows]
  std::vector<double> uniforms;                   // [rows]
  int count() const { return static_cast<int>(uniforms.size()); }
  std::span<const float> row(int m) const {
    return std::span(logits).subspan(static_cast<std::size_t>(m) * V, V);
  }
};

// Logits in [-8, 8) in steps that make ties likely.
Rows random_rows(int count, int V, unsigned seed) {
  std::mt19937 random(seed);
  Rows rows{.V = V, .logits = {}, .banned = {}, .uniforms = {}};
  for (int i = 0; i < count * V; ++i)
    rows.logits.push_back(static_cast<float>(random() % 4096) / 256.0F - 8.0F);
  for (int m = 0; m < count; ++m) {
    rows.uniforms.push_back(static_cast<double>(random()) / 4294967296.0);
    rows.banned.emplace_back();
  }
  return rows;
}

std::vector<RowResult> device_draw(const Rows& rows, const DrawOptions& options) {
  std::vector<std::int32_t> banned;
  std::vector<std::int32_t> begin = {0};
  for (const auto& tokens : rows.banned) {
    banned.insert(banned.end(), tokens.begin(), tokens.end());
    begin.push_back(static_cast<std::int32_t>(banned.size()));
  }
  std::vector<RowResult> results(static_cast<std::size_t>(rows.count()));
  const DeviceBuffer device_logits = on_device(rows.logits);
  const DeviceBuffer device_banned = on_device(banned);
  const DeviceBuffer device_begin = on_device(begin);
  const DeviceBuffer device_uniforms = on_device(rows.uniforms);
  const DeviceBuffer device_results = on_device(results);
  const DeviceBuffer device_allowed =
      on_device(std::vector<std::uint8_t>(options.allowed.begin(), options.allowed.end()));
  kernels::cuda::draw_rows(
      {.results = device_results.as<RowResult>(),
       .logits = device_logits.as<float>(),
       .allowed = options.allowed.empty() ? nullptr : device_allowed.as<std::uint8_t>(),
       .banned = banned.empty() ? nullptr : device_banned.as<std::int32_t>(),
       .banned_begin = device_begin.as<std::int32_t>(),
       .uniforms = device_uniforms.as<double>(),
       .M = rows.count(),
       .V = rows.V,
       .forbidden = options.forbidden,
       .temperature = options.temperature,
       .confidence = static_cast<RowConfidence>(options.confidence)},
      nullptr);
  LACUNA_CUDA_CHECK(cudaMemcpy(results.data(), device_results.as<void>(),
                               results.size() * sizeof(RowResult), cudaMemcpyDeviceToHost));
  return results;
}

void check_same(const Rows& rows, const DrawOptions& options, const std::string& what) {
  const std::vector<RowResult> got = device_draw(rows, options);
  DrawScratch scratch;
  for (int m = 0; m < rows.count(); ++m) {
    const Candidate want = draw(rows.row(m), 0, options, rows.banned[static_cast<std::size_t>(m)],
                                rows.uniforms[static_cast<std::size_t>(m)], scratch);
    const RowResult& result = got[static_cast<std::size_t>(m)];
    EXPECT_EQ(result.token, want.token) << what << " row " << m;
    EXPECT_NEAR(result.probability, want.probability, 1e-5F) << what << " row " << m;
    EXPECT_NEAR(result.plain_probability, want.plain_probability, 1e-5F) << what << " row " << m;
    if (std::isfinite(want.confidence)) {
      EXPECT_NEAR(result.confidence, want.confidence, 1e-4F) << what << " row " << m;
    } else {
      EXPECT_EQ(result.confidence, want.confidence) << what << " row " << m;
    }
  }
}

TEST_F(CudaDrawTest, EveryConfidenceAndTemperatureIsThatOfTheCpu) {
  for (const int V : {1, 2, 33, 1500}) {
    for (const float temperature : {0.0F, 0.7F}) {
      for (const Confidence kind :
           {Confidence::Probability, Confidence::Margin, Confidence::NegativeEntropy}) {
        check_same(random_rows(2, V, 1), {.temperature = temperature, .confidence = kind},
                   "V " + std::to_string(V) + " kind " + std::to_string(static_cast<int>(kind)));
      }
    }
  }
}

TEST_F(CudaDrawTest, ForbiddenTokensAreNeverDrawn) {
  Rows rows = random_rows(4, 300, 2);
  std::vector<std::uint8_t> allowed(300, 1);
  for (std::size_t i = 0; i < allowed.size(); i += 3) allowed[i] = 0;
  DrawOptions options{
      .confidence = Confidence::NegativeEntropy, .allowed = allowed, .forbidden = 7};
  DrawScratch scratch;
  // Bans what each row would take, twice: rows have different numbers of banned tokens.
  for (int round = 0; round < 2; ++round) {
    for (int m = round; m < rows.count(); ++m) {
      auto& banned = rows.banned[static_cast<std::size_t>(m)];
      banned.push_back(draw(rows.row(m), 0, options, banned, 0, scratch).token);
    }
  }
  check_same(rows, options, "forbidden");
  options.temperature = 1.5F;
  check_same(rows, options, "forbidden, drawn");
}

TEST_F(CudaDrawTest, OfTiesTheLowestTokenIsTaken) {
  Rows rows = random_rows(1, 5000, 3);
  for (const std::size_t i : {4999U, 1234U, 77U}) rows.logits[i] = 100;
  EXPECT_EQ(device_draw(rows, {}).front().token, 77);
  check_same(rows, {.confidence = Confidence::Margin}, "ties");
}

TEST_F(CudaDrawTest, RowsWithoutADistributionGiveNoToken) {
  for (const float odd : {kInfinity, std::numeric_limits<float>::quiet_NaN(), -kInfinity}) {
    Rows rows = random_rows(2, 100, 4);
    if (odd == -kInfinity) {
      std::fill_n(rows.logits.begin(), 100, odd);
    } else {
      rows.logits[50] = odd;
    }
    const std::vector<RowResult> got = device_draw(rows, {});
    EXPECT_EQ(got[0].token, -1) << odd;
    EXPECT_EQ(got[0].confidence, -kInfinity) << odd;
    EXPECT_GE(got[1].token, 0) << "the other row is drawn";
  }
}

TEST_F(CudaDrawTest, EvenlySpacedNumbersDrawEachTokenByItsProbability) {
  constexpr int kDraws = 40;
  Rows rows{.V = 4, .logits = {}, .banned = {}, .uniforms = {}};
  for (int m = 0; m < kDraws; ++m) {
    for (const float weight : {0.1F, 0.2F, 0.3F, 0.4F}) rows.logits.push_back(std::log(weight));
    rows.uniforms.push_back((m + 0.5) / kDraws);
    rows.banned.emplace_back();
  }
  std::vector<int> counts(4);
  for (const RowResult& result : device_draw(rows, {.temperature = 1}))
    ++counts[static_cast<std::size_t>(result.token)];
  EXPECT_EQ(counts, (std::vector<int>{4, 8, 12, 16}));
}

}  // namespace
}  // namespace lacuna::engine
