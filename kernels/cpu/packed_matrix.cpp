#include "kernels/cpu/packed_matrix.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <vector>

#include "kernels/cpu/context.h"
#include "kernels/cpu/isa_kernels.h"
#include "kernels/cpu/sizes.h"

namespace lacuna::kernels {
namespace {

// Words of k that are transposed at a time: 16 KiB of the panel, which stay in the first-level
// cache, and a few neighbouring lines of each of its 64 rows, which the CPU fetches ahead.
constexpr int kBlock = 64;

float load(const std::byte* row, int k, DType type) {
  if (type == DType::F32) {
    float value = 0;
    std::memcpy(&value, row + size(k) * 4, 4);
    return value;
  }
  std::uint16_t bits = 0;
  std::memcpy(&bits, row + size(k) * 2, 2);
  return type == DType::BF16 ? bf16_to_f32(bits) : f16_to_f32(bits);
}

template <DType kType>
std::uint32_t load_f32_word(const std::byte* row, int word, int /*k*/) {
  return std::bit_cast<std::uint32_t>(load(row, word, kType));
}

template <DType kType>
std::uint32_t load_bf16_word(const std::byte* row, int word, int k) {
  const int even = 2 * word;
  if (kType == DType::BF16 && even + 1 < k) {  // a pair as it is
    std::uint32_t pair = 0;
    std::memcpy(&pair, row + size(even) * 2, 4);
    return std::endian::native == std::endian::little ? pair : pair << 16 | pair >> 16;
  }
  const std::uint32_t low = f32_to_bf16(load(row, even, kType));
  const std::uint32_t high = even + 1 < k ? f32_to_bf16(load(row, even + 1, kType)) : 0;
  return low | high << 16;
}

using LoadWord = std::uint32_t (*)(const std::byte* row, int word, int k);

// Writes `rows` consecutive rows of one source into the columns of a panel at `to`.
template <LoadWord kLoad>
void pack_rows(std::uint32_t* to, const std::byte* from, std::size_t row_bytes, int rows, int k,
               int words) {
  for (int begin = 0; begin < words; begin += kBlock) {
    const int end = std::min(begin + kBlock, words);
    for (int r = 0; r < rows; ++r) {
      const std::byte* row = from + size(r) * row_bytes;
      for (int word = begin; word < end; ++word)
        to[size(word) * kPanel + size(r)] = kLoad(row, word, k);
    }
  }
}

using PackRows = decltype(&pack_rows<load_f32_word<DType::F32>>);

PackRows pack_rows_for(DType type, WeightFormat format) {
  const bool f32 = format == WeightFormat::F32;
  switch (type) {
    case DType::F32:
      return f32 ? pack_rows<load_f32_word<DType::F32>> : pack_rows<load_bf16_word<DType::F32>>;
    case DType::F16:
      return f32 ? pack_rows<load_f32_word<DType::F16>> : pack_rows<load_bf16_word<DType::F16>>;
    case DType::BF16:
      return f32 ? pack_rows<load_f32_word<DType::BF16>> : pack_rows<load_bf16_word<DType::BF16>>;
    case DType::I8:
    case DType::I4:
      break;  // become floats first
  }
  return nullptr;
}

int words_of(int k, WeightFormat format) {
  if (format == WeightFormat::F32) return k;
  return format == WeightFormat::Bf16 ? (k + 1) / 2 : (k + 3) / 4;
}

// The rows [first, first + rows) of a source to the columns of a panel at `to`, as floats or bf16.
void pack_as_floats(std::uint32_t* to, const MatrixSource& source, int first, int rows, int k,
                    WeightFormat format) {
  const int words = words_of(k, format);
  if (is_float(source.type)) {
    const std::size_t bytes = row_bytes(source.type, k);
    const auto* from = static_cast<const std::byte*>(source.data) + size(first) * bytes;
    return pack_rows_for(source.type, format)(to, from, bytes, rows, k, words);
  }
  std::vector<float> row(size(k));
  for (int r = 0; r < rows; ++r) {
    read_row(source, first + r, k, row.data());
    pack_rows_for(DType::F32, format)(to + r, reinterpret_cast<const std::byte*>(row.data()), 0, 1,
                                      k, words);
  }
}

// The same as int8. `scales` and `offsets` are those of the first column at `to`.
void pack_as_int8(std::uint32_t* to, float* scales, std::int32_t* offsets,
                  const MatrixSource& source, int first, int rows, int k) {
  const int words = words_of(k, WeightFormat::Int8);
  std::vector<float> scratch(size(k));
  std::vector<std::int8_t> row(size(words) * 4);  // zeros after the last
  for (int r = 0; r < rows; ++r) {
    scales[r] = read_row_int8(source, first + r, k, scratch.data(), row.data());
    offsets[r] = 128 * std::accumulate(row.begin(), row.end(), 0);
    for (int word = 0; word < words; ++word)
      std::memcpy(to + size(word) * kPanel + r, row.data() + 4 * size(word), 4);
  }
}

struct Panel {
  std::uint32_t* words;
  float* scales;  // the next two of Int8 only
  std::int32_t* offsets;
};

// Fills the panel whose first output is `first`; columns beyond the last source become zero.
void pack_panel(const Panel& panel, std::span<const MatrixSource> sources, int first, int k,
                WeightFormat format) {
  int source_begin = 0;  // output number of the source's first row
  int filled = 0;        // columns of this panel
  for (const MatrixSource& source : sources) {
    const int begin = std::max(first + filled, source_begin);
    const int end = std::min(first + kPanel, source_begin + source.rows);
    if (begin < end) {
      if (format == WeightFormat::Int8)
        pack_as_int8(panel.words + filled, panel.scales + filled, panel.offsets + filled, source,
                     begin - source_begin, end - begin, k);
      else
        pack_as_floats(panel.words + filled, source, begin - source_begin, end - begin, k, format);
      filled += end - begin;
    }
    source_begin += source.rows;
  }
  if (filled == kPanel) return;
  for (int word = 0; word < words_of(k, format); ++word)
    std::fill(panel.words + size(word) * kPanel + filled, panel.words + size(word + 1) * kPanel,
              0U);
  if (format != WeightFormat::Int8) return;
  std::fill(panel.scales + filled, panel.scales + kPanel, 0.0F);
  std::fill(panel.offsets + filled, panel.offsets + kPanel, 0);
}

}  // namespace

std::size_t PackedMatrix::panel_words() const {
  return static_cast<std::size_t>(words_of(k_, format_)) * kPanel;
}

PackedMatrix PackedMatrix::pack(CpuContext& context, std::span<const MatrixSource> sources, int k,
                                WeightFormat format) {
  PackedMatrix matrix;
  for (const MatrixSource& source : sources) matrix.n_ += source.rows;
  matrix.k_ = k;
  matrix.format_ = format;
  const int panels = (matrix.n_ + kPanel - 1) / kPanel;
  const std::size_t panel_words = matrix.panel_words();
  matrix.memory_ = AlignedBuffer(index(panels) * panel_words * sizeof(std::uint32_t));
  if (format == WeightFormat::Int8) {
    matrix.scales_ = AlignedBuffer(index(panels) * kPanel * sizeof(float));
    matrix.offsets_ = AlignedBuffer(index(panels) * kPanel * sizeof(std::int32_t));
  }
  context.pool().run(panels, [&](int panel, int /*thread*/) {
    const std::size_t column = format == WeightFormat::Int8 ? index(panel) * kPanel : 0;
    pack_panel({.words = matrix.memory_.as<std::uint32_t>() + index(panel) * panel_words,
                .scales = matrix.scales_.as<float>() + column,
                .offsets = matrix.offsets_.as<std::int32_t>() + column},
               sources, panel * kPanel, k, format);
  });
  return matrix;
}

}  // namespace lacuna::kernels
