#include "engine/denoiser.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "engine/denoise_run.h"

namespace lacuna::engine {
namespace {

bool changes_length(const DenoiseRequest& request) {
  return request.elastic || !request.ends_hole.empty();
}

Result<void> check_request(const DenoiseRequest& request) {
  if (const Result<void> checked = check(request.sampling); !checked) return checked;
  const SamplingOptions& sampling = request.sampling;
  if (changes_length(request) &&
      (sampling.block_length || sampling.verify > 0 || sampling.cfg_scale != 0 || sampling.revoke ||
       sampling.algorithm == Algorithm::P2 || sampling.algorithm == Algorithm::Remdm)) {
    return fail(ErrorCode::InvalidInput,
                "holes that change their length cannot be used with block_length, verify, "
                "revoke, cfg_scale, alg p2 or alg remdm");
  }
  if (request.elastic && sampling.info_gain > 0) {
    return fail(ErrorCode::InvalidInput, "info_gain cannot be used with elastic holes");
  }
  if (request.first_rows && (watches(request.cache) || sampling.cfg_scale != 0)) {
    return fail(ErrorCode::InvalidInput,
                "with refresh_drift or cfg_scale the first pass must be a full one");
  }
  if (watches(request.cache) && sampling.verify > 0) {
    return fail(ErrorCode::InvalidInput,
                "refresh_drift cannot be used with verify: a step that was tried ahead does not "
                "say how the attention has moved");
  }
  return {};
}

// The passes of a step, all of several runs at once.
class Passes {
 public:
  explicit Passes(Predictor& predictor) : predictor_(predictor) {}

  void begin() {
    batch_.clear();
    n_candidates_ = 0;
  }
  void ask(DenoiseRun& run) { run.ask(batch_, n_candidates_); }

  // The pass that was asked for, and those that it turns out to need.
  void run(std::span<const std::unique_ptr<DenoiseRun>> runs) {
    predict();
    if (all_stopped(runs)) return;
    stale_.clear();
    looking_.clear();
    for (const std::unique_ptr<DenoiseRun>& run : runs) {
      if (!run) continue;
      if (run->is_stale()) {
        stale_.push_back(run.get());
      } else {
        take(*run);
      }
    }
    if (!stale_.empty()) {
      begin();
      for (DenoiseRun* run : stale_) run->refresh(batch_, n_candidates_);
      predict();
      if (all_stopped(runs)) return;
      for (DenoiseRun* run : stale_) take(*run);
    }
    if (!looking_.empty()) {
      begin();
      for (DenoiseRun* run : looking_) run->look(batch_, n_candidates_);
      predict();
      if (all_stopped(runs)) return;
      for (DenoiseRun* run : looking_) run->take_look(candidates_);
    }
  }

 private:
  // Then the passes may have been left before their end.
  static bool all_stopped(std::span<const std::unique_ptr<DenoiseRun>> runs) {
    return std::all_of(runs.begin(), runs.end(),
                       [](const auto& run) { return !run || run->stopped(); });
  }

  void predict() {
    candidates_.resize(static_cast<std::size_t>(n_candidates_));
    if (!batch_.empty()) predictor_.predict_batch(batch_, candidates_);
  }
  void take(DenoiseRun& run) {
    if (!run.take(candidates_)) looking_.push_back(&run);
  }

  Predictor& predictor_;
  std::vector<PredictRequest> batch_;
  int n_candidates_ = 0;
  std::vector<Candidate> candidates_;
  std::vector<DenoiseRun*> stale_;
  std::vector<DenoiseRun*> looking_;
};

}  // namespace

std::vector<Result<DenoiseResult>> denoise_batch(Predictor& predictor,
                                                 std::span<const DenoiseRequest> requests) {
  const int n = static_cast<int>(requests.size());
  std::vector<Result<DenoiseResult>> results;
  std::vector<std::unique_ptr<DenoiseRun>> runs;  // null when done
  for (int i = 0; i < n; ++i) {
    const Result<void> checked = check_request(requests[i]);
    runs.push_back(checked ? std::make_unique<DenoiseRun>(predictor, requests[i], i, n + i, n == 1)
                           : nullptr);
    results.emplace_back(checked ? Error{ErrorCode::Cancelled, {}} : checked.error());
  }
  Passes passes(predictor);
  for (int step = 0;; ++step) {
    bool running = false;
    passes.begin();
    for (int i = 0; i < n; ++i) {
      if (!runs[i]) continue;
      if (!runs[i]->wants_step()) {
        results[i] = runs[i]->result();
        runs[i].reset();
      } else if (runs[i]->stopped()) {
        results[i] = fail(ErrorCode::Cancelled, "stopped before step " + std::to_string(step));
        runs[i].reset();
      } else {
        passes.ask(*runs[i]);
        running = true;
      }
    }
    if (!running) return results;
    passes.run(runs);
  }
}

Result<DenoiseResult> denoise(Predictor& predictor, const DenoiseRequest& request) {
  return std::move(denoise_batch(predictor, {&request, 1}).front());
}

ForwardLimits limits_of(std::span<const DenoiseRequest> requests) {
  ForwardLimits limits{.canvas = 0, .slots = static_cast<int>(requests.size())};
  bool guided = false;
  for (const DenoiseRequest& request : requests) {
    const int canvas = largest_canvas(request);
    const bool is_guided = request.sampling.cfg_scale != 0;
    limits.canvas = std::max(limits.canvas, canvas);
    const int drafts =
        requests.size() > 1
            ? 0
            : request.sampling.verify * draft_rows(request.cache, canvas, count_masks(request));
    // A question needs two rows where logits are shifted.
    const int questions = request.sampling.revoke ? 2 * count_masks(request) : 0;
    const int looks =
        request.sampling.info_gain * draft_rows(request.cache, canvas, count_masks(request));
    limits.variant_rows += drafts + questions + looks;
    limits.rows += canvas * (is_guided ? 2 : 1) + drafts + questions + looks;
    limits.watches = limits.watches || watches(request.cache);
    guided = guided || is_guided;
  }
  if (guided) limits.slots *= 2;
  return limits;
}

ForwardLimits limits_of(const DenoiseRequest& request) {
  return limits_of(std::span<const DenoiseRequest>(&request, 1));
}

}  // namespace lacuna::engine
