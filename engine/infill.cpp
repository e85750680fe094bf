#include "engine/infill.h"

#include <algorithm>

#include "engine/canvas.h"
#include "engine/infill_batch.h"

namespace lacuna::engine {
namespace {

// Published configs promise 32k and 131k positions; the models were trained on 2,048 or 4,096.
constexpr int kTrainedContext = 2048;

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
  Result<std::vector<InfillResult>> results = infill_batch(model, {&request, 1});
  if (!results) return results.error();
  return std::move(results->front());
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
