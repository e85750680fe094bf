// What a request takes from the one before it on the same document.
#include "engine/resident_cache.h"

#include <algorithm>
#include <memory>
#include <optional>

#include <gtest/gtest.h>

#include "tests/helpers/reference_model.h"
#include "tests/helpers/temporary_folder.h"
#include "tests/helpers/tiny_model.h"

namespace lacuna::engine {
namespace {

constexpr std::int32_t kMask = 95;

// Text of `size` different tokens, as far as that goes.
Ids text_of(int size, int first = 0) {
  Ids text;
  for (int i = 0; i < size; ++i) text.push_back((first + i * 37) % 95);
  return text;
}

Ids joined(const std::vector<Ids>& pieces) {
  Ids ids;
  for (const Ids& piece : pieces) ids.insert(ids.end(), piece.begin(), piece.end());
  return ids;
}

Ids masks(int count) { return Ids(static_cast<std::size_t>(count), kMask); }

Ids range(int begin, int end) {
  Ids ids;
  for (int i = begin; i < end; ++i) ids.push_back(i);
  return ids;
}

TEST(ReusePlanTest, WhatHasNotChangedIsTakenAsItIs) {
  const Ids canvas = joined({text_of(40), masks(4), text_of(40, 5)});
  const ReusePlan plan = plan_reuse(canvas, canvas, kMask, 6);
  EXPECT_FALSE(plan.edited);
  EXPECT_EQ(plan.rows, range(40, 44)) << "the masks";
  EXPECT_EQ(plan.runs, (std::vector<KvRun>{{0, 40, 0}, {44, 84, 0}}));
}

TEST(ReusePlanTest, WhatIsNearAnEditIsComputedAndTheRestMoves) {
  const Ids before = joined({text_of(40), masks(4), text_of(40, 5)});
  const Ids after = joined({text_of(40), {94}, masks(4), text_of(40, 5)});
  const ReusePlan plan = plan_reuse(before, after, kMask, 6);
  EXPECT_TRUE(plan.edited);
  EXPECT_EQ(plan.rows, range(34, 51));
  EXPECT_EQ(plan.runs, (std::vector<KvRun>{{0, 40, 0}, {44, 84, 1}}));
}

TEST(ReusePlanTest, AHoleOfAnotherLengthIsNoEdit) {
  const Ids before = joined({text_of(40), masks(16), text_of(40, 5)});
  const Ids after = joined({text_of(40), masks(3), text_of(40, 5)});
  const ReusePlan plan = plan_reuse(before, after, kMask, 2);
  EXPECT_FALSE(plan.edited);
  EXPECT_EQ(plan.rows, range(38, 45));
  EXPECT_EQ(plan.runs, (std::vector<KvRun>{{0, 40, 0}, {56, 96, -13}}));
}

// The window goes with the cursor: what it loses in front moves everything.
TEST(ReusePlanTest, AWindowThatMovesKeepsWhatItStillShows) {
  const Ids text = text_of(60);
  const Ids before = joined({text, masks(2), text_of(30, 7)});
  const Ids after = joined({{text.begin() + 3, text.end()}, {94, 93}, masks(2), text_of(29, 7)});
  const ReusePlan plan = plan_reuse(before, after, kMask, 4);
  EXPECT_TRUE(plan.edited);
  EXPECT_EQ(plan.rows, joined({range(0, 4), range(53, 65), range(86, 90)}));
  EXPECT_EQ(plan.runs, (std::vector<KvRun>{{3, 60, -3}, {62, 91, -1}}));
}

TEST(ReusePlanTest, AnotherTextIsComputed) {
  const Ids before = joined({text_of(40), masks(4), text_of(40, 5)});
  Ids after = before;
  for (std::size_t i = 10; i < 60; ++i) after[i] = 94;
  const ReusePlan plan = plan_reuse(before, after, kMask, 6);
  EXPECT_TRUE(plan.runs.empty());
  EXPECT_EQ(plan.rows, range(0, 84));
}

// A long canvas of which a short one shows the end: so far no pass turns a key.
TEST(ReusePlanTest, WhatWouldMoveTooFarIsComputed) {
  const Ids end = text_of(60);
  const ReusePlan plan = plan_reuse(joined({masks(90), end}), end, kMask, 2);
  EXPECT_TRUE(plan.runs.empty());
  EXPECT_EQ(plan.rows, range(0, 60));
}

struct Tiny {
  explicit Tiny(int layers, std::uint64_t seed = 1) : context(kernels::best_isa(), 2) {
    const test::TemporaryFolder folder;
    write_model(folder.path(),
                test::make_tiny_model({.vocab_size = 96, .layers = layers, .seed = seed}));
    checkpoint.emplace(std::move(*Checkpoint::open(folder.path())));
    transformer.emplace(Transformer::load(checkpoint->config(), checkpoint->tensors(), context,
                                          kernels::WeightFormat::F32));
  }

  ForwardPass pass(int canvas = 200) {
    return {*transformer, context, {.canvas = canvas}, kernels::Precision::F32};
  }
  std::vector<float> logits(ForwardPass& pass, const Ids& canvas, const Ids& rows,
                            const Ids& wanted) {
    pass.run(canvas, rows, wanted);
    std::vector<float> logits(wanted.size() * 96);
    pass.logits(0, static_cast<int>(wanted.size()), logits.data());
    return logits;
  }
  std::vector<float> full(const Ids& canvas, const Ids& wanted) {
    ForwardPass fresh = pass();
    return logits(fresh, canvas, range(0, static_cast<int>(canvas.size())), wanted);
  }
  // As the first request on a document does.
  void keep(ResidentCache& cache, std::string_view name, const Ids& canvas) {
    ForwardPass fresh = pass();
    const ResidentCache::Warmth warmth = cache.load(fresh, 0, name, canvas, kMask, 8);
    fresh.run(canvas, warmth.rows, {});
    cache.save(fresh, 0, name, canvas, warmth.edits);
  }
  std::size_t rows(ResidentCache& cache, std::string_view name, const Ids& canvas, int edits = 8) {
    ForwardPass fresh = pass();
    return cache.load(fresh, 0, name, canvas, kMask, edits).rows.size();
  }

  kernels::CpuContext context;
  std::optional<Checkpoint> checkpoint;
  std::optional<Transformer> transformer;
};

const Ids kCanvas = joined({text_of(70), masks(4), text_of(70, 5)});
const Ids kHole = range(69, 74);

TEST(ResidentCacheTest, WhereNothingHasChangedTheBitsAreThoseOfAFullPass) {
  Tiny tiny(3);
  ResidentCache cache;
  tiny.keep(cache, "a", kCanvas);
  ForwardPass next = tiny.pass();
  const ResidentCache::Warmth warmth = cache.load(next, 0, "a", kCanvas, kMask, 8);
  EXPECT_EQ(warmth.rows, range(70, 74));
  EXPECT_EQ(warmth.edits, 0);
  EXPECT_EQ(tiny.logits(next, kCanvas, kHole, kHole), tiny.full(kCanvas, kHole));
}

// In the first layer keys and values depend on nothing but their own token and position: what has
// moved is what it would be, but for rounding.
TEST(ResidentCacheTest, WithOneLayerMovedKeysAreThoseOfAFullPass) {
  Tiny tiny(1);
  const Ids end = text_of(70, 5);
  const Ids rest(kCanvas.begin() + 40, kCanvas.begin() + 70);
  for (const Ids& canvas : {
           joined({text_of(70), {90, 91, 92}, masks(4), end}),      // typed
           joined({text_of(60), masks(4), end}),                    // deleted
           joined({{90, 91}, text_of(70), masks(4), end}),          // above
           joined({text_of(70), masks(30), end}),                   // a longer hole
           joined({text_of(40), {90}, rest, masks(4), end, {80}}),  // at two places
       }) {
    ResidentCache cache;
    tiny.keep(cache, "a", kCanvas);
    ForwardPass next = tiny.pass();
    Ids rows = cache.load(next, 0, "a", canvas, kMask, 8).rows;
    ASSERT_LT(rows.size(), canvas.size());
    Ids wanted;
    for (const std::int32_t row : rows) {
      if (canvas[static_cast<std::size_t>(row)] == kMask) wanted.push_back(row);
    }
    const std::vector<float> got = tiny.logits(next, canvas, rows, wanted);
    const std::vector<float> want = tiny.full(canvas, wanted);
    for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], 2e-4F) << i;
  }
}

TEST(ResidentCacheTest, KeysThatHaveMovedOftenAreStillRight) {
  Tiny tiny(1);
  ResidentCache cache;
  Ids text = text_of(70);
  const Ids end = text_of(70, 5);
  tiny.keep(cache, "a", joined({text, masks(4), end}));
  for (int i = 0; i < 40; ++i) {
    text.push_back(i % 7);
    const Ids canvas = joined({text, masks(4), end});
    ForwardPass next = tiny.pass();
    const ResidentCache::Warmth warmth = cache.load(next, 0, "a", canvas, kMask, 64);
    ASSERT_EQ(warmth.edits, i + 1);
    const int hole = static_cast<int>(text.size());
    const Ids wanted = range(hole, hole + 4);
    const std::vector<float> got = tiny.logits(next, canvas, warmth.rows, wanted);
    const std::vector<float> want = tiny.full(canvas, wanted);
    for (std::size_t k = 0; k < want.size(); ++k) ASSERT_NEAR(got[k], want[k], 2e-4F) << i;
    cache.save(next, 0, "a", canvas, warmth.edits);
  }
}

TEST(ResidentCacheTest, AfterSoManyEditsEverythingIsComputed) {
  Tiny tiny(2);
  ResidentCache cache;
  Ids text = text_of(70);
  tiny.keep(cache, "a", joined({text, masks(4)}));
  for (int edit = 1; edit <= 8; ++edit) {
    text.push_back(edit);
    const Ids canvas = joined({text, masks(4)});
    const bool is_warm = tiny.rows(cache, "a", canvas, 3) < canvas.size();
    EXPECT_EQ(is_warm, edit % 4 != 0) << edit;
    ForwardPass next = tiny.pass();
    const ResidentCache::Warmth warmth = cache.load(next, 0, "a", canvas, kMask, 3);
    next.run(canvas, warmth.rows, {});
    cache.save(next, 0, "a", canvas, warmth.edits);
  }
  EXPECT_EQ(tiny.rows(cache, "a", joined({text, masks(4)}), 0), text.size() + 4)
      << "0: nothing is taken";
}

TEST(ResidentCacheTest, DocumentsDoNotMix) {
  Tiny tiny(2);
  ResidentCache cache;
  tiny.keep(cache, "a", kCanvas);
  EXPECT_EQ(tiny.rows(cache, "b", kCanvas), kCanvas.size());
  const Ids other = joined({text_of(70, 50), masks(4), text_of(70, 55)});
  tiny.keep(cache, "b", other);
  EXPECT_EQ(cache.documents(), 2U);
  for (const auto& [name, canvas] : {std::pair("a", kCanvas), std::pair("b", other)}) {
    ForwardPass next = tiny.pass();
    EXPECT_EQ(cache.load(next, 0, name, canvas, kMask, 8).rows, range(70, 74)) << name;
    EXPECT_EQ(tiny.logits(next, canvas, kHole, kHole), tiny.full(canvas, kHole)) << name;
  }
}

TEST(ResidentCacheTest, TheDocumentThatWasUsedLongestAgoGoes) {
  Tiny tiny(2);
  ResidentCache cache({.documents = 2, .bytes = 64 << 20});
  tiny.keep(cache, "a", kCanvas);
  tiny.keep(cache, "b", kCanvas);
  EXPECT_LT(tiny.rows(cache, "a", kCanvas), kCanvas.size());
  tiny.keep(cache, "c", kCanvas);
  EXPECT_EQ(cache.documents(), 2U);
  EXPECT_LT(tiny.rows(cache, "a", kCanvas), kCanvas.size());
  EXPECT_EQ(tiny.rows(cache, "b", kCanvas), kCanvas.size());
}

TEST(ResidentCacheTest, ItTakesNoMoreBytesThanItMay) {
  Tiny tiny(2);
  ResidentCache first;
  tiny.keep(first, "a", kCanvas);
  const std::size_t one = first.bytes();
  ASSERT_GT(one, 0U);
  ResidentCache cache({.documents = 100, .bytes = 2 * one});
  for (const char* name : {"a", "b", "c", "d"}) {
    tiny.keep(cache, name, kCanvas);
    EXPECT_LE(cache.bytes(), 2 * one);
  }
  EXPECT_EQ(cache.documents(), 2U);
  ResidentCache small({.documents = 100, .bytes = one - 1});
  tiny.keep(small, "a", kCanvas);
  EXPECT_EQ(small.documents(), 0U) << "larger than all may be";
  cache.clear();
  EXPECT_EQ(cache.bytes(), 0U);
  EXPECT_EQ(tiny.rows(cache, "d", kCanvas), kCanvas.size());
}

TEST(ResidentCacheTest, ADocumentMayGrowOutOfItsMemory) {
  Tiny tiny(2);
  ResidentCache cache;
  tiny.keep(cache, "a", kCanvas);
  const Ids longer = joined({text_of(70), text_of(40, 31), masks(4), text_of(70, 5)});
  tiny.keep(cache, "a", longer);
  EXPECT_EQ(cache.documents(), 1U);
  ForwardPass next = tiny.pass();
  EXPECT_EQ(cache.load(next, 0, "a", longer, kMask, 8).rows, range(110, 114));
}

}  // namespace
}  // namespace lacuna::engine
