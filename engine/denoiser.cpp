#include "engine/denoiser.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <string>

#include "engine/sampler/commit_rule.h"

namespace lacuna::engine {
namespace {

DrawOptions draw_options(const DenoiseRequest& request) {
  const SamplingOptions& sampling = request.sampling;
  return {.temperature = sampling.temperature,
          .top_p = sampling.top_p,
          .top_k = sampling.top_k,
          .confidence = confidence_of(sampling.algorithm),
          .allowed = request.allowed};
}

[[maybe_unused]] bool predicts_all(const Predictor& predictor, const PredictRequest& request) {
  return std::all_of(request.masked.begin(), request.masked.end(), [&](std::int32_t position) {
    return std::binary_search(request.rows.begin(), request.rows.end(),
                              predictor.row_that_predicts(position));
  });
}

// The state of one call of denoise(). All vectors get their capacity in the constructor.
class Run {
 public:
  Run(Predictor& predictor, const DenoiseRequest& request)
      : predictor_(predictor),
        request_(request),
        draw_(draw_options(request)),
        random_(request.sampling.seed),
        canvas_(request.canvas) {
    for (std::size_t i = 0; i < canvas_.size(); ++i) {
      if (canvas_[i] == request_.mask_token) masked_.push_back(static_cast<std::int32_t>(i));
    }
    initial_masks_ = static_cast<int>(masked_.size());
    rule_ = make_commit_rule(request_.sampling, initial_masks_);
    candidates_.resize(masked_.size());
    chosen_.reserve(masked_.size());
    proposals_.reserve(masked_.size());
    commits_.reserve(masked_.size());
    if (request_.constraint != nullptr) {
      redrawn_.reserve(masked_.size());
      accepted_.reserve(masked_.size());
      banned_.resize(canvas_.size());
    }
    if (request_.cache == nullptr) {
      exact_ = exact_cache(static_cast<int>(canvas_.size()));
    }
  }

  Result<DenoiseResult> run() {
    int step = 0;
    for (; wants_step(step); ++step) {
      if (request_.stop.stop_requested()) {
        return fail(ErrorCode::Cancelled, "stopped before step " + std::to_string(step));
      }
      take_step(step);
    }
    return DenoiseResult{.canvas = std::move(canvas_),
                         .steps_run = step,
                         .forward_passes = step,
                         .masks_left = static_cast<int>(masked_.size())};
  }

 private:
  using Clock = std::chrono::steady_clock;

  bool wants_step(int step) const {
    const int steps = request_.sampling.steps;
    if (masked_.empty() && request_.early_exit) return false;
    if (step < steps) return true;
    return !masked_.empty() && rule_->runs_past_last_step() && step < steps + initial_masks_;
  }

  void take_step(int step) {
    const auto begin = Clock::now();
    CachePolicy& cache = request_.cache != nullptr ? *request_.cache : *exact_;
    const PredictRequest pass{.canvas = canvas_,
                              .rows = cache.rows(step, masked_),
                              .masked = masked_,
                              .draw = draw_,
                              .random = &random_,
                              .step = step,
                              .banned = banned_};
    predict(pass);
    choose(step);
    commit(pass);
    report(pass, std::chrono::duration<double>(Clock::now() - begin).count());
    std::erase_if(masked_, [this](std::int32_t position) {
      return token_at(position) != request_.mask_token;
    });
  }

  void predict(const PredictRequest& pass) {
    assert(predicts_all(predictor_, pass));
    candidates_.resize(masked_.size());
    predictor_.predict(pass, candidates_);
  }

  void choose(int step) {
    const StepInfo info{.step = step,
                        .steps = request_.sampling.steps,
                        .eps = request_.sampling.eps,
                        .refused = refused_};
    chosen_.clear();
    rule_->choose(info, candidates_, random_, chosen_);
    proposals_.clear();
    for (const int index : chosen_) {
      propose(candidates_[static_cast<std::size_t>(index)], proposals_);
    }
  }

  // A position that cannot be committed, or draws the mask token, stays as it is.
  void propose(const Candidate& candidate, std::vector<Candidate>& proposals) const {
    if (is_usable(candidate) && candidate.token != request_.mask_token) {
      proposals.push_back(candidate);
    }
  }

  void commit(const PredictRequest& pass) {
    commits_.clear();
    refused_ = 0;
    std::sort(proposals_.begin(), proposals_.end(), is_surer);
    if (request_.constraint == nullptr) {
      for (const Candidate& proposal : proposals_) write(proposal);
      return;
    }
    const std::size_t n_proposed = proposals_.size();
    int redraws_left = request_.max_redraws;
    while (!proposals_.empty()) {
      vet(pass, redraws_left);
      proposals_.swap(redrawn_);
      std::sort(proposals_.begin(), proposals_.end(), is_surer);
    }
    refused_ = static_cast<int>(n_proposed - commits_.size());
  }

  // Writes the accepted proposals and draws again for the refused ones.
  void vet(const PredictRequest& pass, int& redraws_left) {
    accepted_.assign(proposals_.size(), 0);
    request_.constraint->vet(canvas_, proposals_, accepted_);
    redrawn_.clear();
    for (std::size_t i = 0; i < proposals_.size(); ++i) {
      const Candidate& proposal = proposals_[i];
      if (accepted_[i] != 0) {
        write(proposal);
        continue;
      }
      banned_[static_cast<std::size_t>(proposal.position)].push_back(proposal.token);
      if (redraws_left <= 0) continue;
      --redraws_left;
      propose(predictor_.redraw(pass, index_of(proposal.position)), redrawn_);
    }
  }

  void write(const Candidate& candidate) {
    token_at(candidate.position) = candidate.token;
    commits_.push_back(candidate);
  }

  void report(const PredictRequest& pass, double seconds) const {
    if (!request_.on_step) return;
    request_.on_step({.step = pass.step,
                      .steps = request_.sampling.steps,
                      .canvas = canvas_,
                      .commits = commits_,
                      .candidates = candidates_,
                      .masks_left = static_cast<int>(masked_.size() - commits_.size()),
                      .rows_computed = static_cast<int>(pass.rows.size()),
                      .seconds = seconds});
  }

  int index_of(int position) const {
    const auto found = std::lower_bound(masked_.begin(), masked_.end(), position);
    return static_cast<int>(found - masked_.begin());
  }

  std::int32_t& token_at(int position) { return canvas_[static_cast<std::size_t>(position)]; }

  Predictor& predictor_;
  const DenoiseRequest& request_;
  const DrawOptions draw_;
  const Random random_;
  std::unique_ptr<CachePolicy> exact_;
  std::unique_ptr<CommitRule> rule_;
  int initial_masks_ = 0;

  std::vector<std::int32_t> canvas_;
  std::vector<std::int32_t> masked_;               // positions masked before the step, increasing
  std::vector<Candidate> candidates_;              // one for each of masked_
  std::vector<int> chosen_;                        // indices into candidates_
  std::vector<Candidate> proposals_;               // to be vetted, surest first
  std::vector<Candidate> redrawn_;                 // the next proposals
  std::vector<std::uint8_t> accepted_;             // as Constraint::vet() says
  std::vector<Candidate> commits_;                 // of this step
  std::vector<std::vector<std::int32_t>> banned_;  // for each position, if there is a constraint
  int refused_ = 0;                                // of the last step, as in StepInfo
};

}  // namespace

Result<DenoiseResult> denoise(Predictor& predictor, const DenoiseRequest& request) {
  if (const Result<void> checked = check(request.sampling); !checked) return checked.error();
  return Run(predictor, request).run();
}

}  // namespace lacuna::engine
