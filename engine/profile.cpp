#include "engine/profile.h"

#include <array>
#include <string>

namespace lacuna::engine {
namespace {

constexpr std::array<Profile, 4> kProfiles = {{
    {.name = "fast",
     .purpose = "as soon as possible: several tokens a pass, the context computed once",
     .refresh = 16,
     .look_around = 0,
     .entropy_budget = 1,
     .exact = false},
    {.name = "balanced",
     .purpose = "tokens together only where they are nearly certain",
     .refresh = 4,
     .look_around = 0,
     .entropy_budget = 0.1F,
     .exact = false},
    {.name = "quality",
     .purpose = "one token a pass, what is near computed at each and the context at every fourth",
     .refresh = 4,
     .look_around = 32,
     .entropy_budget = 0,
     .exact = false},
    {.name = "exact",
     .purpose = "the published sampler, float32, no token suppressed",
     .refresh = 1,
     .look_around = 0,
     .entropy_budget = 0,
     .exact = true},
}};

}  // namespace

std::span<const Profile> profiles() { return kProfiles; }

Result<Profile> profile_named(std::string_view name) {
  std::string known;
  for (const Profile& profile : kProfiles) {
    if (profile.name == name) return profile;
    known += (known.empty() ? "" : ", ") + std::string(profile.name);
  }
  return fail(ErrorCode::InvalidInput,
              "there is no profile '" + std::string(name) + "'; there are " + known);
}

void apply(const Profile& profile, InfillOptions& options) {
  options.cache = {.refresh = profile.refresh,
                   .look_before = profile.look_around,
                   .look_after = profile.look_around};
  options.exact = profile.exact;
  SamplingOptions& sampling = options.sampling;
  sampling.algorithm = Algorithm::Entropy;
  sampling.threshold.reset();
  sampling.factor.reset();
  sampling.tokens_per_step.reset();
  sampling.entropy_budget.reset();
  if (profile.exact) return;
  if (profile.entropy_budget > 0) {
    sampling.entropy_budget = profile.entropy_budget;
  } else {
    sampling.tokens_per_step = 1;
  }
}

}  // namespace lacuna::engine
