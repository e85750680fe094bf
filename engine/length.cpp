#include "engine/length.h"

#include <algorithm>
#include <cmath>
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
  double log_probability = 0;  // of the tokens that were committed
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

// The surest candidates, `number` of them, become tokens of the trial.
void commit(Trial& trial, std::span<const Candidate> candidates, int number) {
  std::vector<Candidate> surest(candidates.begin(), candidates.end());
  const auto end = surest.begin() + std::min<std::ptrdiff_t>(number, std::ssize(surest));
  std::partial_sort(surest.begin(), end, surest.end(), [](const Candidate& a, const Candidate& b) {
    return a.probability > b.probability;
  });
  constexpr float kLeast = 1e-9F;
  for (const Candidate& it : std::span(surest.begin(), end)) {
    // Where nothing can be drawn the mask stays.
    if (it.token >= 0) trial.canvas[static_cast<std::size_t>(it.position)] = it.token;
    trial.log_probability += std::log(std::max(kLeast, it.probability));
    std::erase(trial.masked, it.position);
  }
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
    std::vector<Trial> trials = trials_of(hole_idx, lengths);
    std::vector<double> confidence;
    std::size_t first = 0;
    const std::vector<Candidate> candidates = predict(trials);
    for (const Trial& trial : trials) {
      confidence.push_back(
          mean_probability(std::span(candidates).subspan(first, trial.masked.size())));
      first += trial.masked.size();
    }
    return confidence;
  }

  // As finished_log_probability() says.
  std::vector<double> log_probability(int hole_idx, std::span<const int> lengths) {
    std::vector<Trial> trials = trials_of(hole_idx, lengths);
    const int longest = *std::max_element(lengths.begin(), lengths.end());
    for (int step = 0; step < std::min(longest, kMostSteps); ++step) {
      if (stop_.stop_requested()) break;
      const std::vector<Candidate> candidates = predict(trials);
      std::size_t first = 0;
      for (std::size_t i = 0; i < trials.size(); ++i) {
        const std::size_t n_masked = trials[i].masked.size();
        commit(trials[i], std::span(candidates).subspan(first, n_masked),
               (lengths[i] + kMostSteps - 1) / kMostSteps);
        first += n_masked;
      }
    }
    std::vector<double> sums;
    sums.reserve(trials.size());
    for (const Trial& trial : trials) sums.push_back(trial.log_probability);
    return sums;
  }

 private:
  // Longer trials commit several tokens at a step.
  static constexpr int kMostSteps = 16;

  std::vector<Trial> trials_of(int hole_idx, std::span<const int> lengths) const {
    const CanvasHole& hole = canvas_.holes[static_cast<std::size_t>(hole_idx)];
    std::vector<Trial> trials;
    trials.reserve(lengths.size());
    for (const int length : lengths) trials.push_back(trial_of(model_, canvas_, hole, length));
    return trials;
  }

  // Candidates for what is masked in each trial, one after the other; those that are finished have
  // none.
  std::vector<Candidate> predict(std::span<const Trial> trials) {
    std::vector<PredictRequest> requests;
    std::size_t n_candidates = 0;
    for (const Trial& trial : trials) {
      if (trial.masked.empty()) continue;
      PredictRequest& request =
          requests.emplace_back(request_of(trial.canvas, trial.rows, trial.masked));
      request.variant = true;
      request.splice = trial.splice;
      n_candidates += trial.masked.size();
    }
    std::vector<Candidate> candidates(n_candidates);
    predictor_.predict_batch(requests, candidates);
    return candidates;
  }

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

struct Tried {
  int length;
  double score;  // by the first guess
};

// Of two texts the longer is the less probable one: sums are compared as if they grew with the root of
// the length. How usual a length is counts for less once there is a text. docs/quality.md has what was
// tried.
constexpr double kLengthPower = 0.5;
constexpr double kPriorShare = 0.3;

double final_score(int length, double log_probability, const LengthCalibration& judge) {
  const double off = (std::log(length) - judge.log_mean) / judge.log_deviation;
  const double prior = -judge.prior_weight * 0.5 * off * off - std::log(length);
  return log_probability / std::pow(length, kLengthPower) + kPriorShare * prior;
}

int best_of_finalists(Prober& prober, int hole_idx, std::span<const Tried> surest_first,
                      const LengthCalibration& judge, int finalists) {
  const std::size_t number = std::min<std::size_t>(surest_first.size(), std::max(1, finalists));
  if (number == 1) return surest_first.front().length;
  std::vector<int> lengths;
  for (const Tried& it : surest_first.first(number)) lengths.push_back(it.length);
  const std::vector<double> sums = prober.log_probability(hole_idx, lengths);
  std::vector<double> scores;
  scores.reserve(number);
  for (std::size_t l = 0; l < number; ++l) {
    scores.push_back(final_score(lengths[l], sums[l], judge));
  }
  return lengths[std::max_element(scores.begin(), scores.end()) - scores.begin()];
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

std::vector<double> finished_log_probability(const Model& model, const Canvas& canvas, int hole_idx,
                                             std::span<const int> lengths,
                                             const CopySource* copies) {
  const int rows = sum_of(lengths) + static_cast<int>(lengths.size());
  Prober prober(model, canvas, copies, *std::max_element(lengths.begin(), lengths.end()), rows, {},
                nullptr);
  return prober.log_probability(hole_idx, lengths);
}

std::vector<int> choose_lengths(const Model& model, const Canvas& canvas,
                                const LengthCalibration& calibration, const LengthSearch& search) {
  std::vector<int> chosen;
  chosen.reserve(canvas.holes.size());
  for (const CanvasHole& hole : canvas.holes) chosen.push_back(hole.length);
  if (std::find(search.fixed.begin(), search.fixed.end(), 0) == search.fixed.end()) return chosen;
  const std::vector<int> all = first_lengths(1, search.max_tokens);
  // Each trial has the row before the hole, too; those between the first lengths are the more.
  const int first_rows = sum_of(all) + static_cast<int>(all.size());
  const int most = std::max(kLengthsBetween, search.finalists);
  Prober prober(model, canvas, search.copies, search.max_tokens,
                std::max(first_rows, most * (search.max_tokens + 1)), search.stop, search.resident);
  int room = search.room;
  for (std::size_t i = 0; i < canvas.holes.size(); ++i) {
    if (search.stop.stop_requested()) return chosen;
    if (search.fixed[i] != 0) continue;
    const int limit = std::min(search.max_tokens, canvas.holes[i].length + room);
    const bool has_prior = i < search.priors.size() && search.priors[i];
    const LengthCalibration judge =
        has_prior ? with_prior(calibration, *search.priors[i]) : calibration;
    const int least = std::clamp(has_prior ? search.priors[i]->least : 1, 1, std::max(1, limit));
    std::vector<Tried> tried;
    const auto try_all = [&](std::span<const int> lengths) {
      const std::vector<double> confidence = prober.confidence(static_cast<int>(i), lengths);
      for (std::size_t l = 0; l < lengths.size(); ++l) {
        // That of the length, not of its logarithm, whose density is higher where it is short.
        const double density = has_prior ? std::log(lengths[l]) : 0;
        tried.push_back({lengths[l], judge.score(lengths[l], confidence[l]) - density});
      }
      std::stable_sort(tried.begin(), tried.end(),
                       [](const Tried& a, const Tried& b) { return a.score > b.score; });
    };
    const std::vector<int> first = first_lengths(least, limit);
    try_all(first);
    if (const std::vector<int> between = lengths_between(first, tried.front().length);
        !between.empty()) {
      try_all(between);
    }
    chosen[i] = best_of_finalists(prober, static_cast<int>(i), tried, judge, search.finalists);
    room -= std::max(0, chosen[i] - canvas.holes[i].length);
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
