// A weight matrix copied into the order in which the matrix products read it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/dtype.h"

namespace lacuna::kernels {

class CpuContext;

// How weights are stored and multiplied.
enum class WeightFormat : std::uint8_t {
  F32,   // float weights, float products: the reference
  Bf16,  // bf16 weights; products as Bf16Products says
};

}  // namespace lacuna::kernels
