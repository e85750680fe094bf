// Rows of weight matrices: from any number format to floats or to int8, and from floats to the
// quantised formats of model files.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/dtype.h"

namespace lacuna::kernels {

// `rows` x k numbers, row-major without gaps. May lie anywhere in memory (a mapped file).
struct MatrixSource {
  const void* data;
  DType type;
  int rows;
  QuantisedParts parts = {};
};

// The numbers of a row as floats.
void read_row(const MatrixSource& source, int row, int k, float* to);

// The numbers of a row as integers, which times the result are the numbers. I8 and I4 as they are;
// floats rounded by quantise_row_int8(). `scratch` has room for k floats.
float read_row_int8(const MatrixSource& source, int row, int k, float* scratch, std::int8_t* to);

// Rounds a row to integers in [-127, 127]; returns their scale, max |w| / 127. A row with a NaN or
// an infinity becomes zeros and a scale of NaN.
float quantise_row_int8(const float* w, int k, std::int8_t* to);

// One row in the I4 format, with room as QuantisedParts says. Steps and offsets are those with the
// smallest squared error among a few dozen for each group. Returns the row's scale.
struct Int4Row {
  std::uint8_t* codes;  // ceil(k / 2)
  std::uint8_t* steps;
  std::int8_t* offsets;
};
float quantise_row_int4(const float* w, int k, int group, const Int4Row& to);

}  // namespace lacuna::kernels
