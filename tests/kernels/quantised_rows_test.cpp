#include "kernels/cpu/quantised_rows.h"

#include "kernels/kernels.h"
#include "tests/kernels/kernels_testing.h"

namespace lacuna::kernels {
namespace {

using testing::numbers;
using testing::product;
using testing::same_bits;

// A row in the 4-bit format, with what it takes to read it back.
struct Row4 {
  std::vector<std::uint8_t> codes;
  std::vector<std::uint8_t> steps;
  std::vector<std::int8_t> offsets;
  float scale = 0;
  int group;

  Row4(const std::vector<float>& w, int group_size) : group(group_size) {
    const int k = static_cast<int>(w.size());
    codes.resize(row_bytes(DType::I4, k));
    steps.resize(static_cast<std::size_t>((k + group - 1) / group));
    offsets.resize(steps.size());
    scale = quantise_row_int4(
        w.data(), k, group,
        {.codes = codes.data(), .steps = steps.data(), .offsets = offsets.data()});
  }

  MatrixSource source() const {
    return {
        .data = codes.data(),
        .type = DType::I4,
        .rows = 1,
        .parts = {
            .scales = &scale, .steps = steps.data(), .offsets = offsets.data(), .group = group}};
  }

  std::vector<float> read(int k) const {
    std::vector<float> row(static_cast<std::size_t>(k));
    read_row(source(), 0, k, row.data());
    return row;
  }
};

double relative_error(const std::vector<float>& got, const std::vector<float>& want) {
  double error = 0;
  double sum = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    error += std::pow(static_cast<double>(got[i] - want[i]), 2);
    sum += std::pow(static_cast<double>(want[i]), 2);
  }
  return std::sqrt(error / sum);
}

// A normal distribution, roughly: sums of uniform numbers, as weights are.
std::vector<float> weights(int k, unsigned seed) {
  std::vector<float> w(static_cast<std::size_t>(k), 0.0F);
  for (unsigned i = 0; i < 6; ++i) {
    const std::vector<float> part = numbers(w.size(), seed * 100 + i);
    for (std::size_t j = 0; j < w.size(); ++j) w[j] += 0.02F * part[j];
  }
  return w;
}

TEST(QuantiseRowTest, LosesLittle) {
  const std::vector<float> w = weights(4096, 1);
  std::vector<std::int8_t> integers(w.size());
  const float scale = quantise_row_int8(w.data(), 4096, integers.data());
  std::vector<float> eight;
  for (const std::int8_t integer : integers) eight.push_back(scale * static_cast<float>(integer));
  EXPECT_LT(relative_error(eight, w), 0.01);
  EXPECT_LT(relative_error(Row4(w, 32).read(4096), w), 0.085);
  EXPECT_LT(relative_error(Row4(w, 32).read(4096), w), relative_error(Row4(w, 256).read(4096), w));
}

TEST(QuantiseRowTest, KeepsWhatFitsExactly) {
  for (const int k : {1, 2, 31, 32, 33, 63, 64, 65, 255, 256, 257}) {
    std::vector<float> w(static_cast<std::size_t>(k));
    for (int i = 0; i < k; ++i) w[static_cast<std::size_t>(i)] = static_cast<float>(i % 16) - 5;
    w[0] = 127.0F;  // the scale is 1, the others lie on a line of 16 integers
    std::vector<std::int8_t> integers(w.size());
    EXPECT_EQ(quantise_row_int8(w.data(), k, integers.data()), 1.0F);
    for (int i = 0; i < k; ++i)
      EXPECT_EQ(static_cast<float>(integers[static_cast<std::size_t>(i)]),
                w[static_cast<std::size_t>(i)]);
    const std::vector<float> four = Row4(w, 32).read(k);
    for (int i = 32; i < k; ++i)
      EXPECT_EQ(four[static_cast<std::size_t>(i)], w[static_cast<std::size_t>(i)])
          << "k " << k << " i " << i;
  }
}

TEST(QuantiseRowTest, TakesAnyNumbers) {
  const int k = 37;
  for (const float number : {0.0F, 1e-40F, -3e38F, 1e-29F}) {
    const std::vector<float> w(static_cast<std::size_t>(k), number);
    const float want = std::fabs(number) < 1e-30F ? 0.0F : number;
    for (const float x : Row4(w, 32).read(k)) EXPECT_NEAR(x, want, std::fabs(want) * 1e-6F);
  }
  for (const float bad : {NAN, INFINITY}) {
    std::vector<float> w(static_cast<std::size_t>(k), 1.0F);
    w[7] = bad;
    for (const float x : Row4(w, 32).read(k)) EXPECT_TRUE(std::isnan(x));
  }
}

// A file may hold any bytes: the integers stay those of an Int8 matrix.
TEST(ReadRowTest, ClampsWhatAHostileFileHolds) {
  const std::uint8_t codes[] = {0xFF, 0xFF};
  const std::uint8_t steps[] = {255};
  const std::int8_t offsets[] = {-128};
  const float scale = 1;
  MatrixSource source = {
      .data = codes,
      .type = DType::I4,
      .rows = 1,
      .parts = {.scales = &scale, .steps = steps, .offsets = offsets, .group = 4}};
  float row[4];
  read_row(source, 0, 4, row);
  EXPECT_EQ(row[3], 127.0F);
  const std::uint8_t zeros[] = {0, 0};
  source.data = zeros;
  read_row(source, 0, 4, row);
  EXPECT_EQ(row[0], -127.0F);
}

TEST(EmbedTest, ScalesTheRowsOfAnInt8Table) {
  const int V = 5;
  const int D = 19;
  const std::vector<float> table = numbers(product(V, D), 1);
  std::vector<std::int8_t> integers(table.size());
  std::vector<float> scales;
  for (int row = 0; row < V; ++row)
    scales.push_back(
        quantise_row_int8(table.data() + product(row, D), D, &integers[product(row, D)]));
  const std::vector<std::int32_t> ids{4, 0, 4, 2};
  CpuContext context(best_isa(), 2);
  std::vector<float> y(product(4, D));
  embed(context, {.y = y.data(),
                  .table = integers.data(),
                  .type = DType::I8,
                  .ids = ids.data(),
                  .M = 4,
                  .D = D,
                  .scales = scales.data()});
  std::vector<float> want;
  for (const std::int32_t id : ids)
    for (int d = 0; d < D; ++d)
      want.push_back(scales[static_cast<std::size_t>(id)] *
                     static_cast<float>(integers[product(id, D) + d]));
  EXPECT_TRUE(same_bits("embed", y.data(), want.data(), want.size()));
}

}  // namespace
}  // namespace lacuna::kernels
