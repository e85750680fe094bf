// A whole forward pass as a chain of kernels with random weights: what a model of that shape
// would take, without loading one.
#pragma once

#include "bench/kernels/measure.h"
#include "kernels/cpu/context.h"

namespace lacuna::bench {

// Cases "forward f32 ...", "forward bf16 ..." and "forward int8 ...", for the shape of Qwen2 0.5B.
void bench_forward(Report& report, kernels::CpuContext& context);

}  // namespace lacuna::bench
