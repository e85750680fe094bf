#include "engine/profile.h"

#include <gtest/gtest.h>

#include "tests/helpers/small_model.h"

namespace lacuna::engine {
namespace {

TEST(ProfileTest, EachIsFoundByItsNameAndCanBeUsed) {
  const SmallModel small;
  const std::string text = "def area(width, height):\n    return \n";
  std::vector<int> passes;
  for (const Profile& profile : profiles()) {
    const auto named = profile_named(profile.name);
    ASSERT_TRUE(named.has_value());
    InfillRequest request;
    request.text = text;
    request.holes = {{.begin = 36, .end = 36, .tokens = 12, .hint = {}}};
    // What the profile speaks of is overwritten, the seed stays.
    request.options.sampling.threshold = 0.5F;
    request.options.sampling.seed = 7;
    apply(*named, request.options);
    EXPECT_TRUE(check(request.options.sampling)) << profile.name;
    EXPECT_EQ(request.options.sampling.seed, 7U);
    const auto result = infill(small.model, request);
    ASSERT_TRUE(result.has_value()) << profile.name;
    passes.push_back(result->forward_passes);
  }
  // fast, balanced, quality, exact
  EXPECT_LE(passes[0], passes[1]);
  EXPECT_LE(passes[1], passes[2]);
  EXPECT_EQ(passes[2], 12);
}

TEST(ProfileTest, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  EXPECT_EQ(profile_named("best").error().message,
            "there is no profile 'best'; there are fast, balanced, quality, exact");
}

}  // namespace
}  // namespace lacuna::engine
