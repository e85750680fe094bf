#include "engine/information_gain.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lacuna::engine {

InformationGain::InformationGain(const SamplingOptions& sampling, int canvas_size, int masks)
    : most_(sampling.info_gain),
      position_temperature_(sampling.position_temperature),
      bypass_(sampling.gain_bypass),
      actions_(static_cast<std::size_t>(most_)) {
  for (Action& action : actions_) {
    action.commits.reserve(static_cast<std::size_t>(masks));
    action.draft.reserve(canvas_size, masks);
  }
  if (most_ == 0) return;
  noisy_.reserve(static_cast<std::size_t>(masks));
  chosen_.reserve(static_cast<std::size_t>(masks));
}

bool InformationGain::plan(const PredictRequest& pass, std::span<const Candidate> candidates,
                           std::span<const int> chosen, CommitRule& rule, const StepInfo& info,
                           const Redraw& redraw) {
  n_ = 0;
  winner_ = -1;
  if (most_ < 2 || chosen.empty() || chosen.size() == candidates.size()) return false;
  if (is_sure(candidates, chosen)) return false;
  add(pass, candidates, chosen);
  for (int attempt = 1; attempt < most_; ++attempt) {
    noisy_.assign(candidates.begin(), candidates.end());
    for (Candidate& candidate : noisy_) {
      if (!is_usable(candidate)) continue;
      // Half a step up from [0, 1), so that the logarithm of 0 is never asked for.
      const double uniform = 0x1p-54 + pass.random->uniform(Random::Purpose::Position, pass.step,
                                                            candidate.position, attempt);
      const double noise = -std::log(-std::log(uniform));
      candidate.confidence =
          static_cast<float>(candidate.probability / double{position_temperature_} + noise);
    }
    chosen_.clear();
    rule.choose(info, noisy_, *pass.random, chosen_);
    for (const int i : chosen_) {
      // The confidence is the row's entropy again, whatever its token.
      auto& candidate = noisy_[static_cast<std::size_t>(i)];
      candidate =
          pass.draw.temperature > 0 ? redraw(i, attempt) : candidates[static_cast<std::size_t>(i)];
    }
    add(pass, noisy_, chosen_);
  }
  return n_ > 1;
}

bool InformationGain::is_sure(std::span<const Candidate> candidates,
                              std::span<const int> chosen) const {
  return std::all_of(chosen.begin(), chosen.end(), [&](int i) {
    return candidates[static_cast<std::size_t>(i)].probability > bypass_;
  });
}

// Unless the same canvas is there already.
void InformationGain::add(const PredictRequest& pass, std::span<const Candidate> candidates,
                          std::span<const int> chosen) {
  Action& action = actions_[static_cast<std::size_t>(n_)];
  action.commits.clear();
  Draft& draft = action.draft;
  draft.step = pass.step + 1;
  draft.canvas.assign(pass.canvas.begin(), pass.canvas.end());
  draft.masked.assign(pass.masked.begin(), pass.masked.end());
  for (const int i : chosen) {
    const Candidate& candidate = candidates[static_cast<std::size_t>(i)];
    if (!is_usable(candidate)) continue;
    action.commits.push_back(candidate);
    // A position that draws the mask token stays masked.
    if (candidate.token == pass.canvas[candidate.position]) continue;
    draft.canvas[candidate.position] = candidate.token;
    std::erase(draft.masked, candidate.position);
  }
  const auto is_same = [&](const Action& other) { return other.draft.canvas == draft.canvas; };
  if (std::any_of(actions_.begin(), actions_.begin() + n_, is_same)) return;
  ++n_;
}

void InformationGain::ask(const PredictRequest& pass, std::span<const std::int32_t> rows,
                          std::vector<PredictRequest>& batch, int& n_candidates) {
  for (int i = 0; i < n_; ++i) {
    actions_[static_cast<std::size_t>(i)].draft.ask(pass, rows, batch, n_candidates);
  }
}

double InformationGain::gain(const Action& action) const {
  double cost = 0;
  for (const Candidate& commit : action.commits) cost -= commit.confidence;
  double left = 0;
  for (const Candidate& candidate : action.draft.candidates) left -= candidate.confidence;
  const auto masks = static_cast<double>(action.draft.candidates.size());
  return -cost - (masks > 0 ? left / masks : 0);
}

std::span<const Candidate> InformationGain::best(std::span<const Candidate> answers) {
  double largest = -std::numeric_limits<double>::infinity();
  winner_ = 0;
  for (int i = 0; i < n_; ++i) {
    Action& action = actions_[static_cast<std::size_t>(i)];
    action.draft.take(answers);
    const double value = gain(action);
    if (value > largest) {
      largest = value;
      winner_ = i;
    }
  }
  return actions_[static_cast<std::size_t>(winner_)].commits;
}

bool InformationGain::find(std::span<const std::int32_t> canvas, int step,
                           std::span<const std::int32_t> rows,
                           std::span<const std::int32_t> predicted,
                           std::span<Candidate> candidates) {
  if (winner_ < 0) return false;
  const Draft& draft = actions_[static_cast<std::size_t>(winner_)].draft;
  if (!draft.is(canvas, step, rows, predicted)) return false;
  std::copy(draft.candidates.begin(), draft.candidates.end(), candidates.begin());
  return true;
}

}  // namespace lacuna::engine
