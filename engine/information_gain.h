// Looking ahead: of several sets of tokens that a step could commit, the one after which the model
// is surest of the rest (Info-Gain sampler, "Improving sampling for masked diffusion models via
// information gain", 2602.18176).
//
// An action is what the rule would choose: the first one from the candidates as they are, the
// others after their probabilities p became p / position_temperature + Gumbel noise, and, at a
// temperature above 0, with tokens drawn anew. Actions are tried as variants of the canvas, in one
// pass. The action with the largest
//   gain = -(sum of the entropies of what it commits) - (mean entropy of the masks that it leaves)
// wins, of equal ones the first: what the masks' entropies fall by, less what the action itself
// guesses, but for a constant. Entropies are those of `alg entropy`: after temperature and filters.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/drafts.h"
#include "engine/predictor.h"
#include "engine/sampler/commit_rule.h"

namespace lacuna::engine {

class InformationGain {
 public:
  // Up to sampling.info_gain actions on a canvas of `canvas_size` tokens, `masks` of them masked;
  // 0 switches everything off.
  InformationGain(const SamplingOptions& sampling, int canvas_size, int masks);

  // Draws the index-th candidate again, its token by other numbers; `attempt` from 1 on.
  using Redraw = std::function<Candidate(int index, int attempt)>;

  // Whether there is something to look at: more masks than the rule takes, a choice that is not
  // sure enough anyway, and two different actions at least. `candidates` are those of the step,
  // `chosen` what the rule chose of them.
  bool plan(const PredictRequest& pass, std::span<const Candidate> candidates,
            std::span<const int> chosen, CommitRule& rule, const StepInfo& info,
            const Redraw& redraw);
  // Appends the actions to a pass over `rows`, those that the next step will compute.
  void ask(const PredictRequest& pass, std::span<const std::int32_t> rows,
           std::vector<PredictRequest>& batch, int& n_candidates);
  // What to commit. Valid until the next plan().
  std::span<const Candidate> best(std::span<const Candidate> answers);

  // Whether the last winner has foreseen this step, as Drafts::find() says it.
  bool find(std::span<const std::int32_t> canvas, int step, std::span<const std::int32_t> rows,
            std::span<const std::int32_t> predicted, std::span<Candidate> candidates);
  int first_candidate() const {
    return actions_[static_cast<std::size_t>(winner_)].draft.first_candidate;
  }
  void forget() { winner_ = -1; }

 private:
  struct Action {
    std::vector<Candidate> commits;
    Draft draft;  // the canvas afterwards
  };

  bool is_sure(std::span<const Candidate> candidates, std::span<const int> chosen) const;
  void add(const PredictRequest& pass, std::span<const Candidate> candidates,
           std::span<const int> chosen);
  double gain(const Action& action) const;

  int most_;
  float position_temperature_;
  float bypass_;
  std::vector<Action> actions_;  // most_, reused; the first n_ count
  int n_ = 0;
  int winner_ = -1;
  std::vector<Candidate> noisy_;
  std::vector<int> chosen_;
};

}  // namespace lacuna::engine
