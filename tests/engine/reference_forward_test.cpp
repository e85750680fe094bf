// Logits of the published implementation (float32, CPU) on small random models.
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "tests/helpers/reference_model.h"

namespace lacuna::engine {
namespace {

constexpr float kTolerance = 2e-3F;

int argmax(std::span<const float> row) {
  return static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin());
}

double logsumexp(std::span<const float> row) {
  const float max = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const float x : row) sum += std::exp(static_cast<double>(x) - max);
  return max + std::log(sum);
}

// The network's own rows, before the shift: [T, V].
std::vector<float> network_logits(ReferenceModel& model, const Ids& ids) {
  ForwardPass pass(model.transformer, model.context, {.canvas = static_cast<int>(ids.size())},
                   kernels::Precision::F32);
  const Ids rows = iota_ids(ids.size());
  pass.run(ids, rows, rows);
  std::vector<float> logits(ids.size() * static_cast<std::size_t>(model.vocab_size()));
  pass.logits(0, static_cast<int>(ids.size()), logits.data());
  return logits;
}

struct Setting {
  const char* name;
  const char* folder;
  kernels::WeightFormat format;
  kernels::Isa isa;
};

class ReferenceForwardTest : public testing::TestWithParam<Setting> {
 protected:
  void SetUp() override {
    if (GetParam().isa > kernels::best_isa()) GTEST_SKIP() << "this CPU lacks the instruction set";
  }
};

TEST_P(ReferenceForwardTest, LogitsAfterTheShiftMatch) {
  const Setting& setting = GetParam();
  ReferenceModel model(setting.folder, setting.format, setting.isa);
  const auto V = static_cast<std::size_t>(model.vocab_size());
  const nlohmann::json golden = read_reference(std::string(setting.folder) + "/golden.json");
  for (const auto& entry : golden["forward"]) {
    const Ids ids = entry["ids"].get<Ids>();
    std::vector<float> logits(ids.size() * V);
    model.predictor(static_cast<int>(ids.size())).logits(ids, iota_ids(ids.size()), logits.data());
    for (std::size_t t = 0; t < ids.size(); ++t) {
      const std::span<const float> row(logits.data() + t * V, V);
      EXPECT_EQ(argmax(row), entry["argmax_after_shift"][t].get<int>()) << "position " << t;
      EXPECT_NEAR(row[argmax(row)], entry["top1_after_shift"][t].get<float>(), kTolerance);
      EXPECT_NEAR(logsumexp(row), entry["logsumexp_after_shift"][t].get<float>(), kTolerance);
    }
    if (!entry.contains("logits_before_shift") || entry["logits_before_shift"].is_null()) continue;
    const std::vector<float> before = network_logits(model, ids);
    for (std::size_t t = 0; t < ids.size(); ++t) {
      for (std::size_t v = 0; v < V; ++v) {
        ASSERT_NEAR(before[t * V + v], entry["logits_before_shift"][t][v].get<float>(), kTolerance)
            << "row " << t << " token " << v;
      }
    }
  }
}

using kernels::Isa;
using kernels::WeightFormat;
INSTANTIATE_TEST_SUITE_P(
    Models, ReferenceForwardTest,
    testing::Values(
        Setting{"dream_f32_scalar", "dream-tiny", WeightFormat::F32, Isa::Scalar},
        Setting{"dream_f32_avx2", "dream-tiny", WeightFormat::F32, Isa::Avx2},
        Setting{"dream_f32_avx512", "dream-tiny", WeightFormat::F32, Isa::Avx512},
        Setting{"dream_bf16_as_f32", "dream-tiny-bf16-sharded", WeightFormat::F32, Isa::Avx512},
        // Weights that are bf16 already lose nothing by being kept so.
        Setting{"dream_bf16_scalar", "dream-tiny-bf16-sharded", WeightFormat::Bf16, Isa::Scalar},
        Setting{"dream_bf16_avx2", "dream-tiny-bf16-sharded", WeightFormat::Bf16, Isa::Avx2},
        Setting{"dream_bf16_avx512", "dream-tiny-bf16-sharded", WeightFormat::Bf16,
                Isa::Avx512Bf16}),
    [](const auto& suite) { return suite.param.name; });

void expect_network_logits(ReferenceModel& model, const Ids& ids, const nlohmann::json& expected,
                           std::size_t first_row) {
  const auto V = static_cast<std::size_t>(model.vocab_size());
  const std::vector<float> logits = network_logits(model, ids);
  for (std::size_t t = 0; t < ids.size(); ++t) {
    for (std::size_t v = 0; v < V; ++v) {
      ASSERT_NEAR(logits[t * V + v], expected[t + first_row][v].get<float>(), kTolerance)
          << "row " << t << " token " << v;
    }
  }
}

// A left-padded row of the original Dream sees only itself, at positions from 0: it is the same
// text without its padding.
TEST(ReferenceForwardTest, LogitsOfTheOriginalDreamMatch) {
  ReferenceModel model("golden/dream_tiny");
  int texts = 0;
  const nlohmann::json golden = read_reference("golden/dream_tiny/forward.json");
  for (const auto& entry : golden) {
    if (!entry.contains("left_padded")) {
      expect_network_logits(model, entry["input_ids"].get<Ids>(), entry["logits_unshifted"], 0);
      ++texts;
      continue;
    }
    for (std::size_t b = 0; b < entry["input_ids"].size(); ++b, ++texts) {
      const Ids padded = entry["input_ids"][b].get<Ids>();
      const Ids mask = entry["attention_mask"][b].get<Ids>();
      const auto first = std::find(mask.begin(), mask.end(), 1) - mask.begin();
      expect_network_logits(model, Ids(padded.begin() + first, padded.end()),
                            entry["logits_unshifted"][b], static_cast<std::size_t>(first));
    }
  }
  EXPECT_EQ(texts, 6);
}

TEST(ReferenceForwardTest, LogitsOfLladaMatch) {
  ReferenceModel model("llada-tiny");
  const nlohmann::json golden = read_reference("llada-tiny/golden.json");
  for (const auto& entry : golden["forward"]) {
    const Ids ids = entry["ids"].get<Ids>();
    const auto V = static_cast<std::size_t>(model.vocab_size());
    std::vector<float> logits(ids.size() * V);
    model.predictor(static_cast<int>(ids.size())).logits(ids, iota_ids(ids.size()), logits.data());
    for (std::size_t t = 0; t < ids.size(); ++t) {
      const std::span<const float> row(logits.data() + t * V, V);
      EXPECT_EQ(argmax(row), entry["argmax"][t].get<int>()) << "position " << t;
      EXPECT_NEAR(logsumexp(row), entry["logsumexp"][t].get<float>(), kTolerance);
    }
    if (!entry["logits"].is_null()) expect_network_logits(model, ids, entry["logits"], 0);
  }
  ReferenceModel original("golden/llada_tiny");
  for (const auto& entry : read_reference("golden/llada_tiny/forward.json")) {
    expect_network_logits(original, entry["input_ids"].get<Ids>(), entry["logits"], 0);
  }
}

// The trainer and the engine are two implementations of one network (training/golden.py).
TEST(TrainerForwardTest, LogitsOfTheTrainingCodeMatch) {
  ReferenceModel model("../lacuna_tiny");
  const auto V = static_cast<std::size_t>(model.vocab_size());
  const nlohmann::json golden = read_reference("../lacuna_tiny/forward.json");
  ASSERT_GE(golden.size(), 2U);
  for (const auto& entry : golden) {
    const Ids ids = entry["input_ids"].get<Ids>();
    std::vector<float> logits(ids.size() * V);
    model.predictor(static_cast<int>(ids.size())).logits(ids, iota_ids(ids.size()), logits.data());
    for (std::size_t t = 0; t < ids.size(); ++t) {
      for (std::size_t v = 0; v < V; ++v) {
        ASSERT_NEAR(logits[t * V + v], entry["logits"][t][v].get<float>(), 1e-4F)
            << ids.size() << " tokens, position " << t << " token " << v;
      }
    }
  }
}

TEST(ForwardPassTest, RecomputingAllRowsInPiecesOfAnyOrderGivesTheSameBits) {
  ReferenceModel model("dream-tiny");
  const auto V = static_cast<std::size_t>(model.vocab_size());
  const nlohmann::json golden = read_reference("dream-tiny/golden.json");
  const Ids ids = golden["forward"].back()["ids"].get<Ids>();
  const Ids rows = iota_ids(ids.size());
  const std::vector<float> expected = network_logits(model, ids);
  // A second pass over the block only, nothing changed: the same keys, values and logits.
  ForwardPass pass(model.transformer, model.context, {.canvas = 512}, kernels::Precision::F32);
  pass.run(ids, rows, {});
  const Ids block = {3, 4, 5, static_cast<std::int32_t>(ids.size()) - 1};
  pass.run(ids, block, block);
  std::vector<float> logits(block.size() * V);
  pass.logits(0, static_cast<int>(block.size()), logits.data());
  for (std::size_t i = 0; i < block.size(); ++i) {
    for (std::size_t v = 0; v < V; ++v) {
      ASSERT_EQ(logits[i * V + v], expected[static_cast<std::size_t>(block[i]) * V + v])
          << "row " << block[i];
    }
  }
}

TEST(ForwardPassTest, LogitsDoNotDependOnTheNumberOfThreads) {
  const nlohmann::json golden = read_reference("dream-tiny/golden.json");
  const Ids ids = golden["forward"].back()["ids"].get<Ids>();
  std::vector<std::vector<float>> logits;
  for (const int threads : {1, 2, 5}) {
    ReferenceModel model("dream-tiny", WeightFormat::F32, kernels::best_isa(), threads);
    logits.push_back(network_logits(model, ids));
  }
  EXPECT_EQ(logits[0], logits[1]);
  EXPECT_EQ(logits[0], logits[2]);
}

}  // namespace
}  // namespace lacuna::engine
