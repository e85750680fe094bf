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
                           {WeightFormat::Bf16, Precision::Bf16}};

struct Shape {
  int M;
  int n;
  int k;
};

std::string describe(Isa isa, Mode mode, Shape shape) {
  return "matmul " + std::string(name_of(isa)) +
         (mode.format == WeightFormat::F32 ? " f32" : " bf16") +
         (mode.precision == Precision::F32 ? "" : " pairs") + " M=" + std::to_string(shape.M) +
         " n=" + std::to_string(shape.n) + " k=" + std::to_string(shape.k);
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
  std::vector<float> expected(bool round_x, bool round_w) const {
    const auto value = [](float number, bool round) {
      return round ? bf16_to_f32(f32_to_bf16(number)) : number;
    };
    std::vector<float> y(product(shape.M, shape.n));
    for (int m = 0; m < shape.M; ++m)
      for (int n = 0; n < shape.n; ++n) {
        double sum = bias[static_cast<std::size_t>(n)];
        for (int k = 0; k < shape.k; ++k)
          sum += static_cast<double>(value(x[product(m, x_stride()) + k], round_x)) *
                 static_cast<double>(value(w[product(n, shape.k) + k], round_w));
        y[product(m, shape.n) + n] = static_cast<float>(sum);
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
      const bool round_x =
          mode.precision == Precision::Bf16 && context.kernels().tile_bf16_pairs != nullptr;
      const float tolerance = 2e-6F * std::sqrt(static_cast<float>(shape.k));
      EXPECT_TRUE(
          all_near(describe(isa, mode, shape),
                   run(context, problem, problem.pack(context, mode.format), mode.precision),
                   problem.expected(round_x, mode.format == WeightFormat::Bf16), tolerance));
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
