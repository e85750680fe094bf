#include "engine/canvas_run.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "support/text.h"

namespace lacuna::engine {
namespace {

// The finished text of a hole: models write "\n", whatever the file has.
std::string with_line_ends(std::string_view fill, bool windows) {
  std::string out;
  for (const char c : fill) {
    if (c == '\n' && windows) out += '\r';
    out += c;
  }
  return out;
}

// A schedule shares out the masks that there are at the start: where their number changes, as
// many are committed at each step as it would commit on average.
void commit_by_number(SamplingOptions& sampling, float steps_per_token) {
  if (sampling.threshold || sampling.factor || sampling.entropy_budget) return;
  if (sampling.tokens_per_step || steps_per_token <= 0) return;
  sampling.tokens_per_step = std::max(1, static_cast<int>(std::lround(1 / steps_per_token)));
}

}  // namespace

CanvasRun::CanvasRun(const Model& model, const InfillRequest& request, Canvas canvas,
                     const CopySource* copies, InfillResult& result)
    : model_(model),
      request_(request),
      copies_(copies),
      canvas_(std::move(canvas)),
      canvas_idx_(result.canvases),
      result_(result),
      probability_(canvas_.tokens.size()),
      plain_probability_(canvas_.tokens.size()) {
  for (const CanvasHole& hole : canvas_.holes) {
    masks_total_ += hole.length;
    grows_.push_back(request.holes[hole.hole_idx].tokens ? 0 : 1);
  }
  hole_of_.assign(canvas_.tokens.size(), -1);
  for (std::size_t i = 0; i < canvas_.holes.size(); ++i) {
    const auto begin = hole_of_.begin() + canvas_.holes[i].begin;
    std::fill(begin, begin + canvas_.holes[i].length, static_cast<std::int32_t>(i));
  }
}

DenoiseRequest CanvasRun::denoise_request() {
  const InfillOptions& options = request_.options;
  DenoiseRequest denoising;
  denoising.canvas = canvas_.tokens;
  denoising.mask_token = model_.mask_token();
  denoising.sampling = options.sampling;
  if (options.steps_per_token > 0) {
    const float steps = std::ceil(static_cast<float>(masks_total_) * options.steps_per_token);
    denoising.sampling.steps = std::max(1, static_cast<int>(steps));
  }
  denoising.hole_of = hole_of_;
  if (!options.exact) denoising.allowed = model_.fill_tokens();
  if (options.length == LengthMode::Elastic) {
    denoising.elastic = elastic_holes();
    commit_by_number(denoising.sampling, options.steps_per_token);
    if (!options.exact) {
      with_expand_ = model_.fill_tokens();
      with_expand_[*model_.config().expand_token] = 1;
      denoising.allowed = with_expand_;
    }
  }
  if (options.single_line) denoising.ends_hole = model_.line_end_tokens();
  if (!options.exact) denoising.cache = options.cache;
  denoising.copies = copies_;
  denoising.constraint = request_.constraint;
  denoising.stop = request_.stop;
  denoising.on_step = [this](const StepEvent& event) { on_step(event); };
  return denoising;
}

std::vector<HoleFill> CanvasRun::finish(DenoiseResult denoised, bool windows_line_ends) {
  canvas_.tokens = std::move(denoised.canvas);
  result_.canvases += 1;
  result_.canvas_tokens += static_cast<int>(canvas_.tokens.size());
  result_.steps += denoised.steps_run;
  result_.forward_passes += denoised.forward_passes;
  std::vector<HoleFill> fills;
  for (const CanvasHole& hole : canvas_.holes) {
    HoleFill fill;
    fill.canvas_tokens = hole.length;
    std::vector<std::int32_t> tokens;
    double sum = 0;
    for (int i = hole.begin; i < hole.begin + hole.length; ++i) {
      const std::int32_t token = canvas_.tokens[i];
      if (token == model_.mask_token()) {
        ++fill.masks_left;
        continue;
      }
      sum += plain_probability_[i];
      if (token != model_.config().delete_token) tokens.push_back(token);
    }
    const int committed = hole.length - fill.masks_left;
    fill.mean_probability = committed == 0 ? 0 : static_cast<float>(sum / committed);
    // Tokens of byte pieces can be cut anywhere; a file gets whole characters.
    fill.text =
        with_line_ends(replace_invalid_utf8(model_.tokenizer()->decode(tokens)), windows_line_ends);
    fills.push_back(std::move(fill));
  }
  return fills;
}

// Holes without a length of their own may grow, all of them together by what fits.
ElasticHoles CanvasRun::elastic_holes() const {
  const int size = static_cast<int>(canvas_.tokens.size());
  int growth = 0;
  for (std::size_t i = 0; i < canvas_.holes.size(); ++i) {
    if (grows_[i] == 0) continue;
    growth += std::max(0, request_.options.max_hole_tokens - canvas_.holes[i].length);
  }
  return {.expand_token = *model_.config().expand_token,
          .delete_token = *model_.config().delete_token,
          .max_canvas = std::min(size + growth, model_.config().max_positions),
          .max_expansions = growth,
          .grows = grows_};
}

// What an edit of the canvas changes here: the hole that it lies in, and those after it.
void CanvasRun::apply(const CanvasSplice& splice) {
  const int by = splice.inserted - splice.removed;
  for (std::vector<float>* row : {&probability_, &plain_probability_}) {
    const auto at = row->begin() + splice.begin;
    row->insert(row->erase(at, at + splice.removed), static_cast<std::size_t>(splice.inserted),
                0.0F);
  }
  for (CanvasHole& hole : canvas_.holes) {
    if (splice.begin < hole.begin) {
      hole.begin += by;
    } else if (splice.begin < hole.begin + hole.length) {
      hole.length += by;
    }
  }
  masks_total_ += by;
}

std::string CanvasRun::text_of(std::int32_t token) const {
  if (token == model_.config().delete_token) return {};
  return model_.tokenizer()->decode({&token, 1});
}

void CanvasRun::on_step(const StepEvent& event) {
  if (event.step == 0 && canvas_idx_ == 0) result_.first_rows = event.rows_computed;
  for (const Candidate& commit : event.commits) {
    probability_[commit.position] = commit.probability;
    plain_probability_[commit.position] = commit.plain_probability;
    const CanvasHole& hole = hole_at(commit.position);
    result_.commits.push_back({.step = event.step,
                               .hole = hole.hole_idx,
                               .offset_in_hole = commit.position - hole.begin,
                               .text = text_of(commit.token),
                               .probability = commit.probability});
  }
  if (request_.on_denoise) request_.on_denoise(canvas_.holes, event);
  for (const CanvasSplice& splice : event.edits) apply(splice);
  if (request_.on_step) report(event);
}

const CanvasHole& CanvasRun::hole_at(int position) const {
  const auto inside = [position](const CanvasHole& hole) {
    return position >= hole.begin && position < hole.begin + hole.length;
  };
  return *std::find_if(canvas_.holes.begin(), canvas_.holes.end(), inside);
}

void CanvasRun::report(const StepEvent& event) const {
  std::vector<int> holes;
  std::vector<std::vector<HoleToken>> tokens;
  for (const CanvasHole& hole : canvas_.holes) {
    holes.push_back(hole.hole_idx);
    std::vector<HoleToken>& row = tokens.emplace_back();
    for (int i = hole.begin; i < hole.begin + hole.length; ++i) {
      const bool masked = event.canvas[i] == model_.mask_token();
      row.push_back({.masked = masked,
                     .text = masked ? std::string() : text_of(event.canvas[i]),
                     .probability = masked ? 0 : probability_[i]});
    }
  }
  request_.on_step({.holes = holes,
                    .tokens = tokens,
                    .step = event.step,
                    .steps = event.steps,
                    .masks_left = event.masks_left,
                    .masks_total = masks_total_,
                    .canvas_idx = canvas_idx_,
                    .holes_done = static_cast<int>(result_.fills.size()),
                    .seconds = event.seconds});
}

}  // namespace lacuna::engine
