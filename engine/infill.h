// Infill: a text and its holes in, the texts for the holes out.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/constraint.h"
#include "engine/denoiser.h"
#include "engine/hole.h"
#include "engine/length_prior.h"
#include "engine/model.h"

namespace lacuna::engine {

struct Canvas;
struct CanvasHole;
class ResidentCache;  // resident_cache.h

// Who decides how long a fill becomes.
enum class LengthMode : std::uint8_t {
  Fixed,    // the canvas has as many masks as asked for; the model may leave some empty
  Probe,    // several lengths are tried, the one with the surest first guess is taken (length.h)
  Elastic,  // holes grow and shrink while they denoise: needs an expand token (ElasticHoles)
};

std::string_view name_of(LengthMode mode);  // "fixed", "probe", "elastic"
Result<LengthMode> parse_length_mode(std::string_view name);

// Whether what stands elsewhere in the file between the same neighbours is mixed into what the model
// predicts (sampler/copy_mix.h).
enum class CopyMode : std::uint8_t {
  Auto,  // where the model has a measured mixture
  Off,
  On,
  Only,  // wherever there is something to copy, it alone decides: for comparison
};

std::string_view name_of(CopyMode mode);  // "auto", "off", "on", "only"
Result<CopyMode> parse_copy_mode(std::string_view name);

struct InfillOptions {
  SamplingOptions sampling;
  // Steps for each hole token instead of sampling.steps; 0 uses sampling.steps. 1 commits about
  // one token a step.
  float steps_per_token = 1;
  int default_hole_tokens = 16;
  int max_canvas = 0;  // tokens; 0: max_position_embeddings, at most 2,048
  // Off: `cache`. On: a full pass at every step, no token suppressed, nothing copied.
  bool exact = false;
  CacheOptions cache = {};
  LengthMode length = LengthMode::Fixed;
  int length_finalists = 4;  // of LengthMode::Probe: see LengthSearch::finalists
  int max_hole_tokens = 64;  // to which a hole may grow or be probed; not below what was asked for
  // Holes end before the first line end: what follows it is not denoised.
  bool single_line = false;
  CopyMode copy = CopyMode::Auto;
  // Of a request with a resident cache: for how many edits of the document keys and values are used
  // that were computed before them (resident_cache.h); 0: each request begins with a full pass.
  // Not when exact, with refresh 1, refresh_drift or cfg_scale.
  int reuse_edits = 0;
};

// A piece of a hole while it denoises: a committed token or a mask.
struct HoleToken {
  bool masked;
  std::string text;   // bytes of the token, maybe part of a UTF-8 sequence; empty when masked
  float probability;  // with which it was committed; 0 when masked
};

// The state of the holes of one canvas after a step, for a live display.
struct InfillProgress {
  std::span<const int> holes;  // indices into the request's holes: those of this canvas
  std::span<const std::vector<HoleToken>> tokens;  // for each of them
  int step;
  int steps;
  int masks_left;   // in this canvas
  int masks_total;  // in this canvas
  int canvas_idx;   // canvases are filled one after the other
  int holes_done;   // holes of earlier canvases
  double seconds;   // of this step
};

struct InfillRequest {
  std::string_view text;     // any bytes; offsets of holes are bytes of this
  std::vector<Hole> holes;   // as check_and_sort() leaves them; at least one
  std::string language;      // "python", "cpp", ...; may be empty or unknown to the model
  std::string line_comment;  // "#", "//", ...: how a hint is shown to the model; may be empty
  // Other text that helps, as if it stood before the file: the model sees the end of it, at most a
  // quarter of the canvas. Whole lines; may be empty.
  std::string_view context;
  // For LengthMode::Probe: how long each hole is expected to be, where that is known; one for each
  // hole, or none at all.
  std::vector<std::optional<LengthPrior>> length_priors;
  InfillOptions options;
  Constraint* constraint = nullptr;
  // What earlier requests on the same document have computed; null: nothing is known, nothing kept.
  // With it a fill depends on them, within options.reuse_edits.
  ResidentCache* resident = nullptr;
  std::string document;  // its name there
  std::function<void(const InfillProgress&)> on_step;
  // The step as the denoiser reports it, with the holes as they were before its edits: for analysis.
  std::function<void(std::span<const CanvasHole>, const StepEvent&)> on_denoise;
  std::stop_token stop;
};

// One committed token of the report, in the order of decoding.
struct ReportedCommit {
  int step;            // of its canvas
  int hole;            // index of the hole
  int offset_in_hole;  // in tokens, as the hole was before the step
  std::string text;
  float probability;
};

struct HoleFill {
  std::string text;       // what replaces the hole's bytes, with the line ends of the file
  int canvas_tokens = 0;  // its length in the end
  int masks_left = 0;     // above 0: the hole could not be finished
  // Of its committed tokens, of the distributions without temperature, top_p and top_k: the fills of
  // different samplings can be compared.
  float mean_probability = 0;
};

struct InfillResult {
  std::vector<HoleFill> fills;  // one for each hole of the request
  std::vector<ReportedCommit> commits;
  int canvases = 0;
  int canvas_tokens = 0;  // of all canvases
  int steps = 0;          // of all canvases
  int forward_passes = 0;
  // Rows of the first canvas that its first step computed: all, unless earlier requests or the trial
  // of lengths have left some (InfillRequest::resident).
  int first_rows = 0;
  double tokenize_seconds = 0;
  double denoise_seconds = 0;
};

// Holes that fit one canvas with the text between them are denoised jointly; others one canvas
// after the other, each seeing the fills before it. InvalidInput when a single hole is larger
// than the canvas or the model cannot do what the length or copy mode needs, Cancelled when stopped.
Result<InfillResult> infill(const Model& model, const InfillRequest& request);

// Tokens of a canvas: what `options` say, else what the model was trained for, at most 2,048.
int canvas_limit(const Model& model, const InfillOptions& options);

// What `options` mean with this model: the mixture, or none. InvalidInput for CopyMode::On without a
// measured one.
Result<std::optional<CopyMixing>> copy_mixing_for(const Model& model, const InfillOptions& options);

// Bytes of the file on each side of a canvas that are looked through for copies.
inline constexpr int kCopyBytes = 1 << 16;

// What there is to copy around the holes of a canvas that was built with beyond_bytes.
CopySource copy_source_of(const Model& model, const CopyMixing& mixing, const Canvas& canvas);

// The text with every hole replaced. Not a byte outside the holes changes.
std::string splice(std::string_view text, std::span<const Hole> holes,
                   std::span<const HoleFill> fills);

}  // namespace lacuna::engine
