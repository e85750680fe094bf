// Copies of the file: where they are found, how they are mixed in, how far they are trusted.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/canvas.h"
#include "engine/copy_calibration.h"
#include "engine/copy_source.h"
#include "engine/infill.h"
#include "engine/length.h"
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

// Of this vocabulary 20 is " name", 21 "name", 22 " " and 23 two blanks, which a word behind them
// shortens.
BlankPairs some_blanks() {
  BlankPairs pairs;
  pairs.without.assign(kVocabulary, BlankPairs::kNone);
  pairs.with.assign(kVocabulary, BlankPairs::kNone);
  pairs.joins.assign(kVocabulary, 0);
  pairs.without[20] = 21;
  pairs.with[21] = 20;
  pairs.without[22] = BlankPairs::kNothing;
  pairs.without[23] = 22;
  pairs.with[22] = 23;
  pairs.joins[22] = pairs.joins[23] = 1;
  return pairs;
}

CopySource source_with_blanks(const BlankPairs& pairs, std::vector<std::int32_t> beyond = {}) {
  std::vector<std::uint8_t> text(kVocabulary, 1);
  text[kMask] = text[kDelete] = 0;
  return CopySource({}, std::move(beyond), text, kMask, kDelete, &pairs);
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

TEST(CopySourceTest, BehindABlankAWordIsFoundWhoseTokenHasTheBlankInIt) {
  const BlankPairs pairs = some_blanks();
  const std::vector<std::int32_t> canvas = {1, 2, 20, 4, 9, 1, 2, 22, kMask, 4};
  const auto evidence = found(source_with_blanks(pairs), canvas, 8);
  ASSERT_EQ(evidence.n_tokens, 1);
  EXPECT_EQ(evidence.tokens[0].token, 21);
  EXPECT_EQ(evidence.left, 2) << "the blank is in the word, so it is not counted";
  EXPECT_EQ(evidence.right, 1);
  EXPECT_EQ(
      found(source_with_blanks(pairs, {1, 2, 20, 4}), {1, 2, 22, kMask, 4}, 3).heaviest().token, 21)
      << "in the file beyond the canvas too";
  EXPECT_TRUE(found(source_of(), {1, 2, 20, 9, 1, 2, 22, kMask, 5}, 7).empty())
      << "as it is where nothing is known of blanks";
}

TEST(CopySourceTest, BehindABlankLaterTokensOfAHoleAreFoundAtTheirDistance) {
  const BlankPairs pairs = some_blanks();
  const std::vector<std::int32_t> canvas = {1, 2, 20, 5, 4, 9, 1, 2, 22, kMask, kMask, 8};
  EXPECT_EQ(found(source_with_blanks(pairs), canvas, 9).heaviest().token, 21);
  EXPECT_EQ(found(source_with_blanks(pairs), canvas, 10).heaviest().token, 5);
}

TEST(CopySourceTest, ABlankAndTheFirstTokenOfAHoleAreComparedAsOne) {
  const BlankPairs pairs = some_blanks();
  const std::vector<std::int32_t> canvas = {1, 2, 20, 5, 4, 9, 1, 2, 22, 21, kMask, 8};
  const auto evidence = found(source_with_blanks(pairs), canvas, 10);
  EXPECT_EQ(evidence.heaviest().token, 5);
  EXPECT_EQ(evidence.left, 3);
}

TEST(CopySourceTest, OfSeveralBlanksOnlyTheLastBelongsToTheWord) {
  const BlankPairs pairs = some_blanks();
  const std::vector<std::int32_t> canvas = {1, 22, 20, 4, 9, 1, 23, kMask, 4};
  const auto evidence = found(source_with_blanks(pairs), canvas, 7);
  ASSERT_EQ(evidence.n_tokens, 1);
  EXPECT_EQ(evidence.tokens[0].token, 21);
  EXPECT_EQ(evidence.left, 2);
}

TEST(CopySourceTest, NoSecondBlankIsCopiedBehindABlank) {
  const BlankPairs pairs = some_blanks();
  const auto evidence = found(source_with_blanks(pairs), {8, 20, 4, 6, 9, 3, 22, kMask, 4, 6}, 7);
  ASSERT_EQ(evidence.n_tokens, 1);
  EXPECT_EQ(evidence.tokens[0].token, 21);
}

TEST(CopySourceTest, ABlankThatStandsAloneElsewhereTooIsATokenLikeOthers) {
  const BlankPairs pairs = some_blanks();
  const auto evidence = found(source_with_blanks(pairs), {1, 22, 30, 4, 9, 1, 22, kMask, 4}, 7);
  ASSERT_EQ(evidence.n_tokens, 1);
  EXPECT_EQ(evidence.tokens[0].token, 30);
  EXPECT_EQ(evidence.left, 2);
}

TEST(BlankPairsTest, AreThoseOfTheTokenizer) {
  const SmallModel small;
  const Tokenizer& tokenizer = *small.model.tokenizer();
  const BlankPairs& pairs = small.model.blank_pairs();
  const std::int32_t blank = tokenizer.encode("1 1")[1];
  EXPECT_EQ(tokenizer.decode({&blank, 1}), " ");
  EXPECT_TRUE(pairs.is_joined(blank));
  EXPECT_EQ(pairs.without_blank(blank), BlankPairs::kNothing);
  const std::vector<std::int32_t> words = tokenizer.encode("a return");
  ASSERT_EQ(words.size(), 2U);
  const std::int32_t bare = pairs.without_blank(words[1]);
  ASSERT_GE(bare, 0);
  EXPECT_EQ(tokenizer.decode({&bare, 1}), "return");
  EXPECT_EQ(pairs.with_blank(bare), words[1]);
  const std::vector<std::int32_t> line = tokenizer.encode("\n    return");
  EXPECT_EQ(tokenizer.decode({&line[1], 1}), "    ");
  EXPECT_FALSE(pairs.is_joined(line[1])) << "indentation is a piece of its own";
  EXPECT_EQ(pairs.without_blank(small.model.mask_token()), BlankPairs::kNone);
  EXPECT_EQ(pairs.without_blank(-7), BlankPairs::kNone);
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

InfillRequest request_for(std::string_view text, CopyMode copy) {
  InfillRequest request;
  request.text = text;
  request.holes = *find_markers(text, 64);
  request.language = "python";
  request.line_comment = "#";
  request.options.copy = copy;
  return request;
}

std::string filled(const Model& model, CopyMode copy, int verify = 0, bool exact = false) {
  InfillRequest request = request_for(kRepeated, copy);
  request.options.default_hole_tokens =
      static_cast<int>(model.tokenizer()->encode(" compute_margin").size());
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

TEST(CopyInfillTest, AHoleBehindABlankIsCopiedToo) {
  const SmallModel small;
  std::string text(kRepeated);
  text.replace(text.find("=⟦"), 1, "= ");
  for (const CopyMode mode : {CopyMode::Only, CopyMode::Auto}) {
    InfillRequest request = request_for(text, mode);
    request.options.default_hole_tokens =
        static_cast<int>(small.model.tokenizer()->encode("compute_margin").size());
    const auto result = infill(small.model, request);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(result->fills[0].text, "compute_margin");
  }
}

TEST(CopyInfillTest, ProbingIsSurestAtTheLengthOfACopy) {
  const SmallModel small;
  const InfillRequest request = request_for(kRepeated, CopyMode::Auto);
  const auto canvas = build_canvas(small.model, {.text = request.text,
                                                 .holes = request.holes,
                                                 .filled = {},
                                                 .language = request.language,
                                                 .line_comment = request.line_comment,
                                                 .default_hole_tokens = 16,
                                                 .max_tokens = 256});
  ASSERT_TRUE(canvas.has_value()) << canvas.error().message;
  const auto answer = static_cast<int>(small.model.tokenizer()->encode(" compute_margin").size());
  const CopyMixing mixing = *small.model.copy_mixing();
  const CopySource source = copy_source_of(small.model, mixing, *canvas);
  const std::vector<int> lengths = {answer - 2, answer, answer + 2, answer + 4, 16};
  const auto alone = length_confidence(small.model, *canvas, 0, lengths, nullptr);
  const auto mixed = length_confidence(small.model, *canvas, 0, lengths, &source);
  const auto surest = [&](const std::vector<double>& confidence) {
    return lengths[std::max_element(confidence.begin(), confidence.end()) - confidence.begin()];
  };
  EXPECT_EQ(surest(mixed), answer);
  EXPECT_GT(mixed[1], 1.5 * alone[1]) << alone[1];
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
