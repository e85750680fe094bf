// What two canvases have in common.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lacuna::engine {

// The same tokens at [before, before + length) of the one and [after, after + length) of the other.
struct CommonRun {
  int before;
  int after;
  int length;

  bool operator==(const CommonRun&) const = default;
};

// The runs of a shortest edit from one to the other, in order (Myers 1986). The token `different`
// is never the same. None where more than `most` tokens go or come: the work is bounded by the
// sizes times it.
std::optional<std::vector<CommonRun>> common_runs(std::span<const std::int32_t> before,
                                                  std::span<const std::int32_t> after,
                                                  std::int32_t different, int most);

}  // namespace lacuna::engine
