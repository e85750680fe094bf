#include "engine/length.h"

#include <array>
#include <cmath>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/denoiser.h"
#include "engine/infill.h"
#include "engine/transformer_predictor.h"
#include "tests/helpers/small_model.h"
#include "tests/helpers/temporary_folder.h"

namespace lacuna::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::array kLengths = {1, 2, 4, 8, 16, 32, 64};

// Holes whose confidence is `bias` at wrong lengths and a little more at the right one.
std::vector<LengthSample> samples_of(const LengthCalibration& bias, double bump, int holes) {
  std::mt19937 random(3);
  std::vector<LengthSample> samples;
  for (int hole = 0; hole < holes; ++hole) {
    const int true_length = kLengths[random() % kLengths.size()];
    for (const int length : kLengths) {
      const double noise = (static_cast<double>(random() % 1000) - 500) / 500000;
      samples.push_back(
          {.length = length,
           .true_length = true_length,
           .confidence = bias.expected(length) + noise + (length == true_length ? bump : 0)});
    }
  }
  return samples;
}

TEST(LengthCalibrationTest, TheFitFindsWhatMadeTheMeasurements) {
  const LengthCalibration truth{.a = 0.5, .b = 0.94, .c = 0.3, .d = 0.05, .e = 0.2};
  const auto fit = fit_calibration(samples_of(truth, 0.1, 200), kLengths.size());
  ASSERT_TRUE(fit.has_value()) << fit.error().message;
  for (const int length : kLengths) {
    EXPECT_NEAR(fit->expected(length), truth.expected(length), 0.01) << length;
  }
}

TEST(LengthCalibrationTest, WithoutItLongHolesLookWrong) {
  const LengthCalibration bias{.a = 0.5, .b = 0.94, .c = 0.3, .d = 0.05, .e = 0.2};
  const auto samples = samples_of(bias, 0.05, 200);
  const auto fit = fit_calibration(samples, kLengths.size());
  const LengthCalibration none{.a = 0, .b = 0, .c = 0, .d = 0, .e = 1};
  EXPECT_LT(length_error(samples, kLengths.size(), *fit), 0.1);
  EXPECT_GT(length_error(samples, kLengths.size(), none), 1.5);
}

TEST(LengthCalibrationTest, WhereConfidenceSaysNothingTheUsualLengthIsTaken) {
  auto samples = samples_of({}, 0, 300);
  std::mt19937 random(8);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    samples[i].true_length = i / kLengths.size() % 4 == 0 ? 16 : 8;
    samples[i].confidence *= 0.5 + static_cast<double>(random() % 1000) / 1000;
  }
  const auto fit = fit_calibration(samples, kLengths.size());
  EXPECT_GE(fit->prior_weight, 1);
  EXPECT_LT(length_error(samples, kLengths.size(), *fit), 0.3);
}

TEST(LengthCalibrationTest, TooFewMeasurementsAreRefused) {
  EXPECT_THAT(fit_calibration({}, kLengths.size()).error().message,
              HasSubstr("at least 20 are needed"));
}

TEST(LengthCalibrationTest, TheFileIsReadBackAndBadOnesAreNamed) {
  const LengthCalibration written{.a = 0.1, .e = 0.3, .prior_weight = 2};
  const auto read = parse_calibration(to_json(written));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->a, 0.1);
  EXPECT_EQ(read->prior_weight, 2);
  for (const auto& [text, message] : std::vector<std::pair<std::string, std::string>>{
           {"[]", "not a JSON object"},
           {"{\"a\":", "not a JSON object"},
           {R"({"a":1,"b":1,"c":1,"d":"x"})", "d must be a number from 0 to 100"},
           {R"({"a":-1})", "a must be a number"},
           {R"({"a":0,"b":0,"c":0,"d":0,"e":0,"log_mean":1,"log_deviation":1,"prior_weight":0})",
            "e must be above 0"},
           {R"({"a":0,"b":0,"c":0,"d":0,"e":1,"log_mean":1,"log_deviation":0,"prior_weight":0})",
            "log_deviation must be at least"}}) {
    EXPECT_THAT(parse_calibration(text).error().message, HasSubstr(message)) << text;
  }
  const test::TemporaryFolder folder;
  EXPECT_EQ(load_calibration(folder.path()).error().code, ErrorCode::NotFound);
  folder.write(std::string(kCalibrationFile), "nonsense");
  EXPECT_EQ(load_calibration(folder.path()).error().code, ErrorCode::Corrupt);
}

constexpr std::array<std::uint8_t, 2> kNoneIsFixed = {0, 0};

Canvas canvas_of(const Model& model) {
  const std::string text = "def area(width, height):\n    return \n\n\nprint(area(2, ))\n";
  const std::vector<Hole> holes = {{.begin = 36, .end = 36, .tokens = {}, .hint = {}},
                                   {.begin = 53, .end = 53, .tokens = {}, .hint = {}}};
  return *build_canvas(model, {.text = text,
                               .holes = holes,
                               .filled = {},
                               .language = "python",
                               .line_comment = "#",
                               .default_hole_tokens = 8,
                               .max_tokens = 256});
}

TEST(LengthTest, HolesTakeTheirNewLengthsAndTheRestStays) {
  const SmallModel small;
  const Canvas canvas = canvas_of(small.model);
  const Canvas resized = with_lengths(canvas, std::vector<int>{3, 11}, small.model.mask_token());
  EXPECT_EQ(resized.tokens.size(), canvas.tokens.size() - 2);
  ASSERT_EQ(resized.holes.size(), 2U);
  EXPECT_EQ(resized.holes[0].length, 3);
  EXPECT_EQ(resized.holes[1].length, 11);
  const auto without_masks = [&](std::vector<std::int32_t> tokens) {
    std::erase(tokens, small.model.mask_token());
    return tokens;
  };
  EXPECT_EQ(without_masks(resized.tokens), without_masks(canvas.tokens));
  for (const CanvasHole& hole : resized.holes) {
    EXPECT_EQ(
        std::count(resized.tokens.begin() + hole.begin,
                   resized.tokens.begin() + hole.begin + hole.length, small.model.mask_token()),
        hole.length);
  }
}

// A length of its own is what the canvas has already: nothing moves, so the pass is the same.
TEST(LengthTest, ConfidenceAtTheCanvasLengthIsThatOfAPlainPass) {
  const SmallModel small;
  const Canvas canvas = canvas_of(small.model);
  const std::vector<double> alone =
      length_confidence(small.model, canvas, 0, std::vector<int>{canvas.holes[0].length}, nullptr);
  const std::vector<double> among = length_confidence(
      small.model, canvas, 0, std::vector<int>{2, canvas.holes[0].length, 30}, nullptr);
  EXPECT_EQ(alone[0], among[1]) << "lengths do not disturb each other";
  EXPECT_GT(alone[0], 0);
  EXPECT_LE(alone[0], 1);
}

TEST(LengthTest, ChosenLengthsKeepToTheirBounds) {
  const SmallModel small;
  const Canvas canvas = canvas_of(small.model);
  const std::vector<std::uint8_t> first_is_fixed = {1, 0};
  // A calibration that makes long holes look best.
  const LengthCalibration longest{.a = 0, .b = 1, .c = 100, .d = 0.5, .e = 1e-6};
  for (const int room : {0, 5, 100}) {
    const std::vector<int> lengths = choose_lengths(
        small.model, canvas, longest, {.max_tokens = 40, .room = room, .fixed = first_is_fixed});
    EXPECT_THAT(lengths, ElementsAre(8, std::min(40, 8 + room)));
  }
  const LengthCalibration shortest{.log_mean = 0, .log_deviation = 0.1, .prior_weight = 50};
  EXPECT_THAT(choose_lengths(small.model, canvas, shortest,
                             {.max_tokens = 40, .room = 10, .fixed = kNoneIsFixed}),
              ElementsAre(1, 1));
}

TEST(LengthTest, NothingIsTriedOnceItIsStopped) {
  const SmallModel small;
  const Canvas canvas = canvas_of(small.model);
  const LengthCalibration longest{.a = 0, .b = 1, .c = 100, .d = 0.5, .e = 1e-6};
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_THAT(choose_lengths(small.model, canvas, longest,
                             {.max_tokens = 40,
                              .room = 100,
                              .fixed = kNoneIsFixed,
                              .finalists = 4,
                              .stop = stopped.get_token()}),
              ElementsAre(8, 8));
}

TEST(LengthTest, AHoleWithAPriorOfItsOwnIsJudgedByIt) {
  const SmallModel small;
  const Canvas canvas = canvas_of(small.model);
  const LengthCalibration shortest{.log_mean = 0, .log_deviation = 0.1, .prior_weight = 50};
  const std::vector<std::optional<LengthPrior>> priors = {
      std::nullopt, LengthPrior{.log_mean = std::log(16), .log_deviation = 0.1}};
  EXPECT_THAT(
      choose_lengths(small.model, canvas, shortest,
                     {.max_tokens = 40, .room = 32, .fixed = kNoneIsFixed, .priors = priors}),
      ElementsAre(1, 16));
}

TEST(LengthTest, NothingIsTriedBelowTheLeastLength) {
  const SmallModel small;
  const Canvas canvas = canvas_of(small.model);
  const LengthCalibration shortest{.log_mean = 0, .log_deviation = 0.1, .prior_weight = 50};
  for (const int least : {1, 2, 3, 5, 13, 40, 100}) {
    const std::vector<std::optional<LengthPrior>> priors(
        2, LengthPrior{.log_mean = 0, .log_deviation = 0.1, .least = least});
    EXPECT_THAT(
        choose_lengths(small.model, canvas, shortest,
                       {.max_tokens = 40, .room = 100, .fixed = kNoneIsFixed, .priors = priors}),
        ElementsAre(std::min(40, least), std::min(40, least)));
  }
}

// The canvas' own length is denoised as a fill is that leaves no place empty and whose context is
// computed once.
TEST(LengthTest, AFinishedLengthIsAsProbableAsItsFill) {
  const SmallModel small;
  const Canvas canvas = canvas_of(small.model);
  std::vector<std::uint8_t> allowed = small.model.fill_tokens();
  allowed[static_cast<std::size_t>(*small.model.config().delete_token)] = 0;
  double sum = 0;
  DenoiseRequest request{.canvas = canvas.tokens, .mask_token = small.model.mask_token()};
  for (const CanvasHole& hole : canvas.holes) {
    // Only the first one denoises.
    if (hole.hole_idx == 0) continue;
    for (int i = 0; i < hole.length; ++i) request.canvas[hole.begin + i] = 5;
  }
  Canvas one = canvas;
  one.tokens = request.canvas;
  one.holes.resize(1);
  request.sampling.algorithm = Algorithm::MaskgitPlus;
  request.sampling.tokens_per_step = 1;
  request.sampling.steps = 8;
  request.allowed = allowed;
  request.cache = {.refresh = 100};
  request.on_step = [&](const StepEvent& event) {
    for (const Candidate& commit : event.commits) sum += std::log(commit.probability);
  };
  TransformerPredictor predictor(small.model.transformer(), small.model.context(),
                                 limits_of(request), small.model.precision());
  const auto filled = denoise(predictor, request);
  ASSERT_TRUE(filled.has_value()) << filled.error().message;
  ASSERT_EQ(filled->forward_passes, 8);

  const auto finished = [&](std::vector<int> lengths) {
    return finished_log_probability(small.model, one, 0, lengths, nullptr);
  };
  const double alone = finished({8})[0];
  EXPECT_NEAR(alone, sum, 1e-4);
  EXPECT_EQ(finished({2, 8, 30})[1], alone) << "lengths do not disturb each other";
}

// With every length among them the first guess has no say any more.
TEST(LengthTest, OfTheFinalistsTheSurestTextIsTaken) {
  const SmallModel small;
  const Canvas canvas = canvas_of(small.model);
  const std::array<std::uint8_t, 2> second_is_fixed = {0, 1};
  const auto chosen = [&](const LengthCalibration& calibration, int finalists) {
    return choose_lengths(
        small.model, canvas, calibration,
        {.max_tokens = 2, .room = 0, .fixed = second_is_fixed, .finalists = finalists})[0];
  };
  // Which of the lengths 1 and 2 the first guess takes is up to the calibration.
  const LengthCalibration likes_one{.a = 0,
                                    .b = 1,
                                    .c = 0,
                                    .d = 0,
                                    .e = 1,
                                    .log_mean = 0,
                                    .log_deviation = 0.1,
                                    .prior_weight = 1};
  LengthCalibration likes_two = likes_one;
  likes_two.log_mean = std::log(2);
  EXPECT_EQ(chosen(likes_one, 1), 1);
  EXPECT_EQ(chosen(likes_two, 1), 2);
  // The text is, where the prior has no weight.
  LengthCalibration no_prior = likes_one;
  no_prior.prior_weight = 0;
  const std::vector<double> sums =
      finished_log_probability(small.model, canvas, 0, std::vector<int>{1, 2}, nullptr);
  const bool two = sums[1] / std::sqrt(2) - 0.3 * std::log(2) > sums[0];
  EXPECT_EQ(chosen(no_prior, 2), two ? 2 : 1);
}

TEST(LengthTest, FinalistsKeepToTheBoundsToo) {
  const SmallModel small;
  const Canvas canvas = canvas_of(small.model);
  const LengthCalibration longest{.a = 0, .b = 1, .c = 100, .d = 0.5, .e = 1e-6};
  for (const int finalists : {2, 6, 32}) {
    for (const int length : choose_lengths(
             small.model, canvas, longest,
             {.max_tokens = 40, .room = 5, .fixed = kNoneIsFixed, .finalists = finalists})) {
      EXPECT_GE(length, 1);
      EXPECT_LE(length, 13);
    }
  }
}

TEST(LengthTest, ARequestsPriorsReachItsHoles) {
  const SmallModel small;
  const std::string text = "a = \u27E6?\u27E7\nb = \u27E6?\u27E7\n";
  InfillRequest request;
  request.text = text;
  request.holes = *find_markers(text, 64);
  request.options.length = LengthMode::Probe;
  request.options.length_finalists = 1;
  // So narrow that the model has no say.
  request.length_priors = {LengthPrior{.log_mean = std::log(2), .log_deviation = 0},
                           LengthPrior{.log_mean = std::log(8), .log_deviation = 0}};
  const auto result = infill(small.model, request);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->fills[0].canvas_tokens, 2);
  EXPECT_EQ(result->fills[1].canvas_tokens, 8);
}

}  // namespace
}  // namespace lacuna::engine
