// Fills that use what the request before has computed: against those that begin anew.
#include <gtest/gtest.h>

#include "engine/alternatives.h"
#include "engine/infill.h"
#include "engine/resident_cache.h"
#include "tests/helpers/small_model.h"

namespace lacuna::engine {
namespace {

// About 200 tokens before the hole and 80 behind it.
std::string text_with(std::string_view typed, std::string_view marker) {
  std::string text;
  for (int i = 0; i < 8; ++i) {
    const std::string n = std::to_string(i);
    text += "def scale_" + n + "(values, factor):\n    return [v * factor + " + n +
            " for v in values]\n\n\n";
  }
  text += "def total(values):\n    result = " + std::string(typed) + std::string(marker) +
          "\n    return result\n\n\n";
  for (int i = 0; i < 3; ++i) {
    text += "print(total(scale_" + std::to_string(i) + "([1, 2, 3], 4)))\n";
  }
  return text;
}

class ResidentInfillTest : public testing::Test {
 protected:
  // A fill, and how many rows its first step has computed.
  struct Filled {
    std::string text;
    int rows = 0;
    int canvas = 0;
  };

  InfillRequest request(const std::string& marked, ResidentCache* resident) {
    InfillRequest request;
    request.text = marked;
    auto holes = find_markers(marked, 64);
    EXPECT_TRUE(holes.has_value());
    request.holes = *holes;
    request.language = "python";
    request.line_comment = "#";
    request.options.default_hole_tokens = 6;
    request.options.reuse_edits = 4;
    request.resident = resident;
    request.document = "a";
    return request;
  }

  Filled fill(InfillRequest request) {
    Filled filled;
    request.on_denoise = [&filled](std::span<const CanvasHole>, const StepEvent& event) {
      if (event.step > 0) return;
      filled.rows = event.rows_computed;
      filled.canvas = static_cast<int>(event.canvas.size());
    };
    const auto result = infill(small.model, request);
    EXPECT_TRUE(result.has_value()) << result.error().message;
    if (result) filled.text = result->fills[0].text;
    return filled;
  }

  const SmallModel small;
  ResidentCache cache;
  const std::string text = text_with("", "⟦?6⟧");
};

TEST_F(ResidentInfillTest, TheFirstFillIsThatWithoutACacheAndSoIsTheSameAgain) {
  const Filled alone = fill(request(text, nullptr));
  ASSERT_EQ(alone.rows, alone.canvas);
  const Filled first = fill(request(text, &cache));
  EXPECT_EQ(first.rows, first.canvas);
  EXPECT_EQ(first.text, alone.text);
  const Filled again = fill(request(text, &cache));
  EXPECT_EQ(again.rows, 7) << "the hole, and the row before it";
  EXPECT_EQ(again.text, alone.text);
}

TEST_F(ResidentInfillTest, AfterAnEditTheFirstStepComputesWhatIsNear) {
  fill(request(text, &cache));
  const std::string typed = text_with("sum(", "⟦?6⟧");
  const Filled warm = fill(request(typed, &cache));
  EXPECT_LE(warm.rows, 2 * kRowsNearEdits + 12);
  EXPECT_GT(warm.canvas, 4 * warm.rows);
}

TEST_F(ResidentInfillTest, AfterSoManyEditsAFillIsThatWithoutACache) {
  InfillRequest once = request(text, &cache);
  fill(once);
  std::string typed;
  for (const int edits : {1, 2, 0, 1}) {  // of what the fill has used
    typed += "sum(";
    const std::string now = text_with(typed, "⟦?6⟧");
    InfillRequest next = request(now, &cache);
    next.options.reuse_edits = 2;
    const Filled filled = fill(next);
    EXPECT_EQ(filled.rows == filled.canvas, edits == 0) << typed;
    if (edits == 0) {
      EXPECT_EQ(filled.text, fill(request(now, nullptr)).text);
    }
  }
}

TEST_F(ResidentInfillTest, WithoutEditsToReuseAFillBeginsAnewAndIsKept) {
  fill(request(text, &cache));
  const std::string typed = text_with("sum(", "⟦?6⟧");
  InfillRequest anew = request(typed, &cache);
  anew.options.reuse_edits = 0;
  const Filled filled = fill(anew);
  EXPECT_EQ(filled.rows, filled.canvas);
  EXPECT_EQ(filled.text, fill(request(typed, nullptr)).text);
  EXPECT_EQ(fill(request(typed, &cache)).rows, 7);
}

TEST_F(ResidentInfillTest, WhatMustBeginWithAFullPassDoes) {
  fill(request(text, &cache));
  const std::vector<std::function<void(InfillOptions&)>> changes = {
      [](InfillOptions& options) { options.exact = true; },
      [](InfillOptions& options) { options.cache.refresh = 1; },
      [](InfillOptions& options) { options.cache.scope = CacheScope::None; },
      [](InfillOptions& options) { options.cache.refresh_drift = 0.9F; },
      [](InfillOptions& options) { options.sampling.cfg_scale = 0.5F; }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    InfillRequest alone = request(text, nullptr);
    changes[i](alone.options);
    InfillRequest with = alone;
    with.resident = &cache;
    const Filled filled = fill(with);
    EXPECT_EQ(filled.rows, filled.canvas) << i;
    EXPECT_EQ(filled.text, fill(alone).text) << i;
  }
}

// The lengths are tried on what the request before has left, and the first step takes what they
// have left.
TEST_F(ResidentInfillTest, LengthsAreTriedOnWhatIsThere) {
  const auto probing = [&](const std::string& marked) {
    InfillRequest it = request(marked, &cache);
    it.options.length = LengthMode::Probe;
    it.options.max_hole_tokens = 16;
    return it;
  };
  const Filled first = fill(probing(text_with("", "⟦?⟧")));
  EXPECT_LT(first.rows, first.canvas / 2) << "what the lengths were tried on";
  const Filled again = fill(probing(text_with("", "⟦?⟧")));
  EXPECT_EQ(again.text, first.text);
  EXPECT_LT(again.rows, again.canvas / 2);
}

TEST_F(ResidentInfillTest, AStopLeavesWhatWasThereBefore) {
  const std::string typed = text_with("sum(", "⟦?6⟧");
  fill(request(text, &cache));
  const Filled expected = fill(request(typed, &cache));
  ResidentCache other;
  fill(request(text, &other));
  std::stop_source source;
  source.request_stop();
  InfillRequest stopped = request(typed, &other);
  stopped.stop = source.get_token();
  EXPECT_EQ(infill(small.model, stopped).error().code, ErrorCode::Cancelled);
  EXPECT_EQ(fill(request(typed, &other)).rows, expected.rows);
  EXPECT_EQ(fill(request(typed, &other)).text, expected.text);
}

// A fill that is stopped after its first pass has left that pass, and nothing of later steps.
TEST_F(ResidentInfillTest, AStopAfterTheFirstStepLeavesThatStepsPass) {
  std::stop_source source;
  InfillRequest stopped = request(text, &cache);
  stopped.stop = source.get_token();
  stopped.on_step = [&source](const InfillProgress&) { source.request_stop(); };
  EXPECT_EQ(infill(small.model, stopped).error().code, ErrorCode::Cancelled);
  const Filled next = fill(request(text, &cache));
  EXPECT_EQ(next.rows, 7);
  EXPECT_EQ(next.text, fill(request(text, nullptr)).text);
}

TEST_F(ResidentInfillTest, AlternativesBeginWithTheSameKeysAndValues) {
  InfillRequest alone = request(text, nullptr);
  alone.options.sampling.seed = 3;
  InfillRequest warm = alone;
  warm.resident = &cache;
  fill(warm);
  const auto from_start = infill_alternatives(small.model, alone, {.number = 3});
  const auto from_cache = infill_alternatives(small.model, warm, {.number = 3});
  ASSERT_TRUE(from_start.has_value());
  ASSERT_TRUE(from_cache.has_value());
  ASSERT_EQ(from_start->size(), from_cache->size());
  for (std::size_t i = 0; i < from_start->size(); ++i) {
    EXPECT_EQ((*from_start)[i].result.fills[0].text, (*from_cache)[i].result.fills[0].text) << i;
  }
}

}  // namespace
}  // namespace lacuna::engine
