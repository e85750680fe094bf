#include "engine/length.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/transformer_predictor.h"

namespace lacuna::engine {
namespace {

using Tokens = std::vector<std::int32_t>;

// One length of one hole, tried.
struct Trial {
  Tokens canvas;
  Tokens rows;
  Tokens masked;
  CanvasSplice splice;
};

Trial trial_of(const Model& model, const Canvas& canvas, const CanvasHole& hole, int length) {
  Trial trial{.canvas = canvas.tokens,
              .rows = {},
              .masked = {},
              .splice = {.begin = hole.begin, .removed = hole.length, .inserted = length}};
  const auto begin = trial.canvas.begin() + hole.begin;
  trial.canvas.erase(begin, begin + hole.length);
  trial.canvas.insert(trial.canvas.begin() + hole.begin, static_cast<std::size_t>(length),
                      model.mask_token());
  if (model.config().shift_logits && hole.begin > 0) trial.rows.push_back(hole.begin - 1);
  for (int i = 0; i < length; ++i) trial.masked.push_back(hole.begin + i);
  trial.rows.insert(trial.rows.end(), trial.masked.begin(), trial.masked.end());
  return trial;
}

double mean_probability(std::span<const Candidate> candidates) {
  double sum = 0;
  for (const Candidate& candidate : candidates) sum += candidate.probability;
  return sum / static_cast<double>(std::max<std::size_t>(1, candidates.size()));
}

// Keys and values of a canvas, on which lengths are tried.
class Prober {
 public:
  // Trials of one call may have `trial_rows` rows in all, each at most `max_length` masks.
  Prober(const Model& model, const Canvas& canvas, const CopySource* copies, int max_length,
         int trial_rows, const std::stop_token& stop, const ResidentDocument* resident)
      : model_(model),
        canvas_(canvas),
        copies_(copies),
        stop_(stop),
        predictor_(model.transformer(), model.context(),
                   ForwardLimits{.canvas = static_cast<int>(canvas.tokens.size()) + max_length,
                                 .rows = static_cast<int>(canvas.tokens.size()) + trial_rows,
                                 .variant_rows = trial_rows,
                                 .splices = true},
                   model.precision()) {
    if (resident == nullptr) {
      Tokens rows(canvas.tokens.size());
      std::iota(rows.begin(), rows.end(), 0);
      predictor_.predict(request_of(canvas.tokens, rows, {}), {});
      return;
    }
    const ResidentCache::Warmth warmth =
        resident->load(predictor_.pass(), 0, canvas.tokens, model.mask_token());
    predictor_.predict(request_of(canvas.tokens, warmth.rows, {}), {});
    // A pass that was left has nothing to keep.
    if (stop.stop_requested()) return;
    resident->save(predictor_.pass(), 0, canvas.tokens, warmth.edits);
  }

  std::vector<double> confidence(int hole_idx, std::span<const int> lengths) {
    const CanvasHole& hole = canvas_.holes[hole_idx];
    std::vector<Trial> trials;
    trials.reserve(lengths.size());
    std::vector<PredictRequest> requests;
    std::size_t n_candidates = 0;
    for (const int length : lengths) {
      const Trial& trial = trials.emplace_back(trial_of(model_, canvas_, hole, length));
      PredictRequest request = request_of(trial.canvas, trial.rows, trial.masked);
      request.variant = true;
      request.splice = trial.splice;
      requests.push_back(request);
      n_candidates += trial.masked.size();
    }
    std::vector<Candidate> candidates(n_candidates);
    predictor_.predict_batch(requests, candidates);
    std::vector<double> confidence;
    std::size_t first = 0;
    for (const Trial& trial : trials) {
      confidence.push_back(
          mean_probability(std::span(candidates).subspan(first, trial.masked.size())));
      first += trial.masked.size();
    }
    return confidence;
  }

 private:
  PredictRequest request_of(std::span<const std::int32_t> canvas,
                            std::span<const std::int32_t> rows,
                            std::span<const std::int32_t> masked) const {
    PredictRequest request{.canvas = canvas,
                           .rows = rows,
                           .masked = masked,
                           .draw = {},
                           .random = &random_,
                           .step = 0,
                           .copies = copies_,
                           .stop = &stop_};
    request.draw.allowed = model_.fill_tokens();
    // An empty place is no guess at what belongs there.
    request.draw.forbidden = model_.config().delete_token.value_or(-1);
    return request;
  }

  const Model& model_;
  const Canvas& canvas_;
  const CopySource* copies_;
  const std::stop_token stop_;
  const Random random_{0};
  TransformerPredictor predictor_;
};

int sum_of(std::span<const int> lengths) {
  return std::accumulate(lengths.begin(), lengths.end(), 0);
}

std::vector<int> first_lengths(int least, int max_tokens) {
  std::vector<int> lengths;
  if (least < max_tokens) lengths.push_back(least);
  for (int length = 1; length < max_tokens; length *= 2) {
    if (length > least) lengths.push_back(length);
  }
  lengths.push_back(max_tokens);
  return lengths;
}

// Up to three lengths on each side of the best of the first ones, between it and its neighbours.
constexpr int kLengthsBetween = 6;

std::vector<int> lengths_between(std::span<const int> first, int best) {
  const auto at = std::find(first.begin(), first.end(), best);
  const int below = at == first.begin() ? best : *(at - 1);
  const int above = at + 1 == first.end() ? best : *(at + 1);
  std::vector<int> lengths;
  for (int quarter = 1; quarter < 4; ++quarter) {
    lengths.push_back(below + (best - below) * quarter / 4);
    lengths.push_back(best + (above - best) * quarter / 4);
  }
  std::sort(lengths.begin(), lengths.end());
  lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  std::erase_if(lengths, [&](int length) {
    return length < 1 || std::find(first.begin(), first.end(), length) != first.end();
  });
  return lengths;
}

LengthCalibration with_prior(LengthCalibration calibration, const LengthPrior& prior) {
  constexpr double kLeastDeviation = 0.1;  // as a measured one has
  constexpr double kWeight = 1;            // docs/quality.md has others
  calibration.prior_weight = kWeight;
  calibration.log_mean = prior.log_mean;
  calibration.log_deviation = std::max(kLeastDeviation, prior.log_deviation);
  return calibration;
}

}  // namespace

std::vector<double> length_confidence(const Model& model, const Canvas& canvas, int hole_idx,
                                      std::span<const int> lengths, const CopySource* copies) {
  const int rows = sum_of(lengths) + static_cast<int>(lengths.size());
  Prober prober(model, canvas, copies, *std::max_element(lengths.begin(), lengths.end()), rows, {},
                nullptr);
  return prober.confidence(hole_idx, lengths);
}

std::vector<int> choose_lengths(const Model& model, const Canvas& canvas,
                                const LengthCalibration& calibration, const CopySource* copies,
                                int max_tokens, int room, std::span<const std::uint8_t> fixed,
                                std::span<const std::optional<LengthPrior>> priors,
                                const std::stop_token& stop, const ResidentDocument* resident) {
  std::vector<int> chosen;
  chosen.reserve(canvas.holes.size());
  for (const CanvasHole& hole : canvas.holes) chosen.push_back(hole.length);
  if (std::find(fixed.begin(), fixed.end(), 0) == fixed.end()) return chosen;
  const std::vector<int> all = first_lengths(1, max_tokens);
  // Each trial has the row before the hole, too; those between the first lengths are the more.
  const int first_rows = sum_of(all) + static_cast<int>(all.size());
  Prober prober(model, canvas, copies, max_tokens,
                std::max(first_rows, kLengthsBetween * (max_tokens + 1)), stop, resident);
  for (std::size_t i = 0; i < canvas.holes.size(); ++i) {
    if (stop.stop_requested()) return chosen;
    if (fixed[i] != 0) continue;
    const int limit = std::min(max_tokens, canvas.holes[i].length + room);
    const bool has_prior = i < priors.size() && priors[i];
    const LengthCalibration judge = has_prior ? with_prior(calibration, *priors[i]) : calibration;
    const int least = std::clamp(has_prior ? priors[i]->least : 1, 1, std::max(1, limit));
    int best = canvas.holes[i].length;
    double best_score = -std::numeric_limits<double>::infinity();
    const auto try_all = [&](std::span<const int> lengths) {
      const std::vector<double> confidence = prober.confidence(static_cast<int>(i), lengths);
      for (std::size_t l = 0; l < lengths.size(); ++l) {
        // That of the length, not of its logarithm, whose density is higher where it is short.
        const double density = has_prior ? std::log(lengths[l]) : 0;
        const double score = judge.score(lengths[l], confidence[l]) - density;
        if (score > best_score) {
          best_score = score;
          best = lengths[l];
        }
      }
    };
    const std::vector<int> first = first_lengths(least, limit);
    try_all(first);
    if (const std::vector<int> between = lengths_between(first, best); !between.empty()) {
      try_all(between);
    }
    chosen[i] = best;
    room -= std::max(0, best - canvas.holes[i].length);
  }
  return chosen;
}

Canvas with_lengths(const Canvas& canvas, std::span<const int> lengths, std::int32_t mask_token) {
  Canvas result;
  int at = 0;  // in the old canvas
  for (std::size_t i = 0; i < canvas.holes.size(); ++i) {
    const CanvasHole& hole = canvas.holes[i];
    result.tokens.insert(result.tokens.end(), canvas.tokens.begin() + at,
                         canvas.tokens.begin() + hole.begin);
    result.holes.push_back({.hole_idx = hole.hole_idx,
                            .begin = static_cast<int>(result.tokens.size()),
                            .length = lengths[i]});
    result.tokens.insert(result.tokens.end(), static_cast<std::size_t>(lengths[i]), mask_token);
    at = hole.begin + hole.length;
  }
  result.tokens.insert(result.tokens.end(), canvas.tokens.begin() + at, canvas.tokens.end());
  return result;
}

}  // namespace lacuna::engine
