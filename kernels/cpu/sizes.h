// Arithmetic of sizes and tasks that the operations share.
#pragma once

#include <algorithm>
#include <cstddef>

#include "kernels/cpu/context.h"

namespace lacuna::kernels {

// A dimension as a factor of an offset: products of two ints may not fit an int.
constexpr std::size_t size(int n) { return static_cast<std::size_t>(n); }

constexpr int rounded_up_quotient(int a, int b) { return (a + b - 1) / b; }

// How many blocks to cut M rows into: of at most `most` rows; and of fewer, down to `least`, when
// the pool would otherwise have too few tasks to share them evenly. `tasks_per_block` is what
// else the work is split by.
inline int row_blocks(CpuContext& context, int M, int most, int least, int tasks_per_block) {
  const int wanted = 4 * context.pool().threads() / std::max(tasks_per_block, 1) + 1;
  return std::max(rounded_up_quotient(M, most), std::min(wanted, rounded_up_quotient(M, least)));
}

// Calls body(first, last) for blocks of the rows [0, M), each with about 16K floats of work: long
// enough to pay for handing out the task, and a single row runs without waking a thread.
template <class Body>
void for_row_blocks(CpuContext& context, int M, int floats_per_row, Body&& body) {
  const int rows = std::max(1, 16384 / std::max(1, floats_per_row));
  context.pool().run(rounded_up_quotient(M, rows), [&](int task, int /*thread*/) {
    body(task * rows, std::min(M, (task + 1) * rows));
  });
}

}  // namespace lacuna::kernels
