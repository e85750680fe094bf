// The bar: Intel's oneDNN with weights in the layout that it likes best.
#pragma once

#include "bench/kernels/measure.h"

namespace lacuna::bench {

// Products [M, K] x [K, N] in f32, bf16 and int8; nothing when the program was built without oneDNN.
// Its threads are those of OpenMP: set OMP_NUM_THREADS.
void bench_onednn(Report& report, int K, int N);

}  // namespace lacuna::bench
