// draw() against golden/sample_tokens.json: 100 settings on six rows of 17 logits.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "engine/sampler/candidate.h"
#include "engine/sampler/filters.h"
#include "tests/engine/sampler/reference_data.h"

namespace lacuna::engine {
namespace {

constexpr double kTolerance = 1e-6;

class SampleTokensTest : public testing::Test {
 protected:
  const nlohmann::json data_ = load_reference("golden/sample_tokens.json");
  const std::vector<std::vector<float>> rows_ = data_["logits"];
  DrawScratch scratch_;

  static DrawOptions options_of(const nlohmann::json& setting) {
    DrawOptions options;
    options.temperature = setting["temperature"];
    if (!setting["top_p"].is_null()) options.top_p = setting["top_p"].get<float>();
    if (!setting["top_k"].is_null()) options.top_k = setting["top_k"].get<int>();
    return options;
  }

  static std::string name_of(const nlohmann::json& setting, std::size_t row) {
    return "temperature " + setting["temperature"].dump() + ", top_p " + setting["top_p"].dump() +
           ", top_k " + setting["top_k"].dump() + ", row " + std::to_string(row);
  }

  std::vector<int> kept(const nlohmann::json& setting, std::size_t row) {
    const DrawOptions options = options_of(setting);
    std::vector<float> logits = rows_[row];
    if (options.temperature > 0) {
      for (float& x : logits) x /= options.temperature;
    }
    if (options.top_p && *options.top_p < 1) keep_top_p(logits, *options.top_p, scratch_);
    if (options.top_k) keep_top_k(logits, *options.top_k, scratch_);
    std::vector<int> tokens;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      if (std::isfinite(logits[i])) tokens.push_back(static_cast<int>(i));
    }
    return tokens;
  }

  // Logits at the places of `tokens`, sorted: equal for two sets that differ in ties only.
  std::vector<float> logits_of(std::size_t row, const std::vector<int>& tokens) const {
    std::vector<float> logits;
    logits.reserve(tokens.size());
    for (const int token : tokens) logits.push_back(rows_[row][static_cast<std::size_t>(token)]);
    std::sort(logits.begin(), logits.end());
    return logits;
  }
};

TEST_F(SampleTokensTest, ConfidencesAndGreedyTokensAreThoseOfTheReference) {
  ASSERT_EQ(data_["cases"].size(), 100U);
  for (const auto& setting : data_["cases"]) {
    for (const auto& [name, kind] : {std::pair("maskgit_plus", Confidence::Probability),
                                     std::pair("topk_margin", Confidence::Margin),
                                     std::pair("entropy", Confidence::NegativeEntropy)}) {
      if (!setting.contains(name)) continue;
      const auto& expected = setting[name];
      DrawOptions options = options_of(setting);
      options.confidence = kind;
      for (std::size_t row = 0; row < rows_.size(); ++row) {
        SCOPED_TRACE(name_of(setting, row) + ", " + name);
        const Candidate candidate = draw(rows_[row], 0, options, {}, 0.5, scratch_);
        EXPECT_NEAR(candidate.confidence, expected["confidence"][row].get<double>(), kTolerance);
        if (!expected.contains("x0")) continue;  // drawn at random
        EXPECT_EQ(logits_of(row, {candidate.token}), logits_of(row, {expected["x0"][row]}));
      }
    }
  }
}

TEST_F(SampleTokensTest, KeptTokensAreThoseOfTheReference) {
  for (const auto& setting : data_["cases"]) {
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      EXPECT_EQ(logits_of(row, kept(setting, row)), logits_of(row, setting["kept"][row]))
          << name_of(setting, row);
    }
  }
}

// Draws with a number from the middle of each token's share. The reference's probabilities at
// temperature 0 are those of temperature 1.
TEST_F(SampleTokensTest, EveryTokenHasTheProbabilityOfTheReference) {
  int n_checked = 0;
  for (const auto& setting : data_["cases"]) {
    DrawOptions options = options_of(setting);
    if (options.temperature == 0) options.temperature = 1;
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      // Where the reference kept other tokens of a tie, their shares are elsewhere.
      if (kept(setting, row) != setting["kept"][row]) continue;
      SCOPED_TRACE(name_of(setting, row));
      const std::vector<double> expected = setting["probs"][row];
      double before = 0;
      for (std::size_t token = 0; token < expected.size(); before += expected[token++]) {
        if (expected[token] < 1e-4) continue;  // a share that rounding may have moved
        const Candidate candidate =
            draw(rows_[row], 0, options, {}, before + expected[token] / 2, scratch_);
        EXPECT_EQ(candidate.token, static_cast<int>(token));
        EXPECT_NEAR(candidate.probability, expected[token], kTolerance);
        ++n_checked;
      }
    }
  }
  EXPECT_GT(n_checked, 3000);
}

}  // namespace
}  // namespace lacuna::engine
