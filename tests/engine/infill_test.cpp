#include "engine/infill.h"

#include <cmath>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "support/text.h"
#include "tests/helpers/small_model.h"

namespace lacuna::engine {
namespace {

InfillRequest request_for(std::string_view text) {
  InfillRequest request;
  request.text = text;
  auto holes = find_markers(text, 64);
  EXPECT_TRUE(holes.has_value());
  request.holes = *holes;
  request.language = "python";
  request.line_comment = "#";
  return request;
}

TEST(InfillTest, FillsEveryHoleWithOrdinaryText) {
  const SmallModel small;
  const std::string text = "def area(width, height):\n    return ⟦?6⟧\n\n\nprint(area(⟦?2⟧, 3))\n";
  const InfillRequest request = request_for(text);
  const auto result = infill(small.model, request);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  ASSERT_EQ(result->fills.size(), 2U);
  EXPECT_EQ(result->canvases, 1) << "near holes are denoised jointly";
  EXPECT_EQ(result->commits.size(), 8U);
  for (const HoleFill& fill : result->fills) {
    EXPECT_EQ(fill.masks_left, 0);
    EXPECT_GT(fill.mean_probability, 0);
    EXPECT_LE(fill.mean_probability, 1);
    EXPECT_TRUE(is_valid_utf8(fill.text));
    for (const char* control : {"<mask>", "<pad>", "<eof>", "<bof>", "<expand>", "<lang_"}) {
      EXPECT_EQ(fill.text.find(control), std::string::npos) << fill.text;
    }
  }
}

// What a threshold for fills looks at is the same thing at every temperature.
TEST(InfillTest, TheMeanProbabilityIsThatOfTheModelWithoutTemperatureAndFilters) {
  const SmallModel small;
  const std::string text = "def area(width, height):\n    return ⟦?8⟧\n";
  for (const float temperature : {0.0F, 0.4F, 1.5F}) {
    InfillRequest request = request_for(text);
    request.options.sampling.temperature = temperature;
    if (temperature > 1) request.options.sampling.top_p = 0.9F;
    double plain = 0;
    double drawn = 0;
    int commits = 0;
    request.on_denoise = [&](std::span<const CanvasHole>, const StepEvent& event) {
      for (const Candidate& commit : event.commits) {
        plain += commit.plain_probability;
        drawn += commit.probability;
        ++commits;
      }
    };
    const auto result = infill(small.model, request);
    ASSERT_TRUE(result.has_value());
    EXPECT_NEAR(result->fills[0].mean_probability, plain / commits, 1e-6) << temperature;
    if (temperature == 0) {
      EXPECT_EQ(plain, drawn);
    } else {
      EXPECT_GT(std::abs(plain - drawn) / commits, 1e-3) << temperature;
    }
  }
}

TEST(InfillTest, TheSameSeedGivesTheSameFillOnAnyNumberOfThreads) {
  const std::string text = "for i in range(⟦?3⟧):\n    ⟦?8⟧\n    total += i\n";
  std::vector<std::string> outcomes;
  for (const int threads : {1, 2, 3}) {
    const SmallModel small(threads);
    InfillRequest request = request_for(text);
    request.options.sampling.temperature = 0.8F;
    request.options.sampling.top_p = 0.95F;
    request.options.sampling.seed = 11;
    const auto result = infill(small.model, request);
    ASSERT_TRUE(result.has_value());
    outcomes.push_back(splice(text, request.holes, result->fills));
  }
  EXPECT_EQ(outcomes[0], outcomes[1]);
  EXPECT_EQ(outcomes[0], outcomes[2]);
}

TEST(InfillTest, ADifferentSeedMayGiveADifferentFill) {
  const SmallModel small;
  const std::string text = "x = ⟦?12⟧\n";
  std::set<std::string> outcomes;
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    InfillRequest request = request_for(text);
    request.options.sampling.temperature = 1.5F;
    request.options.sampling.seed = seed;
    outcomes.insert(infill(small.model, request)->fills[0].text);
  }
  EXPECT_GT(outcomes.size(), 1U);
}

// Random bytes around the holes: whatever the tokenizer makes of them, they come back.
TEST(InfillTest, NoByteOutsideAHoleEverChanges) {
  const SmallModel small;
  std::mt19937 generator(20261121);
  const std::vector<std::string> pieces = {"\r\n", "\n",     "\t", "e\u0301", "\xFF", "\u212B",
                                           "x",    "\uFEFF", "  ", "\u2581",  "(",    "<mask>"};
  for (int round = 0; round < 20; ++round) {
    const auto noise = [&] {
      std::string text;
      for (int i = 0; i < 30; ++i) text += pieces[generator() % pieces.size()];
      return text;
    };
    const std::string before = noise() + "a";
    const std::string between = "b" + noise() + "c";
    const std::string after = "d" + noise();
    const std::string text = before + "⟦?2⟧" + between + "⟦?1⟧" + after;
    const InfillRequest request = request_for(text);
    const auto result = infill(small.model, request);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(splice(text, request.holes, result->fills),
              before + result->fills[0].text + between + result->fills[1].text + after)
        << "round " << round;
  }
}

TEST(InfillTest, AFillHasTheLineEndsOfItsFile) {
  const SmallModel small;
  std::string text = "def f(x):\n    y = x\n    ⟦?24⟧\n    return y\n\n\ndef g(x):\n    return x\n";
  const auto unix_fill = infill(small.model, request_for(text));
  ASSERT_TRUE(unix_fill.has_value());
  EXPECT_EQ(unix_fill->fills[0].text.find('\r'), std::string::npos);
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) {
    text.replace(at, 1, "\r\n");
  }
  const auto windows_fill = infill(small.model, request_for(text));
  ASSERT_TRUE(windows_fill.has_value());
  std::string expected;
  for (const char c : unix_fill->fills[0].text) expected += c == '\n' ? "\r\n" : std::string(1, c);
  EXPECT_EQ(windows_fill->fills[0].text, expected);
}

TEST(InfillTest, ReportsEveryStep) {
  const SmallModel small;
  InfillRequest request = request_for("a = ⟦?5⟧\nb = ⟦?3⟧\n");
  int steps = 0;
  int last_left = 8;
  request.on_step = [&](const InfillProgress& progress) {
    EXPECT_EQ(progress.step, steps++);
    EXPECT_EQ(progress.masks_total, 8);
    EXPECT_LE(progress.masks_left, last_left);
    last_left = progress.masks_left;
    ASSERT_EQ(progress.tokens.size(), 2U);
    EXPECT_EQ(progress.tokens[0].size(), 5U);
    int masked = 0;
    for (const auto& hole : progress.tokens) {
      for (const HoleToken& token : hole) masked += token.masked ? 1 : 0;
    }
    EXPECT_EQ(masked, progress.masks_left);
  };
  const auto result = infill(small.model, request);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->steps, steps);
  EXPECT_EQ(last_left, 0);
}

TEST(InfillTest, CanBeCancelledBetweenSteps) {
  const SmallModel small;
  InfillRequest request = request_for("a = ⟦?16⟧\n");
  std::stop_source stop;
  request.stop = stop.get_token();
  int steps = 0;
  request.on_step = [&](const InfillProgress&) {
    if (++steps == 3) stop.request_stop();
  };
  const auto result = infill(small.model, request);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::Cancelled);
  EXPECT_EQ(steps, 3);
}

class RefuseEverything : public Constraint {
 public:
  void vet(std::span<const std::int32_t>, std::span<const Candidate> proposals,
           std::span<std::uint8_t>) override {
    asked += static_cast<int>(proposals.size());
  }
  int asked = 0;
};

TEST(InfillTest, AConstraintThatRefusesEverythingLeavesTheHoleUnfinished) {
  const SmallModel small;
  InfillRequest request = request_for("a = ⟦?4⟧\n");
  RefuseEverything constraint;
  request.constraint = &constraint;
  const auto result = infill(small.model, request);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->fills[0].masks_left, 4);
  EXPECT_EQ(result->fills[0].text, "");
  EXPECT_GT(constraint.asked, 4);
}

TEST(InfillTest, FarHolesAreFilledOneCanvasAfterTheOther) {
  const SmallModel small;
  std::string text = "first = ⟦?2⟧\n";
  for (int i = 0; i < 600; ++i) text += "line_" + std::to_string(i) + " = call()\n";
  text += "second = ⟦?2⟧\n";
  const auto result = infill(small.model, request_for(text));
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->canvases, 2);
  EXPECT_EQ(result->fills.size(), 2U);
}

TEST(InfillLengthTest, ElasticHolesGrowWithinTheirBoundAndReportEveryStep) {
  const SmallModel small;
  const std::string text = "values = [⟦?⟧]\nfor i in range(⟦?2⟧):\n    print(values[i])\n";
  for (const int longest : {4, 12, 40}) {
    InfillRequest request = request_for(text);
    request.options.length = LengthMode::Elastic;
    request.options.default_hole_tokens = 4;
    request.options.max_hole_tokens = longest;
    request.on_step = [&](const InfillProgress& progress) {
      ASSERT_EQ(progress.tokens.size(), 2U);
      EXPECT_LE(progress.tokens[1].size(), 2U) << "a hole of a given length does not grow";
      int masked = 0;
      for (const auto& hole : progress.tokens) {
        for (const HoleToken& token : hole) masked += token.masked ? 1 : 0;
      }
      EXPECT_EQ(progress.masks_left, masked);
      EXPECT_GE(progress.masks_total, masked);
    };
    const auto result = infill(small.model, request);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_LE(result->fills[0].canvas_tokens, longest);
    EXPECT_LE(result->fills[1].canvas_tokens, 2);
    for (const HoleFill& fill : result->fills) {
      EXPECT_EQ(fill.masks_left, 0);
      EXPECT_EQ(fill.text.find("<expand>"), std::string::npos);
    }
    const std::string filled = splice(text, request.holes, result->fills);
    EXPECT_TRUE(filled.starts_with("values = [" + result->fills[0].text + "]\nfor i in range("));
  }
}

TEST(InfillLengthTest, ProbedHolesHaveALengthWithinTheirBound) {
  const SmallModel small;
  InfillRequest request = request_for("total = ⟦?⟧\nprint(⟦?3⟧)\n");
  request.options.length = LengthMode::Probe;
  request.options.max_hole_tokens = 24;
  const auto result = infill(small.model, request);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_GE(result->fills[0].canvas_tokens, 1);
  EXPECT_LE(result->fills[0].canvas_tokens, 24);
  EXPECT_EQ(result->fills[1].canvas_tokens, 3) << "a given length stays";
}

TEST(InfillLengthTest, ASingleLineFillHasNoLineEnd) {
  const SmallModel small;
  for (const LengthMode mode : {LengthMode::Fixed, LengthMode::Elastic}) {
    InfillRequest request = request_for("def f(x):\n    ⟦?40⟧\n    return x\n");
    request.options.length = mode;
    request.options.single_line = true;
    const auto single = infill(small.model, request);
    ASSERT_TRUE(single.has_value()) << single.error().message;
    EXPECT_EQ(single->fills[0].text.find('\n'), std::string::npos);
    EXPECT_EQ(single->fills[0].masks_left, 0);
  }
}

}  // namespace
}  // namespace lacuna::engine
