// One canvas of a fill while it denoises: what infill() asks of the denoiser, what became of each
// position, and whom it tells.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/canvas.h"
#include "engine/denoiser.h"
#include "engine/infill.h"

namespace lacuna::engine {

class CanvasRun {
 public:
  // The holes of `canvas` are masked. What its steps do is added to `result`, whose fills are those
  // of earlier canvases. `copies` may be null. All but the canvas must outlive this.
  CanvasRun(const Model& model, const InfillRequest& request, Canvas canvas,
            const CopySource* copies, InfillResult& result);
  // The denoiser's request points here.
  CanvasRun(const CanvasRun&) = delete;
  CanvasRun& operator=(const CanvasRun&) = delete;

  // Tells this of its steps, so one run of it and no other.
  DenoiseRequest denoise_request();
  // What that came to. Returns the fills of this canvas's holes, in order.
  std::vector<HoleFill> finish(DenoiseResult denoised, bool windows_line_ends);

 private:
  ElasticHoles elastic_holes() const;
  void apply(const CanvasSplice& splice);
  std::string text_of(std::int32_t token) const;
  void on_step(const StepEvent& event);
  const CanvasHole& hole_at(int position) const;
  void report(const StepEvent& event) const;

  const Model& model_;
  const InfillRequest& request_;
  const CopySource* copies_;
  Canvas canvas_;
  int canvas_idx_;
  InfillResult& result_;
  std::vector<float> probability_;         // of each committed position, as it was drawn
  std::vector<float> plain_probability_;   // and without temperature and filters
  std::vector<std::int32_t> hole_of_;      // at the start: index into canvas_.holes, or -1
  std::vector<std::uint8_t> grows_;        // one for each hole of the canvas
  std::vector<std::uint8_t> with_expand_;  // what elastic holes may draw
  int masks_total_ = 0;
};

}  // namespace lacuna::engine
