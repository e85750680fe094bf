// Copies of the file: where they are found, how they are mixed in, how far they are trusted.
#include <cmath>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/copy_calibration.h"
#include "engine/copy_source.h"
#include "engine/infill.h"
#include "engine/sampler/candidate.h"
#include "tests/helpers/small_model.h"

namespace lacuna::engine {
namespace {

using testing::HasSubstr;

constexpr int kVocabulary = 40;
constexpr std::int32_t kMask = 39;
constexpr std::int32_t kDelete = 38;

CopySource source_of(std::vector<std::int32_t> beyond = {}) {
  std::vector<std::uint8_t> text(kVocabulary, 1);
  text[kMask] = text[kDelete] = 0;
  return CopySource({}, std::move(beyond), text, kMask, kDelete);
}

CopyEvidence found(const CopySource& source, const std::vector<std::int32_t>& canvas,
                   int position) {
  CopyEvidence evidence;
  source.find(canvas, position, evidence);
  return evidence;
}

TEST(CopySourceTest, FindsWhatStandsBetweenTheSameNeighbours) {
  const auto evidence = found(source_of(), {1, 2, 3, 4, 5, 9, 2, kMask, 4, 6}, 7);
  ASSERT_EQ(evidence.n_tokens, 1);
  EXPECT_EQ(evidence.tokens[0].token, 3);
  EXPECT_EQ(evidence.left, 1);
  EXPECT_EQ(evidence.right, 1);
}

TEST(CopySourceTest, ReachesAcrossMasksAtTheSameDistance) {
  const std::vector<std::int32_t> canvas = {1, 2, 3, 4, 5, 6, 9, 1, 2, kMask, kMask, 5, 6};
  EXPECT_EQ(found(source_of(), canvas, 9).heaviest().token, 3);
  EXPECT_EQ(found(source_of(), canvas, 10).heaviest().token, 4);
}

TEST(CopySourceTest, LongerMatchesWeighMore) {
  const std::vector<std::int32_t> canvas = {7, 2, 10, 4, 1, 2, 11, 4, 1, 2, kMask, 4};
  const auto evidence = found(source_of(), canvas, 10);
  ASSERT_EQ(evidence.n_tokens, 2);
  EXPECT_EQ(evidence.heaviest().token, 11) << "after 1 2, not only after 2";
  EXPECT_GT(evidence.share(11), evidence.share(10));
}

TEST(CopySourceTest, MasksAndEmptyPlacesAreNoEvidence) {
  EXPECT_TRUE(found(source_of(), {1, kMask, 2, 1, kMask, 2}, 4).empty());
  EXPECT_TRUE(found(source_of(), {1, kDelete, 2, 1, kMask, 2}, 4).empty());
  EXPECT_TRUE(found(source_of(), {kMask, kMask, kMask}, 1).empty());
}

TEST(CopySourceTest, LooksThroughTheFileBeyondTheCanvasButNotAcrossItsBreaks) {
  const std::vector<std::int32_t> canvas = {1, 2, kMask, 4};
  EXPECT_EQ(found(source_of({1, 2, 8, 4}), canvas, 2).heaviest().token, 8);
  EXPECT_TRUE(found(source_of({1, 2, CopySource::kBreak, 4, 9}), canvas, 2).empty());
}

TEST(CopySourceTest, OneTokenInCommonIsNotEnough) {
  EXPECT_TRUE(found(source_of(), {1, 2, 3, 9, 2, kMask, 7}, 5).empty());
}

TEST(CopySourceTest, AgreesWithASearchOfEveryPlace) {
  std::mt19937 random(21);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::int32_t> text(60);
    for (auto& token : text) token = static_cast<std::int32_t>(random() % 4);
    std::vector<std::int32_t> canvas(text.begin() + 40, text.end());
    const std::vector<std::int32_t> beyond(text.begin(), text.begin() + 40);
    const int position = 1 + static_cast<int>(random() % 18);
    canvas[static_cast<std::size_t>(position)] = kMask;
    const auto evidence = found(source_of(beyond), canvas, position);
    int best = 0;  // of tokens in common in the text beyond the canvas, with both sides counted
    for (int place = 0; place < 40; ++place) {
      int left = 0;
      int right = 0;
      while (left < CopySource::kMaxMatch && place - 1 - left >= 0 && position - 1 - left >= 0 &&
             beyond[place - 1 - left] == canvas[position - 1 - left])
        ++left;
      while (right < CopySource::kMaxMatch && place + 1 + right < 40 && position + 1 + right < 20 &&
             beyond[place + 1 + right] == canvas[position + 1 + right])
        ++right;
      if (left + right < CopySource::kLeastMatch) continue;
      best = std::max(best, left + right + (left > 0 && right > 0 ? 1 : 0));
    }
    const int mine =
        evidence.left + evidence.right + (evidence.left > 0 && evidence.right > 0 ? 1 : 0);
    EXPECT_GE(mine, best) << "seed 21, round " << round;
  }
}

// Softmax in double.
std::vector<double> probabilities(std::span<const float> logits) {
  std::vector<double> p;
  double sum = 0;
  for (const float logit : logits) sum += p.emplace_back(std::exp(static_cast<double>(logit)));
  for (double& value : p) value /= sum;
  return p;
}

struct Mixed {
  std::vector<double> before;
  std::vector<double> after;
  double lambda;
};

Mixed mixed_of(const CopyEvidence& evidence, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> logits(kVocabulary);
  for (float& logit : logits) logit = static_cast<float>(random() % 1000) / 100;
  CopyMixing mixing;
  mixing.weights = {0.3, 0.5, -0.2, 0, 0, 0.1};
  mixing.length_tokens = {kDelete, 37};
  const std::vector<double> before = probabilities(logits);
  DrawScratch scratch;
  std::vector<float> row = logits;
  const auto sample = copy_sample(row, evidence, mixing, 3, scratch);
  EXPECT_EQ(row, logits) << "measuring leaves the row as it was";
  mix_copies(logits, evidence, mixing, scratch);
  return {before, probabilities(logits), sample ? mixing.lambda(sample->features) : 0};
}

TEST(CopyMixTest, IsTheMixtureOfTwoDistributionsOverText) {
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    CopyEvidence evidence;
    evidence.left = 3;
    evidence.add(3, 6);
    evidence.add(5, 2);
    const Mixed mixed = mixed_of(evidence, seed);
    const double of_text = 1 - mixed.before[kDelete] - mixed.before[37];
    for (std::int32_t token = 0; token < kVocabulary; ++token) {
      const double p = mixed.before[static_cast<std::size_t>(token)];
      const bool length = token == kDelete || token == 37;
      const double expected =
          length ? p : (1 - mixed.lambda) * p + mixed.lambda * of_text * evidence.share(token);
      EXPECT_NEAR(mixed.after[static_cast<std::size_t>(token)], expected, 1e-6)
          << "seed " << seed << ", token " << token;
    }
  }
}

TEST(CopyMixTest, WithoutEvidenceNotABitChanges) {
  std::vector<float> logits = {1, 2, 3};
  const std::vector<float> before = logits;
  DrawScratch scratch;
  mix_copies(logits, {}, {}, scratch);
  EXPECT_EQ(logits, before);
}

TEST(CopyMixTest, WhatMayNotBeDrawnIsNotCopied) {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  std::vector<float> logits = {1, kNever, 3};
  const std::vector<float> before = logits;
  CopyEvidence evidence;
  evidence.add(1, 1);
  evidence.add(700, 1);
  DrawScratch scratch;
  mix_copies(logits, evidence, {.always = true}, scratch);
  EXPECT_EQ(logits, before);
}

TEST(CopyCalibrationTest, TheFitTrustsCopiesWhereTheyAreRight) {
  std::mt19937 random(4);
  std::vector<CopySample> samples;
  for (int i = 0; i < 400; ++i) {
    CopyEvidence evidence;
    evidence.left = static_cast<int>(random() % 9);
    evidence.add(1, 1);
    const bool right = evidence.left > 4;
    samples.push_back(
        {.features = copy_features(evidence, 0.5, 0.1), .model = 0.2, .copy = right ? 1.0 : 0.0});
  }
  const auto mixing = fit_copy_mixing(samples, 2);
  ASSERT_TRUE(mixing.has_value()) << mixing.error().message;
  CopyEvidence evidence;
  evidence.add(1, 1);
  evidence.left = 8;
  EXPECT_GT(mixing->lambda(copy_features(evidence, 0.5, 0.1)), 0.9);
  evidence.left = 1;
  EXPECT_LT(mixing->lambda(copy_features(evidence, 0.5, 0.1)), 0.1);
  const auto again = parse_copy_mixing(to_json(*mixing));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->weights, mixing->weights);
  EXPECT_EQ(again->sharpness, 2);
}

TEST(CopyCalibrationTest, RefusesWhatMakesNoSense) {
  EXPECT_THAT(fit_copy_mixing({}, 2).error().message, HasSubstr("at least 50"));
  const std::string good = to_json(CopyMixing{});
  EXPECT_TRUE(parse_copy_mixing(good).has_value());
  for (const char* bad : {"", "[]", "{}", R"({"sharpness": 2})", R"({"sharpness": 9})"}) {
    EXPECT_FALSE(parse_copy_mixing(bad).has_value()) << bad;
  }
  std::string huge = good;
  huge.replace(huge.find("0.0"), 3, "1e9");
  EXPECT_THAT(parse_copy_mixing(huge).error().message, HasSubstr("from -1000 to 1000"));
}

constexpr std::string_view kRepeated =
    "alpha_window = compute_margin(alpha)\n"
    "beta_window = compute_margin(beta)\n"
    "gamma_window = compute_margin(gamma)\n"
    "delta_window =⟦?⟧(delta)\n";

std::string filled(const Model& model, CopyMode copy, int verify = 0, bool exact = false) {
  InfillRequest request;
  request.text = kRepeated;
  request.holes = *find_markers(kRepeated, 64);
  request.language = "python";
  request.line_comment = "#";
  request.options.default_hole_tokens =
      static_cast<int>(model.tokenizer()->encode(" compute_margin").size());
  request.options.copy = copy;
  request.options.exact = exact;
  request.options.sampling.verify = verify;
  const auto result = infill(model, request);
  if (!result) return "error: " + result.error().message;
  return result->fills[0].text;
}

TEST(CopyInfillTest, ARepeatedPatternIsCopied) {
  const SmallModel small;
  EXPECT_EQ(filled(small.model, CopyMode::Only), " compute_margin");
  EXPECT_EQ(filled(small.model, CopyMode::Auto), " compute_margin");
  EXPECT_NE(filled(small.model, CopyMode::Off), " compute_margin") << "the model alone would do";
}

TEST(CopyInfillTest, NothingIsCopiedWhereTheDecodingIsToBeExact) {
  const SmallModel small;
  EXPECT_EQ(filled(small.model, CopyMode::Only, 0, true),
            filled(small.model, CopyMode::Off, 0, true));
}

TEST(CopyInfillTest, VerifiedStepsGiveTheSameFillWithCopies) {
  const SmallModel small;
  for (const CopyMode mode : {CopyMode::Auto, CopyMode::Only}) {
    EXPECT_EQ(filled(small.model, mode, 4), filled(small.model, mode));
  }
}

}  // namespace
}  // namespace lacuna::engine
