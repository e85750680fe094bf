// Predictor over a transformer: forward pass, LM head on the rows that predict something, draw.
#pragma once

#include <vector>

#include "engine/forward_pass.h"
#include "engine/predictor.h"

namespace lacuna::engine {

class TransformerPredictor : public Predictor {
 public:
  // All memory is allocated here. The arguments must outlive this.
  TransformerPredictor(const Transformer& transformer, kernels::CpuContext& context,
                       const ForwardLimits& limits, kernels::Precision precision);
  // For one canvas of up to `capacity` tokens.
  TransformerPredictor(const Transformer& transformer, kernels::CpuContext& context, int capacity,
                       kernels::Precision precision)
      : TransformerPredictor(transformer, context, ForwardLimits{.canvas = capacity}, precision) {}

  int row_that_predicts(int position) const override;
  void predict_batch(std::span<const PredictRequest> requests,
                     std::span<Candidate> candidates) override;
  Candidate redraw(const PredictRequest& request, int index, int first) override;
  void splice(int slot, int size, const CanvasSplice& splice) override;

  // Whose slots are those of the requests.
  ForwardPass& pass() { return pass_; }

  // The logits that the sampler sees at `positions` (increasing) after a full pass over the
  // canvas, row by row: [positions.size(), V].
  void logits(std::span<const std::int32_t> canvas, std::span<const std::int32_t> positions,
              float* out);

 private:
  // Where the logits of a candidate come from.
  struct Source {
    int request;
    int index;          // into the request's `masked`
    int row;            // wanted row of the pass
    int unconditional;  // wanted row that guides it, or -1
  };

  // What a device draws, and from what, of one request after the other. Kept between calls, so that
  // they allocate nothing.
  struct DeviceDraw {
    std::vector<kernels::RowResult> results;
    std::vector<std::int32_t> rows;
    std::vector<double> uniforms;
    std::vector<std::int32_t> banned, banned_begin;
    std::vector<kernels::DrawLogits> draws;  // for each request, pointing to the others
  };

  enum class Pass : std::uint8_t { NotRun, Left, Done };

  void reserve_logits();
  void draw_on_device(std::span<const PredictRequest> requests, int begin, int end,
                      std::span<Candidate> candidates);
  void begin_device_draws(std::span<const PredictRequest> requests);
  kernels::DrawLogits device_draw(const PredictRequest& request, int begin, int count, int first);
  void take_results(std::span<const PredictRequest> requests, int begin,
                    std::span<const kernels::RowResult> results,
                    std::span<Candidate> candidates) const;
  Pass run_with_draws(std::span<const PredictRequest> requests, std::span<Candidate> candidates);
  void prepare(std::span<const PredictRequest> requests);
  void add_wanted(std::span<const std::int32_t> positions);
  void draw_range(std::span<const PredictRequest> requests, int begin, int end,
                  std::span<Candidate> candidates);
  void compute_logits(const PredictRequest& request, int row, int unconditional, int count);

  kernels::CpuContext* context_;
  const Transformer* transformer_;
  ForwardPass pass_;
  int chunk_;                         // rows of logits_
  std::vector<ForwardInput> inputs_;  // of the last pass
  std::vector<std::int32_t> wanted_;  // rows of the network, one input's after the other's
  std::vector<Source> sources_;       // of all candidates, in order
  std::vector<float> logits_;         // [chunk_, V], those that the host reads
  std::vector<float> unguided_;       // [chunk_, V], allocated when first needed
  std::vector<DrawScratch> scratch_;  // one for each thread
  DeviceDraw device_;
};

}  // namespace lacuna::engine
