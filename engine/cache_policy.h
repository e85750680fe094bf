// Which rows of the canvas a step recomputes. The keys and values of the others are reused.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace lacuna::engine {

class CachePolicy {
 public:
  virtual ~CachePolicy() = default;

  // The rows to recompute at a step (from 0), increasing. `masked` are the positions still
  // masked. At step 0 all rows. The span is valid until the next call.
  virtual std::span<const std::int32_t> rows(int step, std::span<const std::int32_t> masked) = 0;
};

// Every row at every step: the published sampler.
std::unique_ptr<CachePolicy> exact_cache(int canvas_size);

// The middle-block cache (Fast-dLLM's dual cache, without its blind first commit): between full
// passes only the rows of the holes are recomputed, with the row before each hole, which predicts
// the hole's first token where logits are shifted. A full pass at every `refresh`-th step:
// refresh 1 equals exact. `initially_masked` are the positions that were masked at the start.
std::unique_ptr<CachePolicy> block_cache(int canvas_size,
                                         std::span<const std::int32_t> initially_masked,
                                         int refresh);

}  // namespace lacuna::engine
