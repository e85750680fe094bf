// embed, rms_norm, swiglu and the exponential behind swiglu and softmax.
#include "kernels/cpu/isa_kernels.h"
#include "kernels/kernels.h"
#include "tests/kernels/kernels_testing.h"

namespace lacuna::kernels {
namespace {

using testing::all_near;
using testing::isas;
using testing::numbers;
using testing::product;
using testing::same_bits;

const int kSizes[] = {1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 257, 896};

std::string describe(const char* op, Isa isa, int M, int D) {
  return std::string(op) + " " + std::string(name_of(isa)) + " M=" + std::to_string(M) +
         " D=" + std::to_string(D);
}

TEST(EmbedTest, CopiesRowsOfEveryNumberFormat) {
  const int V = 5;
  const int D = 19;
  std::vector<std::uint16_t> halves(product(V, D));
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i * 577);
  const std::vector<float> floats = numbers(halves.size(), 1);
  const std::vector<std::int32_t> ids{4, 0, 4, 2};
  CpuContext context(best_isa(), 2);
  for (const DType type : {DType::F32, DType::F16, DType::BF16}) {
    const void* table = type == DType::F32 ? static_cast<const void*>(floats.data())
                                           : static_cast<const void*>(halves.data());
    std::vector<float> y(product(4, D));
    embed(context,
          {.y = y.data(), .table = table, .type = type, .ids = ids.data(), .M = 4, .D = D});
    std::vector<float> want;
    for (const std::int32_t id : ids)
      for (int d = 0; d < D; ++d) {
        const std::size_t at = product(id, D) + d;
        want.push_back(type == DType::F32   ? floats[at]
                       : type == DType::F16 ? f16_to_f32(halves[at])
                                            : bf16_to_f32(halves[at]));
      }
    EXPECT_TRUE(same_bits("embed", y.data(), want.data(), want.size()));
  }
}

TEST(RmsNormTest, ScalesRowsToUnitMeanSquareTimesWeight) {
  for (const int D : kSizes)
    for (const Isa isa : isas()) {
      const int M = 3;
      CpuContext context(isa, 2);
      const std::vector<float> x = numbers(product(M, D), 2);
      const std::vector<float> weight = numbers(static_cast<std::size_t>(D), 3);
      std::vector<float> want(x.size());
      for (int m = 0; m < M; ++m) {
        double sum = 0;
        for (int d = 0; d < D; ++d) sum += std::pow(x[product(m, D) + d], 2.0);
        for (int d = 0; d < D; ++d)
          want[product(m, D) + d] =
              static_cast<float>(x[product(m, D) + d] * weight[d] / std::sqrt(sum / D + 1e-6));
      }
      std::vector<float> y(x.size());
      rms_norm(
          context,
          {.y = y.data(), .x = x.data(), .weight = weight.data(), .M = M, .D = D, .eps = 1e-6F});
      EXPECT_TRUE(all_near(describe("rms_norm", isa, M, D), y, want, 2e-6F));
      std::vector<float> in_place = x;
      rms_norm(context, {.y = in_place.data(),
                         .x = in_place.data(),
                         .weight = weight.data(),
                         .M = M,
                         .D = D,
                         .eps = 1e-6F});
      EXPECT_TRUE(same_bits("rms_norm in place", in_place.data(), y.data(), y.size()));
    }
}

TEST(SwiGluTest, MultipliesSiluOfGateWithUp) {
  for (const int F : kSizes)
    for (const Isa isa : isas()) {
      const int M = 3;
      CpuContext context(isa, 2);
      std::vector<float> gate_up = numbers(product(M, 2 * F), 4);
      for (float& x : gate_up) x *= 20;
      gate_up[0] = -1e4F;  // exp overflows: the result is -0
      std::vector<float> want(product(M, F));
      for (int m = 0; m < M; ++m)
        for (int f = 0; f < F; ++f) {
          const double gate = gate_up[product(m, 2 * F) + f];
          want[product(m, F) + f] =
              static_cast<float>(gate / (1 + std::exp(-gate)) * gate_up[product(m, 2 * F) + F + f]);
        }
      std::vector<float> y(want.size(), -77.0F);
      swiglu(context, {.y = y.data(), .gate_up = gate_up.data(), .M = M, .F = F});
      EXPECT_TRUE(all_near(describe("swiglu", isa, M, F), y, want, 1e-6F));
    }
}

// Distance in units of the last place of `want`, a float that is not zero.
double ulps(float got, double want) {
  const int exponent = std::max(std::ilogb(static_cast<float>(want)), -126);
  return std::fabs(static_cast<double>(got) - want) / std::ldexp(1.0, exponent - 23);
}

TEST(ExpTest, IsWithinTwoUlpsOverTheWholeRange) {
  std::vector<float> x;
  for (float value = -103.9F; value < 88.72F; value += 0.000731F) x.push_back(value);
  for (float value = 1e-30F; value < 1; value *= 1.37F) {
    x.push_back(value);
    x.push_back(-value);
  }
  x.insert(x.end(), {0.0F, -0.0F, 88.722839F, -87.33654F});
  for (const Isa isa : isas()) {
    std::vector<float> y(x.size());
    isa_kernels(isa).exp(y.data(), x.data(), static_cast<int>(x.size()));
    double worst = 0;
    float worst_x = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double error = ulps(y[i], std::exp(static_cast<double>(x[i])));
      if (error > worst) worst_x = x[i];
      worst = std::max(worst, error);
    }
    EXPECT_LT(worst, 2.0) << name_of(isa) << " exp(" << worst_x << ")";
  }
}

TEST(ExpTest, HandlesTheEndsOfTheRange) {
  const std::vector<float> x{89.0F, 1000.0F, INFINITY, -104.0F, -1000.0F, -INFINITY, NAN};
  for (const Isa isa : isas()) {
    std::vector<float> y(x.size());
    isa_kernels(isa).exp(y.data(), x.data(), static_cast<int>(x.size()));
    for (const int i : {0, 1, 2}) EXPECT_EQ(y[i], INFINITY) << name_of(isa) << " exp(" << x[i];
    for (const int i : {3, 4, 5}) EXPECT_EQ(y[i], 0.0F) << name_of(isa) << " exp(" << x[i];
    EXPECT_TRUE(std::isnan(y[6])) << name_of(isa);
  }
}

TEST(RoundToBf16Test, RoundsToNearestEven) {
  const std::vector<float> x{0.0F,       -0.0F,     1.0F,          1.00390625F,   1.01171875F,
                             3.1415927F, -2.71828F, 3.3895314e38F, 3.4028235e38F, INFINITY,
                             -INFINITY,  1e-30F,    -1e30F,        0.333333F,     65504.0F,
                             100.5F,     7.0F,      1e-3F};
  for (const Isa isa : isas()) {
    if (isa_kernels(isa).round_to_bf16 == nullptr) continue;
    std::vector<std::uint16_t> y(x.size());
    isa_kernels(isa).round_to_bf16(y.data(), x.data(), static_cast<int>(x.size()));
    for (std::size_t i = 0; i < x.size(); ++i)
      EXPECT_EQ(y[i], f32_to_bf16(x[i])) << name_of(isa) << " " << x[i];
  }
}

}  // namespace
}  // namespace lacuna::kernels
