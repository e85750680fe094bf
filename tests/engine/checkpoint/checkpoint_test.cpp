#include "engine/checkpoint/checkpoint.h"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

namespace lacuna::engine {
namespace {

namespace fs = std::filesystem;

const fs::path kReference = fs::path(LACUNA_TEST_DATA) / "reference";

TEST(CheckpointTest, OpensTheReferenceModels) {
  for (const char* name : {"dream-tiny", "dream-tiny-bf16-sharded", "golden/dream_tiny"}) {
    const auto checkpoint = Checkpoint::open(kReference / name);
    ASSERT_TRUE(checkpoint.has_value()) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->tensors().layers.size(),
              static_cast<std::size_t>(checkpoint->config().layers));
  }
}

}  // namespace
}  // namespace lacuna::engine
