#include "engine/token_diff.h"

#include <algorithm>
#include <cstddef>

namespace lacuna::engine {
namespace {

// How far along each diagonal (tokens of `before` less tokens of `after`) an edit of so many
// tokens comes: reach[edits + diagonal] tokens of `before`.
using Reach = std::vector<int>;

class Diff {
 public:
  Diff(std::span<const std::int32_t> before, std::span<const std::int32_t> after,
       std::int32_t different)
      : before_(before), after_(after), different_(different) {}

  bool search(int most) {
    const int n = static_cast<int>(before_.size());
    const int m = static_cast<int>(after_.size());
    for (int edits = 0; edits <= most; ++edits) {
      Reach reach(2 * static_cast<std::size_t>(edits) + 1);
      for (int diagonal = -edits; diagonal <= edits; diagonal += 2) {
        int x = step_from(diagonal, edits);
        while (same(x, x - diagonal)) ++x;
        reach[index_of(diagonal, edits)] = x;
        if (x >= n && x - diagonal >= m) {
          reaches_.push_back(std::move(reach));
          return true;
        }
      }
      reaches_.push_back(std::move(reach));
    }
    return false;
  }

  // Back from the end along what search() has found.
  std::vector<CommonRun> runs() const {
    std::vector<CommonRun> runs;
    int x = static_cast<int>(before_.size());
    int diagonal = x - static_cast<int>(after_.size());
    for (int edits = static_cast<int>(reaches_.size()) - 1; edits >= 0; --edits) {
      const int start = step_from(diagonal, edits);
      if (x > start) runs.push_back({start, start - diagonal, x - start});
      if (edits == 0) break;
      diagonal = comes_from_above(diagonal, edits) ? diagonal + 1 : diagonal - 1;
      x = reached(diagonal, edits - 1);
    }
    std::reverse(runs.begin(), runs.end());
    return runs;
  }

 private:
  bool same(int x, int y) const {
    return x < static_cast<int>(before_.size()) && y < static_cast<int>(after_.size()) &&
           before_[static_cast<std::size_t>(x)] == after_[static_cast<std::size_t>(y)] &&
           before_[static_cast<std::size_t>(x)] != different_;
  }

  // In a Reach of so many edits.
  static std::size_t index_of(int diagonal, int edits) {
    const int index = edits + diagonal;
    return static_cast<std::size_t>(index);
  }

  int reached(int diagonal, int edits) const {
    return reaches_[static_cast<std::size_t>(edits)][index_of(diagonal, edits)];
  }

  // Whether the last of the edits is a token that comes, and not one that goes.
  bool comes_from_above(int diagonal, int edits) const {
    if (diagonal == -edits) return true;
    if (diagonal == edits) return false;
    return reached(diagonal - 1, edits - 1) < reached(diagonal + 1, edits - 1);
  }

  // Where the diagonal is entered by the last of the edits.
  int step_from(int diagonal, int edits) const {
    if (edits == 0) return 0;
    return comes_from_above(diagonal, edits) ? reached(diagonal + 1, edits - 1)
                                             : reached(diagonal - 1, edits - 1) + 1;
  }

  std::span<const std::int32_t> before_, after_;
  std::int32_t different_;
  std::vector<Reach> reaches_;  // by edits
};

}  // namespace

std::optional<std::vector<CommonRun>> common_runs(std::span<const std::int32_t> before,
                                                  std::span<const std::int32_t> after,
                                                  std::int32_t different, int most) {
  Diff diff(before, after, different);
  if (!diff.search(most)) return std::nullopt;
  return diff.runs();
}

}  // namespace lacuna::engine
