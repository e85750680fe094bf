// Several fills of the same holes in the same passes, against fills that are made one by one.
#include "engine/alternatives.h"

#include <map>
#include <memory>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/helpers/small_model.h"

namespace lacuna::engine {
namespace {

constexpr std::string_view kText =
    "def area(width, height):\n    return ⟦?8⟧\n\n\nprint(area(⟦?⟧, 3))\n";

InfillRequest request_for(std::string_view text) {
  InfillRequest request;
  request.text = text;
  auto holes = find_markers(text, 64);
  EXPECT_TRUE(holes.has_value());
  request.holes = *holes;
  request.language = "python";
  request.line_comment = "#";
  request.options.default_hole_tokens = 6;
  request.options.sampling.seed = 40;
  return request;
}

std::vector<Alternative> alternatives_of(const Model& model, const InfillRequest& request,
                                         const AlternativeOptions& options) {
  auto alternatives = infill_alternatives(model, request, options);
  EXPECT_TRUE(alternatives.has_value()) << alternatives.error().message;
  return alternatives ? std::move(*alternatives) : std::vector<Alternative>();
}

using Texts = std::vector<std::string>;

Texts texts_of(const InfillResult& result) {
  Texts texts;
  for (const HoleFill& fill : result.fills) texts.push_back(fill.text);
  return texts;
}

Texts texts_of(const Alternative& alternative) { return texts_of(alternative.result); }

void expect_same(const Alternative& one, const Alternative& other, const std::string& where) {
  EXPECT_EQ(one.sampling.seed, other.sampling.seed) << where;
  EXPECT_EQ(one.sampling.temperature, other.sampling.temperature) << where;
  const InfillResult& a = one.result;
  const InfillResult& b = other.result;
  EXPECT_EQ(texts_of(a), texts_of(b)) << where;
  EXPECT_EQ(a.canvases, b.canvases) << where;
  EXPECT_EQ(a.steps, b.steps) << where;
  EXPECT_EQ(a.forward_passes, b.forward_passes) << where;
  ASSERT_EQ(a.commits.size(), b.commits.size()) << where;
  for (std::size_t i = 0; i < a.commits.size(); ++i) {
    EXPECT_EQ(a.commits[i].text, b.commits[i].text) << where;
    EXPECT_EQ(a.commits[i].offset_in_hole, b.commits[i].offset_in_hole) << where;
    EXPECT_EQ(a.commits[i].probability, b.commits[i].probability) << where;  // bit for bit
  }
}

// What infill() gives for one try after the other, without the texts that come again.
std::vector<Alternative> one_by_one(const Model& model, const InfillRequest& request,
                                    const AlternativeOptions& options) {
  std::vector<Alternative> found;
  std::set<Texts> known;
  for (int i = 0; i < 2 * options.number; ++i) {
    if (static_cast<int>(found.size()) == options.number) break;
    InfillRequest alone = request;
    alone.options.sampling = sampling_of_try(request.options.sampling, options, i);
    std::unique_ptr<Constraint> constraint;
    if (options.make_constraint) constraint = options.make_constraint();
    if (constraint) alone.constraint = constraint.get();
    auto result = infill(model, alone);
    EXPECT_TRUE(result.has_value()) << result.error().message;
    if (!result || !known.insert(texts_of(*result)).second) continue;
    found.push_back({.sampling = alone.options.sampling, .result = std::move(*result)});
  }
  return found;
}

void expect_one_by_one(const Model& model, const InfillRequest& request,
                       const AlternativeOptions& options, const std::string& where) {
  const auto together = alternatives_of(model, request, options);
  const auto alone = one_by_one(model, request, options);
  EXPECT_GT(together.size(), 1U) << where;
  ASSERT_EQ(together.size(), alone.size()) << where;
  for (std::size_t i = 0; i < alone.size(); ++i) {
    expect_same(together[i], alone[i], where + ", alternative " + std::to_string(i));
  }
}

TEST(AlternativesTest, EachIsWhatItsSeedGivesAloneWithEveryLengthModeAndCache) {
  const SmallModel small;
  for (const LengthMode length : {LengthMode::Fixed, LengthMode::Probe, LengthMode::Elastic}) {
    for (const CacheScope scope : {CacheScope::None, CacheScope::Holes, CacheScope::Prefix}) {
      InfillRequest request = request_for(kText);
      request.options.length = length;
      request.options.max_hole_tokens = 20;
      request.options.cache = {.scope = scope, .refresh = 4};
      expect_one_by_one(small.model, request, {.number = 4},
                        std::string(name_of(length)) + ", " + std::string(name_of(scope)));
    }
  }
}

TEST(AlternativesTest, EachIsWhatItsSeedGivesAloneWithEveryKindOfRule) {
  const SmallModel small;
  std::map<std::string, SamplingOptions> rules;
  rules["threshold"].threshold = 0.3F;
  rules["entropy budget"].entropy_budget = 2;
  rules["revocation"].threshold = 0.3F;
  rules["revocation"].revoke = 0.2F;
  rules["information gain"].tokens_per_step = 1;
  rules["information gain"].info_gain = 4;
  rules["verified steps"].tokens_per_step = 1;
  rules["verified steps"].verify = 2;
  rules["low confidence"].algorithm = Algorithm::LowConfidence;
  rules["p2"].algorithm = Algorithm::P2;
  for (const auto& [name, sampling] : rules) {
    InfillRequest request = request_for(kText);
    request.options.sampling = sampling;
    const auto together = alternatives_of(small.model, request, {.number = 3});
    const auto alone = one_by_one(small.model, request, {.number = 3});
    ASSERT_EQ(together.size(), alone.size()) << name;
    for (std::size_t i = 0; i < alone.size(); ++i) {
      EXPECT_EQ(texts_of(together[i]), texts_of(alone[i])) << name << i;
    }
  }
}

// Far holes have canvases of their own, and those of the second hole see different fills of the
// first. Canvases this long are more than one batch.
TEST(AlternativesTest, EachIsWhatItsSeedGivesAloneOverSeveralCanvasesAndBatches) {
  const SmallModel small;
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    text += "line_" + std::to_string(i) + " = call()\n";
    if (i == 300) text += "first = ⟦?2⟧\n";
    if (i == 700) text += "second = ⟦?2⟧\n";
  }
  const InfillRequest request = request_for(text);
  const auto alternatives = alternatives_of(small.model, request, {.number = 9, .temperature = 2});
  ASSERT_FALSE(alternatives.empty());
  EXPECT_EQ(alternatives[0].result.canvases, 2);
  EXPECT_GT(alternatives[0].result.canvas_tokens * 9 / 2, 4096) << "what one batch may have";
  expect_one_by_one(small.model, request, {.number = 9, .temperature = 2}, "far holes");
}

TEST(AlternativesTest, MoreOfThemLeaveTheFirstOnesAsTheyAre) {
  const SmallModel small;
  const InfillRequest request = request_for(kText);
  const auto few = alternatives_of(small.model, request, {.number = 2});
  const auto many = alternatives_of(small.model, request, {.number = 7});
  ASSERT_EQ(few.size(), 2U);
  ASSERT_EQ(many.size(), 7U);
  for (std::size_t i = 0; i < few.size(); ++i) expect_same(few[i], many[i], std::to_string(i));
}

TEST(AlternativesTest, TheyAreTheSameOnAnyNumberOfThreads) {
  const SmallModel one(1);
  const SmallModel three(3);
  const InfillRequest request = request_for(kText);
  const auto a = alternatives_of(one.model, request, {.number = 4});
  const auto b = alternatives_of(three.model, request, {.number = 4});
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) expect_same(a[i], b[i], std::to_string(i));
}

TEST(AlternativesTest, TheFirstIsThePlainFillAndTheOthersDifferFromItAndFromEachOther) {
  const SmallModel small;
  const InfillRequest request = request_for(kText);
  const auto alternatives = alternatives_of(small.model, request, {.number = 6});
  EXPECT_EQ(texts_of(alternatives[0]), texts_of(*infill(small.model, request)));
  EXPECT_EQ(alternatives[0].sampling.temperature, 0);
  std::set<Texts> texts;
  for (const Alternative& alternative : alternatives) texts.insert(texts_of(alternative));
  EXPECT_EQ(texts.size(), alternatives.size());
  EXPECT_EQ(alternatives.size(), 6U);
  for (std::size_t i = 1; i < alternatives.size(); ++i) {
    EXPECT_EQ(alternatives[i].sampling.temperature, 0.7F);
    EXPECT_GT(alternatives[i].sampling.seed, alternatives[i - 1].sampling.seed);
  }
}

TEST(AlternativesTest, WhereEveryTryGivesTheSameTextThereIsOne) {
  const SmallModel small;
  const InfillRequest request = request_for(kText);
  const auto alternatives = alternatives_of(small.model, request, {.number = 5, .temperature = 0});
  ASSERT_EQ(alternatives.size(), 1U);
  EXPECT_EQ(alternatives[0].sampling.seed, 40U);
}

TEST(AlternativesTest, AHigherTemperatureOfTheRequestHoldsForAll) {
  SamplingOptions sampling;
  sampling.temperature = 1.1F;
  sampling.seed = 7;
  EXPECT_EQ(sampling_of_try(sampling, {.number = 3}, 2).temperature, 1.1F);
  EXPECT_EQ(sampling_of_try(sampling, {.number = 3}, 2).seed, 9U);
  EXPECT_EQ(sampling_of_try(sampling, {.number = 3}, 0).seed, 7U);
}

TEST(AlternativesTest, AStopEndsAllOfThemBeforeTheNextStep) {
  const SmallModel small;
  InfillRequest request = request_for(kText);
  std::stop_source stop;
  request.stop = stop.get_token();
  int steps = 0;
  request.on_step = [&](const InfillProgress&) {
    if (++steps == 3) stop.request_stop();
  };
  const auto stopped = infill_alternatives(small.model, request, {.number = 4});
  ASSERT_FALSE(stopped.has_value());
  EXPECT_EQ(stopped.error().code, ErrorCode::Cancelled);
  EXPECT_EQ(steps, 3) << "only the first one reports its steps";
}

TEST(AlternativesTest, AFillThatCannotBeIsOneErrorForAll) {
  const SmallModel small;
  InfillRequest request = request_for(kText);
  request.holes.clear();
  const auto none = infill_alternatives(small.model, request, {.number = 3});
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, ErrorCode::InvalidInput);
}

// Refuses every proposal that has not been seen twice: its answers depend on all that it was asked.
class Hesitating : public Constraint {
 public:
  explicit Hesitating(int& canvases) : canvases_(canvases) {}
  void begin_canvas(int, std::span<const std::string>) override { ++canvases_; }
  void vet(std::span<const std::int32_t>, std::span<const Candidate> proposals,
           std::span<std::uint8_t> accepted) override {
    for (std::size_t i = 0; i < proposals.size(); ++i) accepted[i] = ++asked_ % 2 == 0 ? 1 : 0;
  }

 private:
  int& canvases_;
  int asked_ = 0;
};

TEST(AlternativesTest, EachHasAConstraintOfItsOwn) {
  const SmallModel small;
  int canvases = 0;
  const AlternativeOptions options = {
      .number = 3, .make_constraint = [&] { return std::make_unique<Hesitating>(canvases); }};
  const InfillRequest request = request_for(kText);
  const auto alternatives = alternatives_of(small.model, request, options);
  EXPECT_GE(canvases, 3);
  EXPECT_NE(texts_of(alternatives[0]), texts_of(*infill(small.model, request)))
      << "the constraint must have had a say";
  expect_one_by_one(small.model, request, options, "with a constraint");
}

}  // namespace
}  // namespace lacuna::engine
