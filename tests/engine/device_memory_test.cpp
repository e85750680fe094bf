#include "engine/device_memory.h"

#include <gtest/gtest.h>

#include "engine/random_weights.h"

namespace lacuna::engine {
namespace {

using kernels::WeightFormat;

// Tensors of the shape of a 7.6B Dream model: nobody reads their numbers.
ModelTensors shapes_of(const ModelConfig& config) {
  const auto tensor = [](std::int64_t rows, std::int64_t columns) {
    return TensorView{.type = kernels::DType::BF16, .shape = {rows, columns}, .data = {}};
  };
  const std::int64_t D = config.hidden_size;
  const std::int64_t F = config.intermediate_size;
  const std::int64_t q = static_cast<std::int64_t>(config.heads) * config.head_size;
  const std::int64_t kv = static_cast<std::int64_t>(config.kv_heads) * config.head_size;
  ModelTensors tensors;
  tensors.embedding = tensors.lm_head = tensor(config.vocab_size, D);
  for (int i = 0; i < config.layers; ++i) {
    LayerTensors layer;
    layer.q = tensor(q, D);
    layer.k = layer.v = tensor(kv, D);
    layer.o = tensor(D, q);
    layer.gate = layer.up = tensor(F, D);
    layer.down = tensor(D, F);
    tensors.layers.push_back(layer);
  }
  return tensors;
}

class DeviceMemoryTest : public ::testing::Test {
 protected:
  std::string refusal(WeightFormat format, double gigabytes, bool is_budget = false) const {
    const Result<void> fits = check_fits(config, tensors, format,
                                         {.name = "cuda:1",
                                          .bytes = static_cast<std::uint64_t>(gigabytes * 1e9),
                                          .is_budget = is_budget});
    return fits ? "" : fits.error().message;
  }

  ModelConfig config = dream_seven_billion();
  ModelTensors tensors = shapes_of(config);
};

TEST_F(DeviceMemoryTest, CountsAllWeightsAndACanvas) {
  // 7.615 billion weights of 2 bytes, and 0.36 GB for keys, values and rows.
  const auto bf16 = static_cast<double>(device_bytes(config, tensors, WeightFormat::Bf16));
  EXPECT_GT(bf16, 15.23e9);
  EXPECT_LT(bf16, 16.0e9);
  const auto int8 = static_cast<double>(device_bytes(config, tensors, WeightFormat::Int8));
  EXPECT_LT(int8, 0.6 * bf16);
}

TEST_F(DeviceMemoryTest, SaysWhatWouldFit) {
  EXPECT_EQ(refusal(WeightFormat::Bf16, 24), "");
  const std::string twelve = refusal(WeightFormat::Bf16, 12);
  EXPECT_EQ(twelve.find("the model needs 15."), 0U) << twelve;
  EXPECT_NE(twelve.find(" GB of cuda:1 in bf16, and free are 12.00 GB; --dtype int8 needs "),
            std::string::npos)
      << twelve;
  const std::string eight = refusal(WeightFormat::Bf16, 8);
  EXPECT_NE(eight.find("4 bits need "), std::string::npos) << eight;
  EXPECT_NE(eight.find("lacuna model quantise --bits 4"), std::string::npos) << eight;
  const std::string two = refusal(WeightFormat::Bf16, 2, true);
  EXPECT_NE(two.find("--vram allows 2.00 GB; use a smaller model or --device cpu"),
            std::string::npos)
      << two;
}

TEST(DeviceFailureTest, TellsWantOfMemoryFromAFailure) {
  EXPECT_EQ(device_failure({"x", true}).message.find("the GPU has no memory left"), 0U);
  EXPECT_EQ(device_failure({"kernel: lost", false}).message, "the GPU failed: kernel: lost");
}

}  // namespace
}  // namespace lacuna::engine
