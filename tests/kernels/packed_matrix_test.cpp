#include "kernels/cpu/packed_matrix.h"

#include "tests/kernels/kernels_testing.h"

namespace lacuna::kernels {
namespace {

using testing::numbers;
using testing::product;

float unpacked(const PackedMatrix& matrix, int row, int column) {
  const int in_panel = row % 64;
  if (matrix.format() == WeightFormat::F32)
    return matrix.f32_panel(row / 64)[column * 64 + in_panel];
  return bf16_to_f32(matrix.bf16_panel(row / 64)[column / 2 * 128 + in_panel * 2 + column % 2]);
}

std::vector<std::uint16_t> to_bf16(const std::vector<float>& x) {
  std::vector<std::uint16_t> result;
  for (const float value : x) result.push_back(f32_to_bf16(value));
  return result;
}

// Everything up to the rounded-up shape: the numbers, rounded by the format, then zeros.
void check_content(const PackedMatrix& matrix, const std::vector<float>& want, int n, int k) {
  ASSERT_EQ(matrix.n(), n);
  ASSERT_EQ(matrix.k(), k);
  const bool f32 = matrix.format() == WeightFormat::F32;
  const int columns = f32 ? k : (k + 1) / 2 * 2;
  const int rows = (n + 63) / 64 * 64;
  EXPECT_EQ(matrix.bytes(), product(rows, columns) * (f32 ? 4 : 2));
  for (int row = 0; row < rows; ++row)
    for (int column = 0; column < columns; ++column) {
      float expected = row < n && column < k ? want[product(row, k) + column] : 0.0F;
      if (!f32) expected = bf16_to_f32(f32_to_bf16(expected));
      ASSERT_EQ(unpacked(matrix, row, column), expected)
          << n << "x" << k << " row " << row << " column " << column;
    }
}

TEST(PackedMatrixTest, HoldsEveryNumberAndZerosAroundThem) {
  CpuContext context(best_isa(), 2);
  for (const int n : {1, 63, 64, 65, 130})
    for (const int k : {1, 2, 15, 16, 17, 33})
      for (const WeightFormat format : {WeightFormat::F32, WeightFormat::Bf16}) {
        const std::vector<float> source = numbers(product(n, k), 1);
        check_content(
            PackedMatrix::pack(context, {.data = source.data(), .type = DType::F32, .rows = n}, k,
                               format),
            source, n, k);
      }
}

TEST(PackedMatrixTest, ReadsEveryNumberFormatAtAnyAddress) {
  CpuContext context(best_isa(), 1);
  const int n = 67;
  const int k = 19;
  std::vector<float> want(product(n, k));
  std::vector<std::uint16_t> halves(want.size());  // small integers: exact in all formats
  for (std::size_t i = 0; i < want.size(); ++i) {
    halves[i] = static_cast<std::uint16_t>(0x4400 + (i % 256));  // 4.0 to 4.996 in binary16
    want[i] = f16_to_f32(halves[i]);
  }
  const std::vector<std::uint16_t> brains = to_bf16(want);
  for (const WeightFormat format : {WeightFormat::F32, WeightFormat::Bf16}) {
    std::vector<std::byte> bytes(want.size() * 4 + 1);  // data at an odd address
    const auto pack = [&](const void* data, DType type) {
      std::memcpy(bytes.data() + 1, data, want.size() * size_of(type));
      return PackedMatrix::pack(context, {.data = bytes.data() + 1, .type = type, .rows = n}, k,
                                format);
    };
    check_content(pack(want.data(), DType::F32), want, n, k);
    check_content(pack(halves.data(), DType::F16), want, n, k);
    std::vector<float> rounded;
    for (const std::uint16_t bits : brains) rounded.push_back(bf16_to_f32(bits));
    check_content(pack(brains.data(), DType::BF16), rounded, n, k);
  }
}

TEST(PackedMatrixTest, StacksSourcesThatShareAPanel) {
  CpuContext context(best_isa(), 2);
  const int k = 7;
  const std::vector<int> rows{3, 0, 61, 1, 70, 5};
  const std::vector<float> all = numbers(product(140, k), 2);
  std::vector<MatrixSource> sources;
  int first = 0;
  for (const int count : rows) {
    sources.push_back({.data = all.data() + product(first, k), .type = DType::F32, .rows = count});
    first += count;
  }
  check_content(PackedMatrix::pack(context, sources, k, WeightFormat::F32), all, 140, k);
  check_content(PackedMatrix::pack(context, sources, k, WeightFormat::Bf16), all, 140, k);
}

TEST(PackedMatrixTest, IsEmptyWithoutSources) {
  CpuContext context(best_isa(), 2);
  const PackedMatrix matrix =
      PackedMatrix::pack(context, std::span<const MatrixSource>(), 5, WeightFormat::F32);
  EXPECT_EQ(matrix.n(), 0);
  EXPECT_EQ(matrix.bytes(), 0U);
}

}  // namespace
}  // namespace lacuna::kernels
