// Keys and values of a canvas where its transformer is: those of a ForwardPass, and those that
// outlive it.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/checkpoint/model_config.h"
#include "kernels/backend.h"

namespace lacuna::engine {

// Of one layer, for one canvas or several of them, without gaps between.
struct KvBuffer {
  KvBuffer() = default;
  KvBuffer(kernels::Backend& backend, int capacity, const ModelConfig& config, int slots = 1);

  kernels::KvCacheView slot(int index) const;

  kernels::Memory keys, values;
  kernels::KvCacheView view{};  // of slot 0
  std::size_t slot_bytes = 0;
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
