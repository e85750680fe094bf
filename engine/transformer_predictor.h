// Predictor over a transformer: forward pass, LM head on masked rows, draw.
#pragma once

#include <vector>

#include "engine/predictor.h"
#include "engine/transformer.h"

namespace lacuna::engine {

class TransformerPredictor : public Predictor {
 public:
  // For canvases of up to `capacity` tokens; all memory is allocated here. The arguments must
  // outlive this.
  TransformerPredictor(const Transformer& transformer, kernels::CpuContext& context, int capacity,
                       kernels::Precision precision);

  int row_that_predicts(int position) const override;
  void predict(const PredictRequest& request, std::span<Candidate> candidates) override;
  Candidate redraw(const PredictRequest& request, int index) override;

  // The logits that the sampler sees at `positions` (increasing) after a full pass over the
  // canvas, row by row: [positions.size(), V].
  void logits(std::span<const std::int32_t> canvas, std::span<const std::int32_t> positions,
              float* out);

 private:
  void run(std::span<const std::int32_t> canvas, std::span<const std::int32_t> rows,
           std::span<const std::int32_t> positions);

  kernels::CpuContext* context_;
  const Transformer* transformer_;
  ForwardPass pass_;
  int chunk_;                            // rows of logits_
  std::vector<std::int32_t> wanted_;     // network rows of the last pass, increasing, distinct
  std::vector<std::int32_t> wanted_of_;  // for each predicted position: index into wanted_
  std::vector<float> logits_;            // [chunk_, V]
  std::vector<DrawScratch> scratch_;     // one for each thread
};

}  // namespace lacuna::engine
