// Which rows of the canvas a step recomputes. The keys and values of the others are reused.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace lacuna::engine {

// What a policy knows of the step it is asked about.
struct CacheStep {
  int step;  // from 0; at step 0 every row must be computed, unless there are first_rows
  // For each position of the canvas its hole, or -1: positions that were masked at the start.
  std::span<const std::int32_t> hole_of;
  int block_step;   // from 0 within the block; without blocks the same as step
  int block_begin;  // positions [block_begin, block_end) hold the block
  int block_end;
  int masks;        // of the block, still masked
  bool row_before;  // the row before a hole predicts its first token: logits are shifted
  // Positions to compute at every step because their attention is watched, increasing.
  std::span<const std::int32_t> watched = {};
  // Of step 0: the rows whose keys and values nobody has computed before, increasing.
  std::optional<std::span<const std::int32_t>> first_rows = {};
};

class CachePolicy {
 public:
  virtual ~CachePolicy() = default;

  // The rows to recompute, increasing; asked once for each step. The span is valid until the next
  // call.
  virtual std::span<const std::int32_t> rows(const CacheStep& step) = 0;

  // All rows: the step asked about last becomes a full pass after all.
  virtual std::span<const std::int32_t> refresh(const CacheStep& step) = 0;

  // The rows that a step between two full passes computes but for those watched; all where there is
  // none between them. Valid until the next call of this.
  virtual std::span<const std::int32_t> rows_between(const CacheStep& step) = 0;
};

// Where the rows between two full passes lie.
enum class CacheScope : std::uint8_t {
  None,    // there are none: every pass is full, the published sampler
  Holes,   // the holes, filled positions included
  Block,   // the current block (Fast-dLLM's dual cache, Wu et al., 2505.22618)
  Prefix,  // the current block and all that follows (Fast-dLLM's prefix cache)
};

// "exact", "holes", "dual", "prefix".
std::string_view name_of(CacheScope scope);

struct CacheOptions {
  CacheScope scope = CacheScope::Holes;
  // A full pass at every refresh-th step of a block; 0: only at the first one.
  int refresh = 8;
  // Above 0: a full pass also when this share of the masks that the block had at the last full
  // pass has been committed since.
  float refresh_share = 0;
  // Above 0: a full pass also when the attention of a watched token has less than this in common
  // with what it was at the step before (attention_watch.h); above 1 at every step. Such a step
  // takes two passes.
  float refresh_drift = 0;
  // Rows before and after each hole or block that are recomputed with it (dInfer's vicinity
  // refresh).
  int look_before = 0;
  int look_after = 0;
};

// Filled positions stay among the rows: their keys and values depend on every token that was
// committed since. Where logits are shifted the row before a hole is always in, so that no first
// token is committed blindly. refresh 1 equals CacheScope::None.
// Whether a step may turn out to need a full pass.
bool watches(const CacheOptions& options);

std::unique_ptr<CachePolicy> make_cache(const CacheOptions& options, int capacity);

}  // namespace lacuna::engine
