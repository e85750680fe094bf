// WINO: a token that the model would not write again, seeing all the others, is taken back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/denoiser.h"
#include "tests/helpers/reference_model.h"

namespace lacuna::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::int32_t kMask = 9;

// Position i draws token i at probability `sure[step][i]`; asked about a token, position i gives it
// `again[i]`.
class Doubting : public Predictor {
 public:
  int row_that_predicts(int position) const override { return std::max(0, position - 1); }
  void predict_batch(std::span<const PredictRequest> requests,
                     std::span<Candidate> candidates) override {
    std::size_t next = 0;
    auto& asked_now = asked.emplace_back();
    for (const PredictRequest& request : requests) {
      for (std::size_t i = 0; i < request.masked.size(); ++i) {
        const std::int32_t position = request.masked[i];
        if (request.given.empty()) {
          const float p = sure.at(static_cast<std::size_t>(request.step)).at(position);
          candidates[next++] = {position, position, p, p};
        } else {
          EXPECT_EQ(request.canvas[position], kMask) << "the token must not be seen";
          EXPECT_THAT(request.rows, ElementsAre(position - 1, position));
          EXPECT_TRUE(request.variant);
          asked_now.push_back(position);
          const float p = again.at(position);
          candidates[next++] = {position, request.given[i], p, p};
        }
      }
    }
  }
  Candidate redraw(const PredictRequest&, int, int) override { return {}; }

  std::vector<std::map<int, float>> sure;
  std::map<int, float> again;
  std::vector<std::vector<std::int32_t>> asked;
};

TEST(RevocationTest, AStepTakesBackFewerTokensThanItCommits) {
  Doubting predictor;
  predictor.sure = {{{1, 0.7F}, {2, 0.8F}, {3, 0.1F}, {4, 0.1F}, {5, 0.1F}},
                    {{3, 0.7F}, {4, 0.9F}, {5, 0.1F}},
                    {{1, 0.9F}, {5, 0.9F}},
                    {{2, 0.9F}}};
  predictor.again = {{1, 0.2F}, {2, 0.3F}, {3, 0.95F}, {4, 0.95F}, {5, 0.95F}};
  std::vector<std::vector<std::int32_t>> revoked;
  const auto result =
      denoise(predictor, {.canvas = {0, kMask, kMask, kMask, kMask, kMask},
                          .mask_token = kMask,
                          .sampling = {.steps = 9,
                                       .algorithm = Algorithm::MaskgitPlus,
                                       .threshold = 0.6F,
                                       .revoke = 0.9F},
                          .on_step = [&](const StepEvent& event) {
                            revoked.emplace_back(event.revoked.begin(), event.revoked.end());
                          }});
  ASSERT_TRUE(result.has_value());
  // Both 1 and 2 fall short at the second step, which commits two: only the worse one goes. At the
  // third step 2 goes for 1 and 5.
  // (A step commits at most 70 % of what is masked: two of 5, 3 and 2.)
  EXPECT_THAT(revoked, ElementsAre(IsEmpty(), ElementsAre(1), ElementsAre(2), IsEmpty()));
  EXPECT_THAT(predictor.asked, ElementsAre(IsEmpty(), ElementsAre(1, 2), ElementsAre(2, 3, 4),
                                           ElementsAre(1, 3, 4, 5)));
  EXPECT_THAT(result->canvas, ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(result->masks_left, 0);
}

// The answer to a question is what a pass over the whole canvas with that one mask says, when the
// cache holds the whole canvas anew.
TEST(RevocationTest, AQuestionIsALeaveOneOutPass) {
  ReferenceModel model("golden/llada_tiny");
  Ids canvas = {11, 12, 13, 14, 15, 16, 17, 18};
  const Ids rows = iota_ids(canvas.size());
  const Random random(1);
  TransformerPredictor predictor(model.transformer, model.context,
                                 ForwardLimits{.canvas = 8, .rows = 16, .variant_rows = 8},
                                 kernels::Precision::F32);
  Ids without = canvas;
  without[4] = model.mask_token();
  const Ids position = {4};
  const Ids token = {canvas[4]};
  PredictRequest base{
      .canvas = canvas, .rows = rows, .masked = {}, .draw = {}, .random = &random, .step = 0};
  PredictRequest question = base;
  question.canvas = without;
  question.masked = position;
  question.given = token;
  question.variant = true;
  const std::vector<PredictRequest> batch = {base, question};
  Candidate asked;
  predictor.predict_batch(batch, {&asked, 1});
  Candidate alone;
  PredictRequest plain = question;
  plain.variant = false;
  predictor.predict(plain, {&alone, 1});
  EXPECT_EQ(asked.token, canvas[4]);
  EXPECT_EQ(asked.probability, alone.probability);
}

TEST(RevocationTest, AModelEndsWithoutMasksInBoundedSteps) {
  int revoked = 0;
  for (const char* folder : {"golden/llada_tiny", "golden/dream_tiny"}) {
    ReferenceModel model(folder);
    for (const float threshold : {0.05F, 0.1F, 0.15F, 0.2F, 0.3F}) {
      for (const bool cached : {false, true}) {
        DenoiseRequest request;
        request.canvas = {3, 4};
        request.canvas.resize(30, model.mask_token());
        request.mask_token = model.mask_token();
        request.sampling = {.steps = 40,
                            .algorithm = Algorithm::MaskgitPlus,
                            .threshold = threshold,
                            .revoke = 0.9F};
        request.cache = {.scope = cached ? CacheScope::Holes : CacheScope::None, .refresh = 4};
        request.on_step = [&](const StepEvent& event) {
          revoked += static_cast<int>(event.revoked.size());
        };
        TransformerPredictor predictor(model.transformer, model.context, limits_of(request),
                                       kernels::Precision::F32);
        const auto result = denoise(predictor, request);
        ASSERT_TRUE(result.has_value());
        EXPECT_LE(result->steps_run, 40);
      }
    }
  }
  EXPECT_GT(revoked, 10);
}

}  // namespace
}  // namespace lacuna::engine
