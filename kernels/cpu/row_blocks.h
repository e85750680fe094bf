// How the operations on rows are cut into tasks for the pool.
#pragma once

#include <algorithm>

#include "kernels/cpu/context.h"

namespace lacuna::kernels {

// Calls body(first, last) for blocks of the rows [0, M), each with about 16K floats of work: long
// enough to pay for handing out the task, and a single row runs without waking a thread.
template <class Body>
void for_row_blocks(CpuContext& context, int M, int floats_per_row, Body&& body) {
  const int rows = std::max(1, 16384 / std::max(1, floats_per_row));
  context.pool().run((M + rows - 1) / rows, [&](int task, int /*thread*/) {
    body(task * rows, std::min(M, (task + 1) * rows));
  });
}

}  // namespace lacuna::kernels
