// Named ways to decode: how many tokens a pass commits and how often the context is computed anew.
// Chosen from the table in docs/performance.md, "Ways to decode".
#pragma once

#include <span>
#include <string_view>

#include "engine/infill.h"
#include "support/result.h"

namespace lacuna::engine {

struct Profile {
  std::string_view name;
  std::string_view purpose;
  int refresh;
  int look_around;       // rows computed on each side of a hole
  float entropy_budget;  // 0: one token a pass
  bool exact;
};

// fast, balanced, quality, exact.
std::span<const Profile> profiles();

// InvalidInput names the profiles there are.
Result<Profile> profile_named(std::string_view name);

// What the profile says, written into the options; the rest stays.
void apply(const Profile& profile, InfillOptions& options);

}  // namespace lacuna::engine
