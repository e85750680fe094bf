#include "engine/generate.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/helpers/reference_model.h"
#include "tests/helpers/temporary_folder.h"

namespace lacuna::engine {
namespace {

// LLaDA's tiny model, in which token 17, which it likes, ends a text.
class EndOfTextTest : public testing::Test {
 protected:
  EndOfTextTest() : context_(kernels::best_isa(), 2) {
    const std::filesystem::path source = LACUNA_TEST_DATA "/reference/golden/llada_tiny";
    std::filesystem::copy_file(source / "model.safetensors", folder_.path() / "model.safetensors");
    std::ifstream file(source / "config.json");
    nlohmann::json config = nlohmann::json::parse(file);
    config["eos_token_id"] = kEos;
    folder_.write("config.json", config.dump());
    auto loaded = Model::load(folder_.path(), context_, {.needs_tokenizer = false});
    EXPECT_TRUE(loaded.has_value());
    model_.emplace(std::move(*loaded));
  }

  static constexpr std::int32_t kEos = 17;

  GenerateRequest request() const {
    return {.prompt = {83, 69, 3, 64, 1, 35, 12},
            .max_new_tokens = 16,
            .sampling = {.steps = 16, .algorithm = Algorithm::LowConfidence, .block_length = 16},
            .exact = true};
  }

  // The token of the first commit, and how many of the result are the end of the text.
  std::pair<std::int32_t, int> run(GenerateRequest request) {
    std::int32_t first = -1;
    request.on_step = [&](const StepEvent& event) {
      if (first < 0 && !event.commits.empty()) first = event.commits[0].token;
    };
    const auto result = generate(*model_, request);
    EXPECT_TRUE(result.has_value());
    const auto begin = result->sequence.begin() + 7;
    return {first, static_cast<int>(std::count(begin, result->sequence.end(), kEos))};
  }

  const test::TemporaryFolder folder_;
  kernels::CpuContext context_;
  std::optional<Model> model_;
};

TEST_F(EndOfTextTest, ThePublishedLoopMayBeginWithIt) {
  const auto [first, count] = run(request());
  EXPECT_EQ(first, kEos);
  EXPECT_GT(count, 0);
}

TEST_F(EndOfTextTest, WithLogitsEosInfItIsNeverDrawn) {
  GenerateRequest forbidden = request();
  forbidden.logits_eos_inf = true;
  EXPECT_EQ(run(forbidden).second, 0);
  forbidden.exact = false;
  forbidden.sampling.temperature = 1;
  EXPECT_EQ(run(forbidden).second, 0);
}

TEST_F(EndOfTextTest, WithConfidenceEosEotInfItComesLast) {
  GenerateRequest distrusted = request();
  distrusted.confidence_eos_eot_inf = true;
  EXPECT_NE(run(distrusted).first, kEos);
}

TEST_F(EndOfTextTest, AtATemperatureThePublishedCodeDoesNotReachTheConfidence) {
  GenerateRequest plain = request();
  plain.sampling.temperature = 0.5F;
  GenerateRequest distrusted = plain;
  distrusted.confidence_eos_eot_inf = true;
  EXPECT_EQ(run(distrusted), run(plain));
}

}  // namespace
}  // namespace lacuna::engine
