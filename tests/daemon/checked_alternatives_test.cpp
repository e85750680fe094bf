// Several checked fills of the same holes, against checked fills that are made one by one.
#include "daemon/checked_alternatives.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "daemon/fill_check.h"
#include "support/language.h"
#include "tests/helpers/small_model.h"

namespace lacuna::daemon {
namespace {

const engine::SmallModel& small() {
  static const engine::SmallModel model(2);
  return model;
}

const grammar::Grammar& python() { return *grammar::grammar_of(language_named("python")); }

// Its steps are not constrained, so that many of its fills need repairs.
constexpr std::string_view kText =
    "def f(x):\n    y = [\u27E6?12\u27E7]\n    return \u27E6?5\u27E7\n";
SyntaxOptions repairing() { return {.grammar = &python(), .constrain = false}; }

engine::InfillRequest request_for(std::uint64_t seed) {
  engine::InfillRequest request;
  request.text = kText;
  request.holes = *engine::find_markers(kText, 64);
  request.language = "python";
  request.line_comment = "#";
  request.options.sampling.seed = seed;
  request.options.sampling.temperature = 1.2F;
  return request;
}

std::vector<std::string> texts_of(const CheckedInfill& checked) {
  std::vector<std::string> texts;
  for (const engine::HoleFill& fill : checked.result.fills) texts.push_back(fill.text);
  return texts;
}

int repairs_of(const CheckedInfill& checked) {
  int repairs = 0;
  for (const HoleSyntax& hole : checked.holes) repairs += hole.repairs;
  return repairs;
}

TEST(CheckedAlternativesTest, EachIsTheCheckedFillOfItsSamplingWithItsRepairs) {
  int repaired = 0;  // that can be shown
  int withheld = 0;
  for (const std::uint64_t seed : {0, 100, 200}) {
    const engine::InfillRequest request = request_for(seed);
    const auto alternatives = checked_alternatives(small().model, request, repairing(), 4);
    ASSERT_TRUE(alternatives) << alternatives.error().message;
    for (const CheckedAlternative& it : *alternatives) {
      engine::InfillRequest own = request;
      own.options.sampling = it.sampling;
      const auto alone = checked_infill(small().model, own, repairing());
      ASSERT_TRUE(alone);
      EXPECT_EQ(texts_of(it.checked), texts_of(*alone)) << it.sampling.seed;
      EXPECT_EQ(repairs_of(it.checked), repairs_of(*alone)) << it.sampling.seed;
      EXPECT_LE(repairs_of(it.checked), 2 * 2) << "two rounds for each of two holes";
      EXPECT_EQ(it.checked.result.forward_passes, alone->result.forward_passes);
      for (std::size_t i = 0; i < alone->holes.size(); ++i) {
        EXPECT_EQ(it.checked.holes[i].state, alone->holes[i].state) << it.sampling.seed;
        EXPECT_EQ(it.checked.result.fills[i].mean_probability,
                  alone->result.fills[i].mean_probability);
      }
      if (it.problem.empty()) {
        repaired += repairs_of(it.checked) > 0 ? 1 : 0;
      } else {
        ++withheld;
      }
    }
  }
  EXPECT_GT(repaired, 0);
  RecordProperty("withheld", withheld);
}

TEST(CheckedAlternativesTest, ThoseThatCanBeShownParseAndDifferAlsoAfterRepairs) {
  int made = 0;
  int listed = 0;
  const std::vector<grammar::Span> spans = spans_of(request_for(0).holes);
  for (const std::uint64_t seed : {0, 100, 200}) {
    const engine::InfillRequest request = request_for(seed);
    const auto plain = engine::infill_alternatives(small().model, request, {.number = 4});
    const auto alternatives = checked_alternatives(small().model, request, repairing(), 4);
    ASSERT_TRUE(plain && alternatives);
    made += static_cast<int>(plain->size());
    listed += static_cast<int>(alternatives->size());
    std::set<std::vector<std::string>> texts;
    for (const CheckedAlternative& it : *alternatives) {
      if (!it.problem.empty()) continue;
      EXPECT_TRUE(texts.insert(texts_of(it.checked)).second) << it.sampling.seed;
      grammar::Gate gate(python(), kText, spans);
      EXPECT_TRUE(gate.passes(texts_of(it.checked))) << it.sampling.seed;
    }
  }
  EXPECT_GT(listed, 0);
  EXPECT_LE(listed, made);
}

// A repair writes with temperature 0, so that different fills become the same.
TEST(CheckedAlternativesTest, RepairedFillsThatBecameTheSameAreOne) {
  int became_same = 0;
  for (std::uint64_t seed = 0; seed < 10 && became_same == 0; ++seed) {
    engine::InfillRequest request = request_for(1000 * seed);
    request.text = "x = (\u27E6?3\u27E7)\n";
    request.holes = *engine::find_markers(request.text, 64);
    request.options.sampling.temperature = 3;
    const auto plain = engine::infill_alternatives(small().model, request, {.number = 8});
    const auto alternatives = checked_alternatives(small().model, request, repairing(), 8);
    ASSERT_TRUE(plain && alternatives);
    std::set<std::vector<std::string>> texts;
    for (const engine::Alternative& it : *plain) {
      engine::InfillRequest own = request;
      own.options.sampling = it.sampling;
      const auto alone = checked_infill(small().model, own, repairing());
      ASSERT_TRUE(alone);
      if (alone->holes[0].state == SyntaxState::Withheld) continue;
      const bool is_new = texts.insert(texts_of(*alone)).second;
      became_same += !is_new && alone->holes[0].repairs > 0 ? 1 : 0;
    }
    const auto shown =
        std::count_if(alternatives->begin(), alternatives->end(),
                      [](const CheckedAlternative& it) { return it.problem.empty(); });
    EXPECT_EQ(static_cast<std::size_t>(shown), texts.size()) << seed;
  }
  EXPECT_GT(became_same, 0);
}

TEST(CheckedAlternativesTest, AStopEndsTheRepairsToo) {
  engine::InfillRequest request = request_for(0);
  std::stop_source stop;
  request.stop = stop.get_token();
  request.on_step = [&](const engine::InfillProgress& progress) {
    if (progress.masks_left == 0) stop.request_stop();
  };
  const auto stopped = checked_alternatives(small().model, request, repairing(), 3);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::Cancelled);
}

}  // namespace
}  // namespace lacuna::daemon
