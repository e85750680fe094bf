// Batches, variants and splices against passes over one canvas after the other.
#include "engine/forward_pass.h"

#include <algorithm>
#include <stop_token>

#include <gtest/gtest.h>

#include "tests/helpers/reference_model.h"
#include "tests/helpers/temporary_folder.h"
#include "tests/helpers/tiny_model.h"

namespace lacuna::engine {
namespace {

using kernels::Precision;

Ids canvas_of(int size, int seed) {
  Ids canvas;
  for (int i = 0; i < size; ++i) canvas.push_back((i * 31 + seed * 17 + i * i * seed) % 90);
  return canvas;
}

std::vector<float> logits_of(ForwardPass& pass, int first, std::size_t count, int vocab_size) {
  std::vector<float> logits(count * static_cast<std::size_t>(vocab_size));
  pass.logits(first, static_cast<int>(count), logits.data());
  return logits;
}

// Logits of `wanted` after a pass over all of the canvas.
std::vector<float> alone(ReferenceModel& model, const Ids& canvas, const Ids& wanted) {
  ForwardPass pass(model.transformer, model.context, {.canvas = static_cast<int>(canvas.size())},
                   Precision::F32);
  pass.run(canvas, iota_ids(canvas.size()), wanted);
  return logits_of(pass, 0, wanted.size(), model.vocab_size());
}

TEST(ForwardPassTest, ABatchGivesTheBitsOfEachCanvasAlone) {
  ReferenceModel model("golden/dream_tiny");
  const std::vector<Ids> canvases = {canvas_of(20, 1), canvas_of(7, 2), canvas_of(33, 3)};
  const std::vector<Ids> wanted = {{3, 4, 19}, {0}, {1, 30, 31, 32}};
  ForwardPass pass(model.transformer, model.context, {.canvas = 40, .slots = 3}, Precision::F32);
  std::vector<Ids> rows;
  std::vector<ForwardInput> inputs;
  for (std::size_t i = 0; i < 3; ++i) rows.push_back(iota_ids(canvases[i].size()));
  for (int i = 2; i >= 0; --i) {
    inputs.push_back({.canvas = canvases[i], .rows = rows[i], .wanted = wanted[i], .slot = 2 - i});
  }
  pass.run(inputs);
  int first = 0;
  for (int i = 2; i >= 0; --i) {
    EXPECT_EQ(logits_of(pass, first, wanted[i].size(), model.vocab_size()),
              alone(model, canvases[i], wanted[i]))
        << "canvas " << i;
    first += static_cast<int>(wanted[i].size());
  }
}

TEST(ForwardPassTest, APassIsLeftOnceNoneOfItsInputsIsWanted) {
  ReferenceModel model("golden/dream_tiny");
  const Ids canvas = canvas_of(20, 1);
  const Ids rows = iota_ids(canvas.size());
  const Ids wanted = {3, 19};
  ForwardPass pass(model.transformer, model.context, {.canvas = 20, .slots = 2}, Precision::F32);
  std::stop_source stopped;
  std::stop_source wanted_still;
  stopped.request_stop();
  const std::stop_token stop = stopped.get_token();
  const std::stop_token go_on = wanted_still.get_token();
  const auto input = [&](int slot, const std::stop_token& token) {
    return ForwardInput{
        .canvas = canvas, .rows = rows, .wanted = wanted, .slot = slot, .stop = &token};
  };
  const ForwardInput none[] = {input(0, stop), input(1, stop)};
  EXPECT_FALSE(pass.run(none));
  const ForwardInput one[] = {input(0, stop), input(1, go_on)};
  EXPECT_TRUE(pass.run(one));
  EXPECT_EQ(logits_of(pass, 2, wanted.size(), model.vocab_size()), alone(model, canvas, wanted));
}

// More rows than one pass over the weights takes, with borders between canvases inside.
TEST(ForwardPassTest, ABatchOfManyRowsGivesTheSameBits) {
  ReferenceModel model("golden/dream_tiny");
  const std::vector<Ids> canvases = {canvas_of(300, 1), canvas_of(400, 2), canvas_of(500, 3)};
  ForwardPass pass(model.transformer, model.context, {.canvas = 500, .slots = 3}, Precision::F32);
  std::vector<Ids> rows;
  std::vector<ForwardInput> inputs;
  const Ids wanted = {250};
  for (int i = 0; i < 3; ++i) rows.push_back(iota_ids(canvases[i].size()));
  for (int i = 0; i < 3; ++i) {
    inputs.push_back({.canvas = canvases[i], .rows = rows[i], .wanted = wanted, .slot = i});
  }
  pass.run(inputs);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(logits_of(pass, i, 1, model.vocab_size()), alone(model, canvases[i], wanted)) << i;
  }
}

TEST(ForwardPassTest, AVariantOfAllRowsIsThatCanvasAndLeavesTheSlotAsItWas) {
  ReferenceModel model("golden/llada_tiny");
  const Ids base = canvas_of(24, 1);
  const Ids other = canvas_of(24, 5);
  const Ids rows = iota_ids(24);
  const Ids wanted = {0, 9, 23};
  ForwardPass pass(model.transformer, model.context, {.canvas = 24, .rows = 72, .variant_rows = 48},
                   Precision::F32);
  const std::vector<ForwardInput> inputs = {
      {.canvas = other, .rows = rows, .wanted = wanted, .variant = true},
      {.canvas = base, .rows = rows, .wanted = wanted},
      {.canvas = other, .rows = rows, .wanted = wanted, .variant = true}};
  pass.run(inputs);
  const auto V = model.vocab_size();
  EXPECT_EQ(logits_of(pass, 0, 3, V), alone(model, other, wanted));
  EXPECT_EQ(logits_of(pass, 3, 3, V), alone(model, base, wanted));
  EXPECT_EQ(logits_of(pass, 6, 3, V), alone(model, other, wanted));
  // The slot still holds the base.
  pass.run(base, wanted, wanted);
  EXPECT_EQ(logits_of(pass, 0, 3, V), alone(model, base, wanted));
}

TEST(ForwardPassTest, AVariantOfAWindowIsWhatThatWindowWouldCompute) {
  ReferenceModel model("golden/dream_tiny");
  const Ids base = canvas_of(40, 1);
  Ids changed = base;
  const Ids window = {10, 11, 12, 13, 20};
  for (const std::int32_t row : window) changed[row] = (changed[row] + 7) % 90;
  const Ids rows = iota_ids(40);
  const Ids wanted = {11, 20};
  ForwardPass plain(model.transformer, model.context, {.canvas = 40}, Precision::F32);
  plain.run(base, rows, {});
  plain.run(changed, window, wanted);
  ForwardPass pass(model.transformer, model.context, {.canvas = 40, .rows = 45, .variant_rows = 5},
                   Precision::F32);
  const std::vector<ForwardInput> inputs = {
      {.canvas = base, .rows = rows, .wanted = {}},
      {.canvas = changed, .rows = window, .wanted = wanted, .variant = true}};
  pass.run(inputs);
  EXPECT_EQ(logits_of(pass, 0, 2, model.vocab_size()), logits_of(plain, 0, 2, model.vocab_size()));
}

// In the first layer keys and values depend on nothing but their own token and position. So with a
// single layer a spliced cache is that of the new canvas, but for rounding.
class SpliceTest : public testing::TestWithParam<CanvasSplice> {
 protected:
  static constexpr int kSize = 150;  // more than two blocks of keys

  SpliceTest() : context_(kernels::best_isa(), 2) {
    const test::TemporaryFolder folder;
    write_model(folder.path(), test::make_tiny_model({.vocab_size = 96, .layers = 1}));
    checkpoint_.emplace(std::move(*Checkpoint::open(folder.path())));
    transformer_.emplace(Transformer::load(checkpoint_->config(), checkpoint_->tensors(), context_,
                                           kernels::WeightFormat::F32));
    const CanvasSplice& splice = GetParam();
    before_ = canvas_of(kSize, 1);
    after_ = before_;
    const auto begin = after_.begin() + splice.begin;
    after_.erase(begin, begin + splice.removed);
    after_.insert(after_.begin() + splice.begin, static_cast<std::size_t>(splice.inserted), 5);
    for (int i = 0; i < splice.inserted; ++i) rows_.push_back(splice.begin + i);
    rows_.push_back(static_cast<std::int32_t>(after_.size()) - 1);
  }

  ForwardPass pass() {
    return {*transformer_,
            context_,
            {.canvas = 200, .rows = 250, .variant_rows = 50, .splices = true},
            Precision::F32};
  }
  std::vector<float> expected() {
    ForwardPass fresh = pass();
    fresh.run(after_, iota_ids(after_.size()), rows_);
    return logits_of(fresh, 0, rows_.size(), 96);
  }
  static void expect_near(const std::vector<float>& got, const std::vector<float>& want) {
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], 2e-4F) << i;
  }

  kernels::CpuContext context_;
  std::optional<Checkpoint> checkpoint_;
  std::optional<Transformer> transformer_;
  Ids before_, after_, rows_;
};

TEST_P(SpliceTest, InPlaceTheRestMovesWithIt) {
  ForwardPass spliced = pass();
  spliced.run(before_, iota_ids(before_.size()), {});
  spliced.splice(0, kSize, GetParam());
  spliced.run(after_, rows_, rows_);
  expect_near(logits_of(spliced, 0, rows_.size(), 96), expected());
}

TEST_P(SpliceTest, AsAVariantTheSlotStaysAsItWas) {
  ForwardPass varied = pass();
  const Ids all = iota_ids(before_.size());
  const Ids last = {kSize - 1};
  varied.run(before_, all, last);
  const std::vector<float> base = logits_of(varied, 0, 1, 96);
  const ForwardInput input{
      .canvas = after_, .rows = rows_, .wanted = rows_, .variant = true, .splice = GetParam()};
  varied.run({&input, 1});
  expect_near(logits_of(varied, 0, rows_.size(), 96), expected());
  varied.run(before_, last, last);
  EXPECT_EQ(logits_of(varied, 0, 1, 96), base);
}

INSTANTIATE_TEST_SUITE_P(Splices, SpliceTest,
                         testing::Values(CanvasSplice{.begin = 20, .removed = 0, .inserted = 1},
                                         CanvasSplice{.begin = 20, .removed = 1, .inserted = 2},
                                         CanvasSplice{.begin = 20, .removed = 1, .inserted = 0},
                                         CanvasSplice{.begin = 1, .removed = 8, .inserted = 40},
                                         CanvasSplice{.begin = 60, .removed = 40, .inserted = 3},
                                         CanvasSplice{.begin = 30, .removed = 6, .inserted = 6}));

}  // namespace
}  // namespace lacuna::engine
