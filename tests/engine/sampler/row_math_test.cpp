#include "engine/sampler/row_math.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace lacuna::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Around the widths of vectors, blocks, columns and tiles, and a real vocabulary.
const std::vector<int> kSizes{1,  2,    15,   16,   17,   31,   32,   33,   63,    64,
                              65, 1023, 1024, 1025, 4095, 4096, 4097, 8192, 12345, 152064};

std::vector<float> random_row(int n, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, 4);
  std::vector<float> row(static_cast<std::size_t>(n));
  for (float& x : row) x = normal(engine);
  return row;
}

// Everything that one version computes of a row.
struct Outputs {
  std::vector<float> prepared;
  std::vector<float> maxima;
  std::vector<float> weights;
  std::vector<double> sums;
  std::vector<float> probabilities;
  std::vector<float> dropped;
  std::vector<double> totals;

  bool operator==(const Outputs&) const = default;
};

Outputs run(const RowMath& math, const std::vector<float>& row) {
  const int n = static_cast<int>(row.size());
  std::vector<std::uint8_t> allowed(row.size());
  for (std::size_t i = 0; i < row.size(); ++i) allowed[i] = i % 7 != 3;
  Outputs out;
  out.prepared.resize(row.size());
  math.prepare(out.prepared.data(), row.data(), allowed.data(), 0.7F, n);
  out.maxima.resize(static_cast<std::size_t>(n_row_columns(n)));
  math.column_maxima(out.maxima.data(), out.prepared.data(), n);
  const float largest = *std::max_element(out.maxima.begin(), out.maxima.end());
  out.weights.resize(row.size());
  out.sums.resize(static_cast<std::size_t>(n_row_blocks(n)));
  out.totals.push_back(
      math.exponentials(out.weights.data(), out.sums.data(), out.prepared.data(), largest, n));
  out.totals.push_back(
      math.negative_entropy(out.weights.data(), static_cast<float>(1 / out.totals.front()), n));
  out.probabilities = out.weights;
  math.divide(out.probabilities.data(), static_cast<float>(out.totals.front()), n);
  const RowTail tail = math.tail_at(out.probabilities.data(), out.prepared.data(), largest - 5, n);
  out.totals.push_back(tail.mass);
  out.totals.push_back(tail.count);
  out.dropped = out.prepared;
  math.drop_below(out.dropped.data(), largest - 5, n);
  return out;
}

TEST(RowMathTest, AllInstructionSetsGiveTheSameBits) {
  for (const int n : kSizes) {
    const auto row = random_row(n, 1);
    const Outputs expected = run(all_row_math().front(), row);
    for (const RowMath& math : all_row_math()) {
      EXPECT_EQ(run(math, row), expected) << math.name << ", n = " << n;
    }
  }
}

TEST(RowMathTest, AgreesWithDoublePrecision) {
  for (const int n : kSizes) {
    const auto row = random_row(n, 2);
    const Outputs out = run(row_math(), row);
    const float largest = *std::max_element(out.prepared.begin(), out.prepared.end());
    double total = 0;
    double above = 0;
    int n_above = 0;
    for (const float x : out.prepared) {
      const double weight = std::exp(double{x} - largest);
      total += weight;
      if (x < largest - 5) continue;
      above += weight;
      ++n_above;
    }
    double entropy = 0;
    for (const float x : out.prepared) {
      const double p = std::exp(double{x} - largest) / total;
      entropy += p * std::log(p + 1e-10);
    }
    EXPECT_NEAR(out.totals[0], total, 1e-7 * total) << n;
    EXPECT_NEAR(out.totals[1], entropy, 1e-6) << n;
    EXPECT_NEAR(out.totals[2], above / total, 1e-6) << n;
    EXPECT_EQ(out.totals[3], n_above) << n;
  }
}

TEST(RowMathTest, ExponentialsAreWithinTwoUnitsInTheLastPlace) {
  std::vector<float> row;
  for (float x = -86.9F; x < 0; x += 0.0007F) row.push_back(x);
  row.push_back(0);
  std::vector<float> weights(row.size());
  std::vector<double> sums(static_cast<std::size_t>(n_row_blocks(static_cast<int>(row.size()))));
  row_math().exponentials(weights.data(), sums.data(), row.data(), 0, static_cast<int>(row.size()));
  for (std::size_t i = 0; i < row.size(); ++i) {
    const double truth = std::exp(double{row[i]});
    const float next = std::nextafter(static_cast<float>(truth), kInfinity);
    const double unit = double{next} - static_cast<float>(truth);
    EXPECT_NEAR(weights[i], truth, 2 * unit) << row[i];
  }
  EXPECT_EQ(weights.back(), 1);
}

TEST(RowMathTest, EveryColumnHasItsMaximum) {
  for (const int n : kSizes) {
    const auto row = random_row(n, 3);
    std::vector<float> expected(static_cast<std::size_t>(n_row_columns(n)), -kInfinity);
    for (int i = 0; i < n; ++i) {
      float& maximum =
          expected[static_cast<std::size_t>(i / kRowTile * kRowColumns + i % kRowColumns)];
      maximum = std::max(maximum, row[static_cast<std::size_t>(i)]);
    }
    std::vector<float> maxima(expected.size());
    row_math().column_maxima(maxima.data(), row.data(), n);
    EXPECT_EQ(maxima, expected) << n;
  }
}

TEST(RowMathTest, ACertainTokenHasEntropyZeroExactly) {
  std::vector<float> weights(100, 0.0F);
  weights[40] = 1;
  for (const RowMath& math : all_row_math()) {
    EXPECT_EQ(math.negative_entropy(weights.data(), 1, 100), 0) << math.name;
  }
}

TEST(RowMathTest, NotANumberSpreadsToTheSumAndIsNotDropped) {
  for (const RowMath& math : all_row_math()) {
    for (const std::size_t place : {0U, 37U, 99U}) {
      std::vector<float> row(100, 1.0F);
      row[place] = kNan;
      math.drop_below(row.data(), 0.5F, 100);
      std::vector<float> weights(100);
      std::vector<double> sums(1);
      const double total = math.exponentials(weights.data(), sums.data(), row.data(), 1, 100);
      EXPECT_TRUE(std::isnan(total)) << math.name << " " << place;
    }
  }
}

}  // namespace
}  // namespace lacuna::engine
