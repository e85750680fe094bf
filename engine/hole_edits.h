// Holes that change their length while they denoise: masks that become two, positions that vanish,
// holes that are cut off.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/canvas_splice.h"
#include "engine/denoiser.h"

namespace lacuna::engine {

// A canvas that is being denoised, and what stands beside each of its positions.
struct HoleCanvas {
  std::vector<std::int32_t> tokens;
  std::vector<std::int32_t> hole_of;              // its hole, or -1
  std::vector<std::vector<std::int32_t>> banned;  // what it cannot draw; empty: nothing anywhere

  int size() const { return static_cast<int>(tokens.size()); }
};

class HoleEdits {
 public:
  // `request` must outlive this. Bans the expand token where a hole must not grow.
  HoleEdits(const DenoiseRequest& request, HoleCanvas& canvas);

  // What becomes of the canvas after a step before which the positions `masked` were masked:
  // deletions first, then expansions, then what follows the end of a hole; each from the right, so
  // that the positions of those to come stay what they are. In this order. Valid until the next
  // call.
  std::span<const CanvasSplice> edit(std::span<const std::int32_t> masked);

  // Whether the expand token cannot be drawn at the next step.
  bool may_not_expand() const;
  int expansions() const { return expansions_; }
  // Of the last edit().
  std::span<const CanvasSplice> edits() const { return edits_; }

 private:
  void delete_and_expand(std::span<const std::int32_t> masked);
  void spread_deletions(std::span<const std::int32_t> masked);
  void cut_holes();
  bool ends_hole(std::int32_t token) const;
  void splice(int position, int removed, int inserted);
  std::vector<std::int32_t> bans_at_birth(std::int32_t hole) const;

  const DenoiseRequest& request_;
  HoleCanvas& canvas_;
  std::vector<CanvasSplice> edits_;
  int expansions_ = 0;
};

}  // namespace lacuna::engine
