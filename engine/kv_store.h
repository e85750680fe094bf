// Keys and values of a canvas where its transformer is: those of a ForwardPass, and those that
// outlive it.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/checkpoint/model_config.h"
#include "kernels/backend.h"

namespace lacuna::engine {

// Of one layer.
struct KvBuffer {
  KvBuffer() = default;
  KvBuffer(kernels::Backend& backend, int capacity, const ModelConfig& config);

  kernels::Memory keys, values;
  kernels::KvCacheView view{};
};

// Of all layers, outside of a pass: ForwardPass::save() writes it, load() reads it. For passes of
// one transformer only.
struct KvStore {
  std::vector<KvBuffer> layers;
  int capacity = 0;  // positions

  std::size_t bytes() const;
};

// The positions [begin, end) of a store; they go to [begin + by, end + by).
struct KvRun {
  int begin;
  int end;
  int by;

  bool operator==(const KvRun&) const = default;
};

}  // namespace lacuna::engine
