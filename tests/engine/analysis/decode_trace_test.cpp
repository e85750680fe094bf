#include "engine/analysis/decode_trace.h"

#include <gtest/gtest.h>

#include "engine/analysis/ar_ness.h"
#include "engine/infill.h"
#include "tests/helpers/small_model.h"

namespace lacuna::engine {
namespace {

Candidate candidate(int position, float probability) {
  return {.position = position, .token = 1, .probability = probability, .confidence = probability};
}

void record(TraceRecorder& recorder, std::span<const CanvasHole> holes, int step,
            const std::vector<Candidate>& candidates, const std::vector<Candidate>& commits) {
  recorder.step(holes, {.step = step,
                        .steps = 9,
                        .canvas = {},
                        .commits = commits,
                        .candidates = candidates,
                        .masks_left = 0,
                        .rows_computed = 0,
                        .seconds = 0});
}

TEST(TraceRecorder, ATokenTakenBackIsDecidedWhenItIsWrittenAgain) {
  TraceRecorder recorder(false);
  const std::vector<CanvasHole> holes = {{.hole_idx = 0, .begin = 4, .length = 2}};
  const std::vector<Candidate> all = {candidate(4, 0.9F), candidate(5, 0.1F)};
  record(recorder, holes, 0, all, {all[0]});
  const std::vector<std::int32_t> revoked = {4};
  recorder.step(holes, {.step = 1,
                        .steps = 9,
                        .canvas = {},
                        .commits = std::span(all).subspan(1),
                        .revoked = revoked,
                        .candidates = all,
                        .masks_left = 1,
                        .rows_computed = 0,
                        .seconds = 0});
  record(recorder, holes, 2, {all[0]}, {all[0]});
  EXPECT_EQ(order_of(recorder.finish().front()), (std::vector<int>{5, 4}));
}

TEST(TraceRecorder, OrdersTheCommitsOfAStepBySureness) {
  TraceRecorder recorder(false);
  const std::vector<CanvasHole> holes = {{.hole_idx = 0, .begin = 4, .length = 3}};
  const std::vector<Candidate> all = {candidate(4, 0.9F), candidate(5, 0.1F), candidate(6, 0.5F)};
  record(recorder, holes, 0, all, {all[0]});
  record(recorder, holes, 1, {all[1], all[2]}, {all[1], all[2]});
  const std::vector<DecodeTrace> traces = recorder.finish();
  ASSERT_EQ(traces.size(), 1U);
  EXPECT_EQ(order_of(traces[0]), (std::vector<int>{4, 6, 5}));
  EXPECT_EQ(traces[0].commits[2].step, 1);
  EXPECT_EQ(traces[0].first_step.size(), 3U);
  EXPECT_TRUE(traces[0].steps.empty());
}

TEST(TraceRecorder, BeginsATraceForEachCanvas) {
  TraceRecorder recorder(true);
  const std::vector<CanvasHole> first = {{.hole_idx = 0, .begin = 1, .length = 1}};
  const std::vector<CanvasHole> second = {{.hole_idx = 1, .begin = 8, .length = 1}};
  record(recorder, first, 0, {candidate(1, 1)}, {candidate(1, 1)});
  record(recorder, second, 0, {candidate(8, 1)}, {});
  record(recorder, second, 1, {candidate(8, 1)}, {candidate(8, 1)});
  const std::vector<DecodeTrace> traces = recorder.finish();
  ASSERT_EQ(traces.size(), 2U);
  EXPECT_EQ(traces[1].holes[0].hole_idx, 1);
  EXPECT_EQ(traces[1].steps.size(), 2U);
}

TEST(FirstStepMeans, AreByDistanceFromTheBeginOfEachHole) {
  DecodeTrace trace;
  trace.holes = {{.hole_idx = 0, .begin = 2, .length = 2},
                 {.hole_idx = 1, .begin = 9, .length = 1}};
  trace.first_step = {candidate(0, 0.3F), candidate(2, 1), candidate(3, 0.25F), candidate(9, 0.5F)};
  const std::vector<FirstStepMean> means = first_step_means({&trace, 1});
  ASSERT_EQ(means.size(), 2U);  // the mask at 0 lies in no hole
  EXPECT_EQ(means[0].distance, 0);
  EXPECT_EQ(means[0].count, 2);
  EXPECT_DOUBLE_EQ(means[0].probability, 0.75);
  EXPECT_EQ(means[1].distance, 1);
  EXPECT_DOUBLE_EQ(means[1].probability, 0.25);
}

TEST(TraceRecorder, SeesEveryTokenOfAFill) {
  SmallModel small;
  TraceRecorder recorder(true);
  InfillRequest request;
  request.text = "def add(a, b):\n    return \n\nprint()\n";
  request.holes = {{.begin = 26, .end = 26, .tokens = 5, .hint = {}},
                   {.begin = 34, .end = 34, .tokens = 3, .hint = {}}};
  request.on_denoise = [&](std::span<const CanvasHole> holes, const StepEvent& event) {
    recorder.step(holes, event);
  };
  const Result<InfillResult> result = infill(small.model, request);
  ASSERT_TRUE(result.has_value());
  const std::vector<DecodeTrace> traces = recorder.finish();
  ASSERT_EQ(traces.size(), 1U);
  const DecodeTrace& trace = traces[0];
  EXPECT_EQ(trace.holes.size(), 2U);
  EXPECT_EQ(trace.first_step.size(), 8U);
  ASSERT_EQ(trace.commits.size(), result->commits.size());
  for (std::size_t i = 0; i < trace.commits.size(); ++i) {
    const CanvasHole& hole = trace.holes[static_cast<std::size_t>(result->commits[i].hole)];
    EXPECT_EQ(trace.commits[i].candidate.position, hole.begin + result->commits[i].offset_in_hole);
  }
  EXPECT_EQ(trace.steps.size(), static_cast<std::size_t>(result->steps));
}

}  // namespace
}  // namespace lacuna::engine
