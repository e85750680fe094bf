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

// The weight that an Int8 matrix holds, as an integer.
int integer_at(const PackedMatrix& matrix, int row, int column) {
  return matrix.int8_panel(row / 64)[column / 4 * 256 + row % 64 * 4 + column % 4];
}

TEST(PackedMatrixTest, RoundsRowsToIntegersWithAScale) {
  CpuContext context(best_isa(), 2);
  for (const int n : {1, 63, 64, 65, 130})
    for (const int k : {1, 3, 4, 5, 33, 257}) {
      const std::vector<float> source = numbers(product(n, k), 3);
      const PackedMatrix matrix = PackedMatrix::pack(
          context, {.data = source.data(), .type = DType::F32, .rows = n}, k, WeightFormat::Int8);
      const int rows = (n + 63) / 64 * 64;
      const int columns = (k + 3) / 4 * 4;
      EXPECT_EQ(matrix.bytes(), product(rows, columns) + product(rows, 8));
      for (int row = 0; row < rows; ++row) {
        const float scale = matrix.scales(row / 64)[row % 64];
        int sum = 0;
        int largest = 0;
        for (int column = 0; column < columns; ++column) {
          const int integer = integer_at(matrix, row, column);
          const bool inside = row < n && column < k;
          const float want = inside ? source[product(row, k) + column] : 0.0F;
          ASSERT_NEAR(static_cast<float>(integer) * scale, want, 0.501F * scale + 1e-9F)
              << n << "x" << k << " row " << row << " column " << column;
          sum += integer;
          largest = std::max(largest, std::abs(integer));
        }
        EXPECT_EQ(largest, row < n ? 127 : 0);
        EXPECT_EQ(matrix.offsets(row / 64)[row % 64], 128 * sum);
      }
    }
}

// Rows of I8 and I4 as a model file holds them, at odd addresses, between rows of floats.
TEST(PackedMatrixTest, KeepsTheIntegersOfQuantisedSources) {
  CpuContext context(best_isa(), 2);
  for (const int k : {1, 5, 32, 33, 64, 71})
    for (const int group : {1, 2, 32}) {
      const int rows = 66;
      const int groups = (k + group - 1) / group;
      const std::vector<float> w = numbers(product(rows, k), 4);
      std::vector<std::int8_t> i8(product(rows, k) + 1);
      std::vector<float> scales8;
      std::vector<std::uint8_t> codes(row_bytes(DType::I4, k) * rows + 1);
      std::vector<std::uint8_t> steps(product(rows, groups));
      std::vector<std::int8_t> offsets(steps.size());
      std::vector<float> scales4;
      for (int r = 0; r < rows; ++r) {
        scales8.push_back(quantise_row_int8(w.data() + product(r, k), k, &i8[1 + product(r, k)]));
        scales4.push_back(quantise_row_int4(w.data() + product(r, k), k, group,
                                            {.codes = &codes[1 + row_bytes(DType::I4, k) * r],
                                             .steps = &steps[product(r, groups)],
                                             .offsets = &offsets[product(r, groups)]}));
      }
      const MatrixSource sources[] = {
          {.data = w.data(), .type = DType::F32, .rows = 3},
          {.data = &i8[1], .type = DType::I8, .rows = rows, .parts = {.scales = scales8.data()}},
          {.data = &codes[1],
           .type = DType::I4,
           .rows = rows,
           .parts = {.scales = scales4.data(),
                     .steps = steps.data(),
                     .offsets = offsets.data(),
                     .group = group}}};
      const PackedMatrix matrix = PackedMatrix::pack(context, sources, k, WeightFormat::Int8);
      const PackedMatrix floats = PackedMatrix::pack(context, sources, k, WeightFormat::F32);
      std::vector<float> row(static_cast<std::size_t>(k));
      for (int n = 3; n < matrix.n(); ++n) {
        const bool eight = n < 3 + rows;
        read_row(sources[eight ? 1 : 2], eight ? n - 3 : n - 3 - rows, k, row.data());
        const float scale = matrix.scales(n / 64)[n % 64];
        for (int column = 0; column < k; ++column) {
          const float number = scale * static_cast<float>(integer_at(matrix, n, column));
          ASSERT_EQ(number, row[static_cast<std::size_t>(column)]) << n << " " << column;
          ASSERT_EQ(unpacked(floats, n, column), number) << n << " " << column;
        }
      }
    }
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
