#include "engine/infill.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/canvas.h"
#include "engine/length.h"
#include "engine/transformer_predictor.h"
#include "support/text.h"

namespace lacuna::engine {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Published configs promise 32k and 131k positions; the models were trained on 2,048 or 4,096.
constexpr int kTrainedContext = 2048;

bool has_windows_line_ends(std::string_view text) {
  std::size_t crlf = 0;
  std::size_t lf = 0;
  for (std::size_t at = text.find('\n'); at != std::string_view::npos;
       at = text.find('\n', at + 1)) {
    (at > 0 && text[at - 1] == '\r' ? crlf : lf) += 1;
  }
  return crlf > lf;
}

// The finished text of a hole: models write "\n", whatever the file has.
std::string with_line_ends(std::string_view fill, bool windows) {
  std::string out;
  for (const char c : fill) {
    if (c == '\n' && windows) out += '\r';
    out += c;
  }
  return out;
}

// One canvas while it denoises: what became of each of its positions.
class CanvasRun {
 public:
  // `copies` may be null.
  CanvasRun(const Model& model, const InfillRequest& request, Canvas canvas,
            const CopySource* copies, int canvas_idx, InfillResult& result)
      : model_(model),
        request_(request),
        copies_(copies),
        canvas_(std::move(canvas)),
        canvas_idx_(canvas_idx),
        result_(result),
        probability_(canvas_.tokens.size()) {
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

  Result<void> run() {
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
    std::vector<std::uint8_t> with_expand;  // must live as long as `denoising`
    if (options.length == LengthMode::Elastic) {
      denoising.elastic = elastic_holes();
      commit_by_number(denoising.sampling, options.steps_per_token);
      if (!options.exact) {
        with_expand = model_.fill_tokens();
        with_expand[*model_.config().expand_token] = 1;
        denoising.allowed = with_expand;
      }
    }
    if (options.single_line) denoising.ends_hole = model_.line_end_tokens();
    if (!options.exact) denoising.cache = options.cache;
    denoising.copies = copies_;
    denoising.constraint = request_.constraint;
    denoising.stop = request_.stop;
    denoising.on_step = [this](const StepEvent& event) { on_step(event); };

    TransformerPredictor predictor(model_.transformer(), model_.context(), limits_of(denoising),
                                   model_.precision());
    Result<DenoiseResult> denoised = denoise(predictor, denoising);
    if (!denoised) return denoised.error();
    canvas_.tokens = std::move(denoised->canvas);
    result_.canvases += 1;
    result_.canvas_tokens += static_cast<int>(canvas_.tokens.size());
    result_.steps += denoised->steps_run;
    result_.forward_passes += denoised->forward_passes;
    return {};
  }

  // The fills of this canvas's holes, in order.
  std::vector<HoleFill> fills(bool windows_line_ends) const {
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
        sum += probability_[i];
        if (token != model_.config().delete_token) tokens.push_back(token);
      }
      const int committed = hole.length - fill.masks_left;
      fill.mean_probability = committed == 0 ? 0 : static_cast<float>(sum / committed);
      // Tokens of byte pieces can be cut anywhere; a file gets whole characters.
      fill.text = with_line_ends(replace_invalid_utf8(model_.tokenizer()->decode(tokens)),
                                 windows_line_ends);
      fills.push_back(std::move(fill));
    }
    return fills;
  }

 private:
  // A schedule shares out the masks that there are at the start: where their number changes, as
  // many are committed at each step as it would commit on average.
  static void commit_by_number(SamplingOptions& sampling, float steps_per_token) {
    if (sampling.threshold || sampling.factor || sampling.entropy_budget) return;
    if (sampling.tokens_per_step || steps_per_token <= 0) return;
    sampling.tokens_per_step = std::max(1, static_cast<int>(std::lround(1 / steps_per_token)));
  }

  // Holes without a length of their own may grow, all of them together by what fits.
  ElasticHoles elastic_holes() const {
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
  void apply(const CanvasSplice& splice) {
    const int by = splice.inserted - splice.removed;
    const auto at = probability_.begin() + splice.begin;
    probability_.insert(probability_.erase(at, at + splice.removed),
                        static_cast<std::size_t>(splice.inserted), 0.0F);
    for (CanvasHole& hole : canvas_.holes) {
      if (splice.begin < hole.begin) {
        hole.begin += by;
      } else if (splice.begin < hole.begin + hole.length) {
        hole.length += by;
      }
    }
    masks_total_ += by;
  }

  std::string text_of(std::int32_t token) const {
    if (token == model_.config().delete_token) return {};
    return model_.tokenizer()->decode({&token, 1});
  }

  void on_step(const StepEvent& event) {
    for (const Candidate& commit : event.commits) {
      probability_[commit.position] = commit.probability;
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

  const CanvasHole& hole_at(int position) const {
    const auto inside = [position](const CanvasHole& hole) {
      return position >= hole.begin && position < hole.begin + hole.length;
    };
    return *std::find_if(canvas_.holes.begin(), canvas_.holes.end(), inside);
  }

  void report(const StepEvent& event) const {
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

  const Model& model_;
  const InfillRequest& request_;
  const CopySource* copies_;
  Canvas canvas_;
  int canvas_idx_;
  InfillResult& result_;
  std::vector<float> probability_;     // of each committed position
  std::vector<std::int32_t> hole_of_;  // at the start: index into canvas_.holes, or -1
  std::vector<std::uint8_t> grows_;    // one for each hole of the canvas
  int masks_total_ = 0;
};

// The canvas with holes of the lengths that the model finds likely.
Result<Canvas> with_probed_lengths(const Model& model, const InfillRequest& request, Canvas canvas,
                                   const CopySource* copies) {
  if (!model.length_calibration()) return model.length_calibration().error();
  std::vector<std::uint8_t> fixed;
  fixed.reserve(canvas.holes.size());
  for (const CanvasHole& hole : canvas.holes) {
    fixed.push_back(request.holes[hole.hole_idx].tokens ? 1 : 0);
  }
  const InfillOptions& options = request.options;
  const int room = canvas_limit(model, options) - static_cast<int>(canvas.tokens.size()) +
                   options.max_hole_tokens;
  const std::vector<int> lengths = choose_lengths(
      model, canvas, *model.length_calibration(), copies,
      std::max(options.max_hole_tokens, options.default_hole_tokens),
      std::min(room, model.config().max_positions - static_cast<int>(canvas.tokens.size())), fixed);
  return with_lengths(canvas, lengths, model.mask_token());
}

}  // namespace

int canvas_limit(const Model& model, const InfillOptions& options) {
  const int trained = std::min(model.config().max_positions, kTrainedContext);
  return options.max_canvas == 0 ? trained
                                 : std::min(options.max_canvas, model.config().max_positions);
}

std::string_view name_of(LengthMode mode) {
  switch (mode) {
    case LengthMode::Fixed:
      return "fixed";
    case LengthMode::Probe:
      return "probe";
    case LengthMode::Elastic:
      return "elastic";
  }
  return "unknown";
}

Result<LengthMode> parse_length_mode(std::string_view name) {
  for (const LengthMode mode : {LengthMode::Fixed, LengthMode::Probe, LengthMode::Elastic}) {
    if (name == name_of(mode)) return mode;
  }
  return fail(ErrorCode::InvalidInput,
              "length is '" + std::string(name) + "', must be one of fixed, probe, elastic");
}

std::string_view name_of(CopyMode mode) {
  switch (mode) {
    case CopyMode::Auto:
      return "auto";
    case CopyMode::Off:
      return "off";
    case CopyMode::On:
      return "on";
    case CopyMode::Only:
      return "only";
  }
  return "unknown";
}

Result<CopyMode> parse_copy_mode(std::string_view name) {
  for (const CopyMode mode : {CopyMode::Auto, CopyMode::Off, CopyMode::On, CopyMode::Only}) {
    if (name == name_of(mode)) return mode;
  }
  return fail(ErrorCode::InvalidInput,
              "copy is '" + std::string(name) + "', must be one of auto, off, on, only");
}

Result<std::optional<CopyMixing>> copy_mixing_for(const Model& model,
                                                  const InfillOptions& options) {
  const Result<CopyMixing>& measured = model.copy_mixing();
  const bool has_none = !measured && measured.error().code == ErrorCode::NotFound;
  if (options.exact || options.copy == CopyMode::Off) return std::optional<CopyMixing>();
  if (options.copy == CopyMode::Auto && has_none) return std::optional<CopyMixing>();
  if (options.copy == CopyMode::Only) {
    CopyMixing mixing = measured ? *measured : model.copy_mixing_of({});
    mixing.always = true;
    return std::optional(mixing);
  }
  if (has_none) {
    return fail(ErrorCode::InvalidInput,
                "nobody has measured how far this model is to be trusted beside copies of the "
                "file; do it with lacuna model calibrate");
  }
  if (!measured) return measured.error();
  return std::optional(*measured);
}

CopySource copy_source_of(const Model& model, const CopyMixing& mixing, const Canvas& canvas) {
  return CopySource(mixing, canvas.beyond, model.text_tokens(), model.mask_token(),
                    model.config().delete_token.value_or(-1), &model.blank_pairs());
}

Result<InfillResult> infill(const Model& model, const InfillRequest& request) {
  if (request.holes.empty()) return fail(ErrorCode::InvalidInput, "there is no hole to fill");
  if (request.options.length == LengthMode::Elastic &&
      !(model.config().expand_token && model.config().delete_token)) {
    return fail(ErrorCode::InvalidInput,
                "length elastic needs a model with an expand token; this one has none: use "
                "probe or fixed");
  }
  const Result<std::optional<CopyMixing>> mixing = copy_mixing_for(model, request.options);
  if (!mixing) return mixing.error();
  const bool windows_line_ends = has_windows_line_ends(request.text);
  InfillResult result;
  std::vector<std::string> filled;
  while (filled.size() < request.holes.size()) {
    const Clock::time_point start = Clock::now();
    Result<Canvas> canvas =
        build_canvas(model, {.text = request.text,
                             .holes = request.holes,
                             .filled = filled,
                             .language = request.language,
                             .line_comment = request.line_comment,
                             .context = request.context,
                             .default_hole_tokens = request.options.default_hole_tokens,
                             .max_tokens = canvas_limit(model, request.options),
                             .beyond_bytes = *mixing ? kCopyBytes : 0});
    if (!canvas) return canvas.error();
    std::optional<CopySource> copies;
    if (*mixing) copies.emplace(copy_source_of(model, **mixing, *canvas));
    const CopySource* copy_source = copies ? &*copies : nullptr;
    result.tokenize_seconds += seconds_since(start);

    const Clock::time_point denoise_start = Clock::now();
    if (request.options.length == LengthMode::Probe) {
      canvas = with_probed_lengths(model, request, std::move(*canvas), copy_source);
      if (!canvas) return canvas.error();
    }
    if (request.constraint != nullptr) {
      request.constraint->begin_canvas(static_cast<int>(filled.size()), filled);
    }
    CanvasRun run(model, request, std::move(*canvas), copy_source, result.canvases, result);
    const Result<void> done = run.run();
    if (!done) return done.error();
    result.denoise_seconds += seconds_since(denoise_start);
    for (HoleFill& fill : run.fills(windows_line_ends)) {
      filled.push_back(fill.text);
      result.fills.push_back(std::move(fill));
    }
  }
  return result;
}

std::string splice(std::string_view text, std::span<const Hole> holes,
                   std::span<const HoleFill> fills) {
  std::string out;
  std::size_t at = 0;
  for (std::size_t i = 0; i < holes.size(); ++i) {
    out += text.substr(at, holes[i].begin - at);
    out += fills[i].text;
    at = holes[i].end;
  }
  out += text.substr(at);
  return out;
}

}  // namespace lacuna::engine
