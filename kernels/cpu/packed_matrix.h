// A weight matrix copied into the order in which the matrix products read it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/cpu/aligned_buffer.h"
#include "kernels/dtype.h"

namespace lacuna::kernels {

class CpuContext;

// How weights are stored. Bf16 halves the memory and, where the CPU multiplies bf16 pairs, may
// double the speed (Matmul::precision).
enum class WeightFormat : std::uint8_t { F32, Bf16 };

// `rows` x k numbers, row-major without gaps. May lie anywhere in memory (a mapped file).
struct MatrixSource {
  const void* data;
  DType type;
  int rows;
};

// n x k weights (n outputs, k inputs), immutable. The layout is the same for all instruction
// sets, so a matrix may be used with any CpuContext, by several at a time:
//   F32:  [ceil(n / 64)][k][64] float
//   Bf16: [ceil(n / 64)][ceil(k / 2)][64][2] bf16, the pair being (k, k + 1)
// with zeros where n or k were rounded up. A product reads a panel of 64 outputs from its
// beginning to its end, once for each few rows of x.
class PackedMatrix {
 public:
  PackedMatrix() = default;  // 0 x 0

  // Copies the rows of all sources, the first on top, so that several matrices with the same
  // input become one product (q, k and v; gate and up). Numbers that `format` cannot hold are
  // rounded to nearest even. The sources may go away afterwards. Throws std::bad_alloc.
  static PackedMatrix pack(CpuContext& context, std::span<const MatrixSource> sources, int k,
                           WeightFormat format);
  static PackedMatrix pack(CpuContext& context, const MatrixSource& source, int k,
                           WeightFormat format) {
    return pack(context, std::span(&source, 1), k, format);
  }

  int n() const { return n_; }
  int k() const { return k_; }
  WeightFormat format() const { return format_; }
  std::size_t bytes() const { return memory_.bytes(); }

  // The first number of panel i, the outputs [64 i, 64 i + 64).
  const float* f32_panel(int i) const { return memory_.as<float>() + panel_words() * index(i); }
  const std::uint16_t* bf16_panel(int i) const {
    return memory_.as<std::uint16_t>() + 2 * panel_words() * index(i);
  }

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  // 4-byte words of a panel: a float, or a pair of bf16.
  std::size_t panel_words() const;

  AlignedBuffer memory_;
  int n_ = 0;
  int k_ = 0;
  WeightFormat format_ = WeightFormat::F32;
};

}  // namespace lacuna::kernels
