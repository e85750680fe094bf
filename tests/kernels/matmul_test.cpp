#include <numeric>

#include "kernels/cpu/isa_kernels.h"
#include "kernels/cpu/packed_matrix.h"
#include "kernels/kernels.h"
#include "tests/kernels/kernels_testing.h"

namespace lacuna::kernels {
namespace {

using testing::all_near;
using testing::isas;
using testing::numbers;
using testing::product;
using testing::same_bits;

// How a product is computed: weight format and Matmul::precision.
struct Mode {
  WeightFormat format;
  Precision precision;
};
constexpr Mode kModes[] = {{WeightFormat::F32, Precision::F32},
                           {WeightFormat::Bf16, Precision::F32},
                           {WeightFormat::Bf16, Precision::Bf16},
                           {WeightFormat::Int8, Precision::F32}};

struct Shape {
  int M;
  int n;
  int k;
};

std::string describe(Isa isa, Mode mode, Shape shape) {
  const char* format = mode.format == WeightFormat::F32    ? " f32"
                       : mode.format == WeightFormat::Bf16 ? " bf16"
                                                           : " int8";
  return "matmul " + std::string(name_of(isa)) + format +
         (mode.precision == Precision::F32 ? "" : " pairs") + " M=" + std::to_string(shape.M) +
         " n=" + std::to_string(shape.n) + " k=" + std::to_string(shape.k);
}

enum class Rounding : std::uint8_t { None, Bf16, Int8 };

// What a product keeps of a row.
std::vector<double> rounded(const float* row, int k, Rounding rounding) {
  float largest = 0;
  for (int i = 0; i < k; ++i) largest = std::max(largest, std::fabs(row[i]));
  std::vector<double> result;
  for (int i = 0; i < k; ++i) {
    if (rounding == Rounding::None)
      result.push_back(static_cast<double>(row[i]));
    else if (rounding == Rounding::Bf16)
      result.push_back(static_cast<double>(bf16_to_f32(f32_to_bf16(row[i]))));
    else
      result.push_back(largest == 0
                           ? 0.0
                           : std::nearbyint(static_cast<double>(row[i] * (127 / largest))) *
                                 static_cast<double>(largest / 127));
  }
  return result;
}

// One random product; `gap` floats lie between the rows of x.
struct Problem {
  Shape shape;
  int gap;
  std::vector<float> x;
  std::vector<float> w;
  std::vector<float> bias;

  explicit Problem(Shape s, int gap_floats = 0)
      : shape(s),
        gap(gap_floats),
        x(numbers(product(s.M, s.k + gap_floats), 1)),
        w(numbers(product(s.n, s.k), 2)),
        bias(numbers(static_cast<std::size_t>(s.n), 3)) {}

  int x_stride() const { return shape.k + gap; }

  PackedMatrix pack(CpuContext& context, WeightFormat format) const {
    return PackedMatrix::pack(context, {.data = w.data(), .type = DType::F32, .rows = shape.n},
                              shape.k, format);
  }

  // The definition, in double, from what the mode keeps of x and w.
  std::vector<float> expected(Rounding of_x, Rounding of_w) const {
    std::vector<std::vector<double>> rows;
    for (int n = 0; n < shape.n; ++n)
      rows.push_back(rounded(w.data() + product(n, shape.k), shape.k, of_w));
    std::vector<float> y(product(shape.M, shape.n));
    for (int m = 0; m < shape.M; ++m) {
      const auto row = rounded(x.data() + product(m, x_stride()), shape.k, of_x);
      for (int n = 0; n < shape.n; ++n)
        y[product(m, shape.n) + n] = static_cast<float>(
            std::inner_product(row.begin(), row.end(), rows[static_cast<std::size_t>(n)].begin(),
                               static_cast<double>(bias[static_cast<std::size_t>(n)])));
    }
    return y;
  }
};

std::vector<float> run(CpuContext& context, const Problem& problem, const PackedMatrix& w,
                       Precision precision) {
  std::vector<float> y(product(problem.shape.M, problem.shape.n), -77.0F);
  matmul(context, {.y = y.data(),
                   .x = problem.x.data(),
                   .w = &w,
                   .bias = problem.bias.data(),
                   .M = problem.shape.M,
                   .x_stride = problem.x_stride(),
                   .precision = precision});
  return y;
}

void check(Shape shape, int gap = 0) {
  const Problem problem(shape, gap);
  for (const Isa isa : isas()) {
    CpuContext context(isa, 2);
    for (const Mode mode : kModes) {
      const bool pairs =
          mode.precision == Precision::Bf16 && context.kernels().tile_bf16_pairs != nullptr;
      const bool int8 = mode.format == WeightFormat::Int8;
      const Rounding of_x = int8 ? Rounding::Int8 : pairs ? Rounding::Bf16 : Rounding::None;
      const Rounding of_w = int8                                ? Rounding::Int8
                            : mode.format == WeightFormat::Bf16 ? Rounding::Bf16
                                                                : Rounding::None;
      const float tolerance = 2e-6F * std::sqrt(static_cast<float>(shape.k));
      EXPECT_TRUE(
          all_near(describe(isa, mode, shape),
                   run(context, problem, problem.pack(context, mode.format), mode.precision),
                   problem.expected(of_x, of_w), tolerance));
    }
  }
}

TEST(MatmulTest, IsTheSumOfProductsPlusBias) {
  for (const int M : {1, 2, 5, 6, 7, 12, 13})
    for (const int n : {1, 31, 64, 65})
      for (const int k : {1, 2, 3, 32, 33}) check({.M = M, .n = n, .k = k});
}

TEST(MatmulTest, HandlesSizesBeyondItsBlocks) {
  check({.M = 257, .n = 65, .k = 64});
  check({.M = 63, .n = 257, .k = 255});
  check({.M = 3, .n = 70, .k = 4099});
  check({.M = 100, .n = 33, .k = 1537});
}

TEST(MatmulTest, ReadsRowsAtAStride) { check({.M = 9, .n = 66, .k = 35}, 13); }

TEST(MatmulTest, AddsToYWhenAccumulating) {
  const Problem problem({.M = 8, .n = 70, .k = 40});
  for (const Isa isa : isas()) {
    CpuContext context(isa, 2);
    for (const Mode mode : kModes) {
      const PackedMatrix w = problem.pack(context, mode.format);
      std::vector<float> want = run(context, problem, w, mode.precision);
      std::vector<float> y = numbers(want.size(), 9);
      for (std::size_t i = 0; i < want.size(); ++i)
        want[i] += y[i] - problem.bias[i % static_cast<std::size_t>(problem.shape.n)];
      matmul(context, {.y = y.data(),
                       .x = problem.x.data(),
                       .w = &w,
                       .bias = nullptr,
                       .M = problem.shape.M,
                       .x_stride = problem.x_stride(),
                       .accumulate = true,
                       .precision = mode.precision});
      EXPECT_TRUE(all_near(describe(isa, mode, problem.shape) + " accumulate", y, want, 1e-6F));
    }
  }
}

// The promise of kernels.h that caching rests on: a row alone and the row among others.
TEST(MatmulTest, GivesARowTheSameBitsWhateverItsNeighbours) {
  const Problem all({.M = 70, .n = 65, .k = 37});
  for (const Isa isa : isas()) {
    CpuContext context(isa, 2);
    for (const Mode mode : kModes) {
      const PackedMatrix w = all.pack(context, mode.format);
      const std::vector<float> want = run(context, all, w, mode.precision);
      for (int M = 1; M <= 70; ++M)
        for (const int first : {0, 70 - M}) {
          Problem part = all;
          part.shape.M = M;
          part.x.erase(part.x.begin(), part.x.begin() + first * all.shape.k);
          EXPECT_TRUE(
              same_bits(describe(isa, mode, part.shape) + " from row " + std::to_string(first),
                        run(context, part, w, mode.precision).data(),
                        want.data() + product(first, all.shape.n), product(M, all.shape.n)));
        }
    }
  }
}

TEST(MatmulTest, GivesTheSameBitsForAnyNumberOfThreads) {
  const Problem problem({.M = 130, .n = 200, .k = 1300});
  for (const Isa isa : isas())
    for (const Mode mode : kModes) {
      std::vector<std::vector<float>> results;
      for (const int threads : {1, 2, 5}) {
        CpuContext context(isa, threads);
        results.push_back(
            run(context, problem, problem.pack(context, mode.format), mode.precision));
      }
      for (const std::vector<float>& result : results)
        EXPECT_TRUE(same_bits(describe(isa, mode, problem.shape), result.data(), results[0].data(),
                              result.size()));
    }
}

// Sums of integers are exact, and the rounding around them is written down to the bit.
TEST(MatmulTest, OfInt8IsTheSameBitsOnEveryInstructionSet) {
  for (const int M : {1, 6, 7, 32})
    for (const int n : {1, 31, 32, 33, 63, 64, 65, 257})
      for (const int k : {1, 2, 3, 4, 31, 32, 33, 255, 256, 257, 2050}) {
        const Problem problem({.M = M, .n = n, .k = k}, 3);
        std::vector<float> want;
        for (const Isa isa : isas()) {
          CpuContext context(isa, 2);
          const PackedMatrix w = problem.pack(context, WeightFormat::Int8);
          const std::vector<float> got = run(context, problem, w, Precision::F32);
          if (want.empty()) want = got;
          ASSERT_TRUE(same_bits(describe(isa, kModes[3], problem.shape), got.data(), want.data(),
                                got.size()));
        }
      }
}

// 255 and 127 in every place: nothing may saturate on the way.
TEST(MatmulTest, OfInt8HoldsTheLargestSums) {
  const int k = 1024;
  Problem problem({.M = 2, .n = 64, .k = k});
  for (int i = 0; i < k; ++i) problem.x[static_cast<std::size_t>(i)] = 2.0F;
  for (int i = 0; i < k; ++i) problem.x[product(1, k) + i] = i % 2 == 0 ? 2.0F : -2.0F;
  std::fill(problem.w.begin(), problem.w.end(), 0.5F);
  std::fill(problem.bias.begin(), problem.bias.end(), 0.0F);
  for (const Isa isa : isas()) {
    CpuContext context(isa, 1);
    const std::vector<float> y =
        run(context, problem, problem.pack(context, WeightFormat::Int8), Precision::F32);
    EXPECT_NEAR(y[0], 1024.0F, 1e-3F) << name_of(isa);
    EXPECT_EQ(y[64], 0.0F) << name_of(isa);
  }
}

TEST(MatmulTest, OfInt8TakesRowsOfZerosAndOfTinyAndHugeNumbers) {
  const int k = 40;
  for (const float number : {0.0F, -0.0F, 1e-42F, 1e-31F, 1e-25F, 1e30F, 3e38F}) {
    Problem problem({.M = 1, .n = 1, .k = k});
    std::fill(problem.x.begin(), problem.x.end(), number);
    std::fill(problem.w.begin(), problem.w.end(), 0.0F);
    problem.w[5] = 1.0F;
    const float product = std::fabs(number) < 1e-30F ? 0.0F : number;
    for (const Isa isa : isas()) {
      CpuContext context(isa, 1);
      const std::vector<float> y =
          run(context, problem, problem.pack(context, WeightFormat::Int8), Precision::F32);
      EXPECT_NEAR(y[0], product + problem.bias[0], 1e-6F * std::fabs(product) + 1e-6F)
          << name_of(isa) << " " << number;
    }
  }
}

// A row with an infinity or a NaN must not leak into others through a shared tile.
TEST(MatmulTest, KeepsBadNumbersInTheirRow) {
  Problem problem({.M = 7, .n = 65, .k = 33});
  for (const Isa isa : isas()) {
    CpuContext context(isa, 1);
    for (const Mode mode : kModes) {
      const PackedMatrix w = problem.pack(context, mode.format);
      Problem spoilt = problem;
      spoilt.x[product(3, 33) + 5] = INFINITY;
      spoilt.x[product(3, 33) + 6] = NAN;
      const std::vector<float> want = run(context, problem, w, mode.precision);
      const std::vector<float> got = run(context, spoilt, w, mode.precision);
      EXPECT_TRUE(same_bits(describe(isa, mode, problem.shape), got.data(), want.data(), 3 * 65));
      EXPECT_TRUE(same_bits(describe(isa, mode, problem.shape), got.data() + product(4, 65),
                            want.data() + product(4, 65), 3 * 65));
      EXPECT_TRUE(std::isnan(got[product(3, 65)]));
    }
  }
}

TEST(MatmulTest, DoesNothingWithoutRows) {
  const Problem problem({.M = 0, .n = 5, .k = 5});
  CpuContext context(best_isa(), 2);
  EXPECT_TRUE(
      run(context, problem, problem.pack(context, WeightFormat::Bf16), Precision::Bf16).empty());
}

}  // namespace
}  // namespace lacuna::kernels
