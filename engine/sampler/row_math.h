// The loops over a whole row of logits (up to 152k floats) that drawing a candidate needs.
//
// They are compiled for several instruction sets and give the same bits on all of them: every sum
// has a fixed number of accumulators, whatever the width of the vectors, and no multiplication is
// fused with an addition. So the order of decoding does not depend on the processor.
#pragma once

#include <cstdint>
#include <span>

namespace lacuna::engine {

// Sums of weights are kept for each block of this many elements.
inline constexpr int kRowBlock = 1024;

// A row is cut into tiles; column c of a tile holds the elements c, c + kRowColumns, ... of it.
// Columns instead of runs, because then finding their maxima is a plain loop over vectors.
inline constexpr int kRowColumns = 64;
inline constexpr int kRowTile = kRowColumns * 64;

constexpr int n_row_blocks(int n) { return (n + kRowBlock - 1) / kRowBlock; }
// Every tile has all its columns; those of a short last tile may be empty.
constexpr int n_row_columns(int n) { return (n + kRowTile - 1) / kRowTile * kRowColumns; }

struct RowTail {
  double mass;
  int count;
};

struct RowMath {
  const char* name;

  // out[i] = logits[i] / divisor, or -inf where allowed[i] is 0. `allowed` may be null.
  void (*prepare)(float* out, const float* logits, const std::uint8_t* allowed, float divisor,
                  int n);

  // maxima[c] of each of n_row_columns(n) columns; NaN is ignored, an empty column has -inf.
  void (*column_maxima)(float* maxima, const float* x, int n);

  // weights[i] = exp(x[i] - largest), where no x[i] exceeds `largest`; error below 2 units in the
  // last place, 0 below exp(-87). Sums of blocks go to `sums`; returns their sum. NaN spreads.
  double (*exponentials)(float* weights, double* sums, const float* x, float largest, int n);

  // Sum of p log(p + 1e-10) with p = weights[i] * scale.
  double (*negative_entropy)(const float* weights, float scale, int n);

  // x[i] = x[i] / divisor.
  void (*divide)(float* x, float divisor, int n);

  // Mass and count of the entries with x[i] >= cutoff. Float32 probabilities are summed in double,
  // where sums of this many are practically free of rounding.
  RowTail (*tail_at)(const float* probabilities, const float* x, float cutoff, int n);

  // x[i] = -inf where x[i] < cutoff.
  void (*drop_below)(float* x, float cutoff, int n);
};

// The fastest that this machine can run.
const RowMath& row_math();

// All that this machine can run, the slowest first.
std::span<const RowMath> all_row_math();

}  // namespace lacuna::engine
