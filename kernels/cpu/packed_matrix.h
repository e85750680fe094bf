// A weight matrix copied into the order in which the matrix products read it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/cpu/aligned_buffer.h"
#include "kernels/cpu/quantised_rows.h"
#include "kernels/dtype.h"

namespace lacuna::kernels {

class CpuContext;

// How weights are stored. Bf16 halves the memory and, where the CPU multiplies bf16 pairs, may
// double the speed (Matmul::precision). Int8 halves both again and rounds the activations too.
enum class WeightFormat : std::uint8_t { F32, Bf16, Int8 };

// The largest k of an Int8 matrix: more terms could leave a 32-bit sum.
inline constexpr int kMaxInt8Depth = 1 << 17;

// n x k weights (n outputs, k inputs), immutable. The layout is the same for all instruction
// sets, so a matrix may be used with any CpuContext, by several at a time:
//   F32:  [ceil(n / 64)][k][64] float
//   Bf16: [ceil(n / 64)][ceil(k / 2)][64][2] bf16, the pair being (k, k + 1)
//   Int8: [ceil(n / 64)][ceil(k / 4)][64][4] int8, and a scale for each output
// with zeros where n or k were rounded up. A product reads a panel of 64 outputs from its
// beginning to its end, once for each few rows of x.
class PackedMatrix {
 public:
  PackedMatrix() = default;  // 0 x 0

  // Copies the rows of all sources, the first on top, so that several matrices with the same
  // input become one product (q, k and v; gate and up). Numbers that `format` cannot hold are
  // rounded to nearest even; Int8 keeps I8 and I4 sources exactly and gives every other row the
  // scale max |w| / 127. The sources may go away afterwards. Throws std::bad_alloc.
  static PackedMatrix pack(CpuContext& context, std::span<const MatrixSource> sources, int k,
                           WeightFormat format);
  static PackedMatrix pack(CpuContext& context, const MatrixSource& source, int k,
                           WeightFormat format) {
    return pack(context, std::span(&source, 1), k, format);
  }

  int n() const { return n_; }
  int k() const { return k_; }
  WeightFormat format() const { return format_; }
  std::size_t bytes() const { return memory_.bytes() + scales_.bytes() + offsets_.bytes(); }

  // The first number of panel i, the outputs [64 i, 64 i + 64).
  const float* f32_panel(int i) const { return memory_.as<float>() + panel_words() * index(i); }
  const std::uint16_t* bf16_panel(int i) const {
    return memory_.as<std::uint16_t>() + 2 * panel_words() * index(i);
  }
  const std::int8_t* int8_panel(int i) const {
    return memory_.as<std::int8_t>() + 4 * panel_words() * index(i);
  }
  // Of Int8, for each output of panel i: its scale, and 128 times the sum of its integers, which
  // the 128 that is added to every activation adds to a product.
  const float* scales(int i) const { return scales_.as<float>() + 64 * index(i); }
  const std::int32_t* offsets(int i) const { return offsets_.as<std::int32_t>() + 64 * index(i); }

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  // 4-byte words of a panel: a float, a pair of bf16, or four int8.
  std::size_t panel_words() const;

  AlignedBuffer memory_;
  AlignedBuffer scales_;  // the next two of Int8 only
  AlignedBuffer offsets_;
  int n_ = 0;
  int k_ = 0;
  WeightFormat format_ = WeightFormat::F32;
};

}  // namespace lacuna::kernels
