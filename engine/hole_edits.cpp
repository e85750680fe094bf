#include "engine/hole_edits.h"

#include <algorithm>
#include <cstddef>

namespace lacuna::engine {

HoleEdits::HoleEdits(const DenoiseRequest& request, HoleCanvas& canvas)
    : request_(request), canvas_(canvas) {
  if (!request.elastic || request.elastic->grows.empty()) return;
  canvas_.banned.resize(canvas_.tokens.size());
  for (std::size_t i = 0; i < canvas_.tokens.size(); ++i) {
    if (canvas_.hole_of[i] >= 0) canvas_.banned[i] = bans_at_birth(canvas_.hole_of[i]);
  }
}

std::span<const CanvasSplice> HoleEdits::edit(std::span<const std::int32_t> masked) {
  edits_.clear();
  if (request_.elastic) delete_and_expand(masked);
  if (!request_.ends_hole.empty()) cut_holes();
  return edits_;
}

bool HoleEdits::may_not_expand() const {
  return request_.elastic && (canvas_.size() >= request_.elastic->max_canvas ||
                              expansions_ >= request_.elastic->max_expansions);
}

void HoleEdits::delete_and_expand(std::span<const std::int32_t> masked) {
  if (request_.elastic->delete_to_right) spread_deletions(masked);
  for (int i = canvas_.size() - 1; i >= 0; --i) {
    if (canvas_.hole_of[i] >= 0 && canvas_.tokens[i] == request_.elastic->delete_token) {
      splice(i, 1, 0);
    }
  }
  for (int i = canvas_.size() - 1; i >= 0; --i) {
    if (canvas_.hole_of[i] < 0 || canvas_.tokens[i] != request_.elastic->expand_token) continue;
    // Several may have been drawn at once although there is room for one.
    splice(i, 1, may_not_expand() ? 1 : 2);
  }
}

void HoleEdits::spread_deletions(std::span<const std::int32_t> masked) {
  int hole = -1;  // in which something was deleted before the position
  for (std::size_t i = 0; i < canvas_.tokens.size(); ++i) {
    if (canvas_.hole_of[i] < 0) continue;
    if (canvas_.tokens[i] == request_.elastic->delete_token) hole = canvas_.hole_of[i];
    const bool was_masked =
        std::binary_search(masked.begin(), masked.end(), static_cast<std::int32_t>(i));
    if (canvas_.hole_of[i] == hole && was_masked) {
      canvas_.tokens[i] = request_.elastic->delete_token;
    }
  }
}

void HoleEdits::cut_holes() {
  for (int end = canvas_.size(); end > 0;) {
    if (canvas_.hole_of[end - 1] < 0) {
      --end;
      continue;
    }
    int begin = end;
    while (begin > 0 && canvas_.hole_of[begin - 1] == canvas_.hole_of[end - 1]) --begin;
    int last = begin;  // the first position that ends the hole, or a mask before it
    while (last < end && canvas_.tokens[last] != request_.mask_token &&
           !ends_hole(canvas_.tokens[last])) {
      ++last;
    }
    if (last < end && ends_hole(canvas_.tokens[last])) splice(last, end - last, 0);
    end = begin;
  }
}

bool HoleEdits::ends_hole(std::int32_t token) const {
  const auto row = static_cast<std::size_t>(token);
  return row < request_.ends_hole.size() && request_.ends_hole[row] != 0;
}

// Replaces `removed` positions of a hole by masks.
void HoleEdits::splice(int position, int removed, int inserted) {
  const std::int32_t hole = canvas_.hole_of[position];
  const auto replace = [&](auto& values, const auto& value) {
    const auto at = values.erase(values.begin() + position, values.begin() + position + removed);
    values.insert(at, static_cast<std::size_t>(inserted), value);
  };
  replace(canvas_.tokens, request_.mask_token);
  replace(canvas_.hole_of, hole);
  if (!canvas_.banned.empty()) replace(canvas_.banned, bans_at_birth(hole));
  if (inserted > removed) ++expansions_;
  edits_.push_back({.begin = position, .removed = removed, .inserted = inserted});
}

// What a new position of a hole cannot draw.
std::vector<std::int32_t> HoleEdits::bans_at_birth(std::int32_t hole) const {
  if (!request_.elastic || request_.elastic->grows.empty()) return {};
  if (request_.elastic->grows[static_cast<std::size_t>(hole)] != 0) return {};
  return {request_.elastic->expand_token};
}

}  // namespace lacuna::engine
