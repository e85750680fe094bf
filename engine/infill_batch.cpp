#include "engine/infill_batch.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "engine/canvas.h"
#include "engine/canvas_run.h"
#include "engine/device_memory.h"
#include "engine/length.h"
#include "engine/resident_cache.h"
#include "engine/transformer_predictor.h"

namespace lacuna::engine {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

bool has_windows_line_ends(std::string_view text) {
  std::size_t crlf = 0;
  std::size_t lf = 0;
  for (std::size_t at = text.find('\n'); at != std::string_view::npos;
       at = text.find('\n', at + 1)) {
    (at > 0 && text[at - 1] == '\r' ? crlf : lf) += 1;
  }
  return crlf > lf;
}

// What the first canvas of a request uses of earlier requests. Those that follow it lie elsewhere in
// the document, and would take its place.
std::optional<ResidentDocument> resident_document(const InfillRequest& request,
                                                  std::size_t holes_done) {
  const InfillOptions& options = request.options;
  const bool all_full = options.exact || options.cache.scope == CacheScope::None ||
                        options.cache.refresh == 1 || watches(options.cache) ||
                        options.sampling.cfg_scale != 0;
  if (request.resident == nullptr || holes_done > 0 || all_full) return std::nullopt;
  return ResidentDocument{
      .cache = request.resident, .name = request.document, .most_edits = options.reuse_edits};
}

// The canvas with holes of the lengths that the model finds likely.
Result<Canvas> with_probed_lengths(const Model& model, const InfillRequest& request, Canvas canvas,
                                   const CopySource* copies,
                                   const std::optional<ResidentDocument>& resident) {
  if (!model.length_calibration()) return model.length_calibration().error();
  std::vector<std::uint8_t> fixed;
  std::vector<std::optional<LengthPrior>> priors;
  for (const CanvasHole& hole : canvas.holes) {
    const auto idx = static_cast<std::size_t>(hole.hole_idx);
    fixed.push_back(request.holes[idx].tokens ? 1 : 0);
    priors.push_back(idx < request.length_priors.size() ? request.length_priors[idx]
                                                        : std::nullopt);
  }
  const InfillOptions& options = request.options;
  const int room = canvas_limit(model, options) - static_cast<int>(canvas.tokens.size()) +
                   options.max_hole_tokens;
  const std::vector<int> lengths = choose_lengths(
      model, canvas, *model.length_calibration(),
      {.max_tokens = std::max(options.max_hole_tokens, options.default_hole_tokens),
       .room =
           std::min(room, model.config().max_positions - static_cast<int>(canvas.tokens.size())),
       .fixed = fixed,
       .priors = priors,
       .copies = copies,
       .finalists = options.length_finalists,
       .stop = request.stop,
       .resident = resident ? &*resident : nullptr});
  if (request.stop.stop_requested()) return fail(ErrorCode::Cancelled, "stopped");
  return with_lengths(canvas, lengths, model.mask_token());
}

// A canvas before its first step.
struct ReadyCanvas {
  Canvas canvas;
  std::optional<CopySource> copies;
  double tokenize_seconds = 0;
  double probe_seconds = 0;

  const CopySource* copy_source() const { return copies ? &*copies : nullptr; }
};

using Texts = std::vector<std::string>;

// The canvas for the holes behind those that are filled.
Result<ReadyCanvas> make_ready(const Model& model, const InfillRequest& request,
                               const std::optional<CopyMixing>& mixing, const Texts& filled) {
  if (request.stop.stop_requested()) return fail(ErrorCode::Cancelled, "stopped");
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
                           .beyond_bytes = mixing ? kCopyBytes : 0});
  if (!canvas) return canvas.error();
  ReadyCanvas ready;
  if (mixing) ready.copies.emplace(copy_source_of(model, *mixing, *canvas));
  ready.tokenize_seconds = seconds_since(start);
  if (request.options.length == LengthMode::Probe) {
    const Clock::time_point probe_start = Clock::now();
    canvas = with_probed_lengths(model, request, std::move(*canvas), ready.copy_source(),
                                 resident_document(request, filled.size()));
    if (!canvas) return canvas.error();
    ready.probe_seconds = seconds_since(probe_start);
  }
  ready.canvas = std::move(*canvas);
  return ready;
}

// Tokens of the canvases that share a forward pass, where they are more than one: memory grows
// with them, and a pass over a few thousand rows is no slower for each of them.
constexpr int kBatchTokens = 4096;

// Requests that differ in their sampling, and in whom they ask and tell, but in nothing else.
class InfillBatch {
 public:
  InfillBatch(const Model& model, std::span<const InfillRequest> requests,
              const std::optional<CopyMixing>& mixing)
      : model_(model),
        common_(requests.front()),
        mixing_(mixing),
        windows_line_ends_(has_windows_line_ends(requests.front().text)) {
    for (const InfillRequest& request : requests) {
      fills_.push_back({.request = &request, .result = {}, .filled = {}, .run = {}});
    }
  }

  Result<std::vector<InfillResult>> run() {
    while (has_open()) {
      if (const Result<void> done = fill_next_canvases(); !done) return done.error();
    }
    std::vector<InfillResult> results;
    results.reserve(fills_.size());
    for (Fill& fill : fills_) results.push_back(std::move(fill.result));
    return results;
  }

 private:
  struct Fill {
    const InfillRequest* request;
    InfillResult result;
    Texts filled;  // of the first holes
    std::unique_ptr<CanvasRun> run;
  };

  bool is_open(const Fill& fill) const { return fill.filled.size() < common_.holes.size(); }
  bool has_open() const {
    return std::any_of(fills_.begin(), fills_.end(), [&](const Fill& it) { return is_open(it); });
  }

  // One canvas of each fill that has holes left. Fills that have been the same so far have the same
  // canvas.
  Result<void> fill_next_canvases() {
    std::map<Texts, ReadyCanvas> ready_after;
    std::vector<Fill*> open;
    for (Fill& fill : fills_) {
      if (!is_open(fill)) continue;
      const auto [entry, is_new] = ready_after.try_emplace(fill.filled);
      if (is_new) {
        Result<ReadyCanvas> ready = make_ready(model_, common_, mixing_, fill.filled);
        if (!ready) return ready.error();
        entry->second = std::move(*ready);
      }
      const ReadyCanvas& ready = entry->second;
      fill.result.tokenize_seconds += ready.tokenize_seconds;
      fill.result.denoise_seconds += ready.probe_seconds;
      fill.run = std::make_unique<CanvasRun>(model_, *fill.request, ready.canvas,
                                             ready.copy_source(), fill.result);
      open.push_back(&fill);
    }
    return denoise_all(open);
  }

  Result<void> denoise_all(std::span<Fill* const> fills) const {
    std::vector<DenoiseRequest> requests;
    for (std::size_t i = 0; i < fills.size(); ++i) {
      const Fill& fill = *fills[i];
      if (Constraint* constraint = fill.request->constraint; constraint != nullptr) {
        constraint->begin_canvas(static_cast<int>(fill.filled.size()), fill.filled);
      }
      requests.push_back(fill.run->denoise_request());
    }
    int canvas = 1;
    for (const DenoiseRequest& request : requests) {
      canvas = std::max(canvas, limits_of(request).canvas);
    }
    const auto together = static_cast<std::size_t>(std::max(1, kBatchTokens / canvas));
    for (std::size_t i = 0; i < fills.size(); i += together) {
      const std::size_t n = std::min(together, fills.size() - i);
      const Result<void> done =
          denoise_together(fills.subspan(i, n), std::span(requests).subspan(i, n));
      if (!done) return done;
    }
    return {};
  }

  Result<void> denoise_together(std::span<Fill* const> fills,
                                std::span<DenoiseRequest> requests) const {
    const Clock::time_point start = Clock::now();
    TransformerPredictor predictor(model_.transformer(), model_.context(), limits_of(requests),
                                   model_.precision());
    const auto resident = resident_document(common_, fills.front()->filled.size());
    if (resident) warm(*resident, predictor.pass(), requests);
    std::vector<Result<DenoiseResult>> denoised = denoise_batch(predictor, requests);
    const double seconds = seconds_since(start);
    for (std::size_t i = 0; i < fills.size(); ++i) {
      if (!denoised[i]) return denoised[i].error();
      Fill& fill = *fills[i];
      fill.result.denoise_seconds += seconds;
      for (HoleFill& hole : fill.run->finish(std::move(*denoised[i]), windows_line_ends_)) {
        fill.filled.push_back(hole.text);
        fill.result.fills.push_back(std::move(hole));
      }
    }
    return {};
  }

  // All begin with the same canvas, or one that differs in the lengths of its holes: the first
  // is kept.
  void warm(const ResidentDocument& resident, ForwardPass& pass,
            std::span<DenoiseRequest> requests) const {
    int slot = 0;
    int edits = 0;
    for (DenoiseRequest& request : requests) {
      ResidentCache::Warmth warmth = resident.load(pass, slot, request.canvas, model_.mask_token());
      request.first_rows = std::move(warmth.rows);
      if (slot == 0) edits = warmth.edits;
      ++slot;
    }
    requests.front().on_first_pass = [resident, &pass, &request = requests.front(), edits] {
      resident.save(pass, 0, request.canvas, edits);
    };
  }

  const Model& model_;
  const InfillRequest& common_;
  const std::optional<CopyMixing>& mixing_;
  bool windows_line_ends_;
  std::vector<Fill> fills_;
};

}  // namespace

Result<std::vector<InfillResult>> infill_batch(const Model& model,
                                               std::span<const InfillRequest> requests) {
  const InfillRequest& common = requests.front();
  if (common.holes.empty()) return fail(ErrorCode::InvalidInput, "there is no hole to fill");
  if (common.options.length == LengthMode::Elastic &&
      !(model.config().expand_token && model.config().delete_token)) {
    return fail(ErrorCode::InvalidInput,
                "length elastic needs a model with an expand token; this one has none: use "
                "probe or fixed");
  }
  const Result<std::optional<CopyMixing>> mixing = copy_mixing_for(model, common.options);
  if (!mixing) return mixing.error();
  try {
    return InfillBatch(model, requests, *mixing).run();
  } catch (const kernels::DeviceError& error) {
    // What is kept may be what leaves no room.
    if (common.resident != nullptr) common.resident->clear();
    return device_failure(error);
  }
}

}  // namespace lacuna::engine
