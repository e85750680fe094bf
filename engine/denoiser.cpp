#include "engine/denoiser.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "engine/drafts.h"
#include "engine/information_gain.h"
#include "engine/revocation.h"
#include "engine/sampler/commit_rule.h"

namespace lacuna::engine {
namespace {

using Clock = std::chrono::steady_clock;

DrawOptions draw_options(const DenoiseRequest& request) {
  const SamplingOptions& sampling = request.sampling;
  return {.temperature = sampling.temperature,
          .top_p = sampling.top_p,
          .top_k = sampling.top_k,
          .confidence = confidence_of(sampling.algorithm),
          .allowed = request.allowed,
          .gumbel = sampling.algorithm == Algorithm::LowConfidence ||
                    sampling.algorithm == Algorithm::Random,
          .distrusted = request.distrusted};
}

int count_masks(const DenoiseRequest& request) {
  return static_cast<int>(
      std::count(request.canvas.begin(), request.canvas.end(), request.mask_token));
}

int largest_canvas(const DenoiseRequest& request) {
  const int size = static_cast<int>(request.canvas.size());
  return request.elastic ? std::max(size, request.elastic->max_canvas) : size;
}

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
  return {};
}

// One request being denoised. All vectors get their capacity in the constructor.
//
// ask() and take() are the two halves of a step, with the forward pass between them, so that
// several runs can share a pass. A step that looks ahead has another pass after take(), between
// look() and take_look().
class Run {
 public:
  Run(Predictor& predictor, const DenoiseRequest& request, int slot, int guidance_slot, bool alone)
      : predictor_(predictor),
        request_(request),
        slot_(slot),
        guidance_slot_(guidance_slot),
        draw_(draw_options(request)),
        random_(request.sampling.seed),
        canvas_(request.canvas),
        cache_(make_cache(request.cache, largest_canvas(request))),
        // In a batch the rows that drafts would use belong to the others, and the logits to draw
        // again from are those of the last pass, which may be the others' alone.
        drafts_(alone ? request.sampling.verify : 0, request.cache.scope, largest_canvas(request),
                count_masks(request)),
        gain_(request.sampling, largest_canvas(request), count_masks(request)),
        reuses_looks_(alone ||
                      (request.constraint == nullptr && request.sampling.temperature == 0)),
        revocation_(request.sampling.revoke ? count_masks(request) : 0, largest_canvas(request)) {
    find_holes();
    const std::size_t n_variable = variable_.size();
    masked_.reserve(n_variable);
    predicted_.reserve(n_variable);
    candidates_.resize(n_variable);
    is_masked_.resize(n_variable);
    chosen_.reserve(n_variable);
    revoked_.reserve(n_variable);
    revoked_positions_.reserve(n_variable);
    in_question_.reserve(n_variable);
    proposals_.reserve(n_variable);
    commits_.reserve(n_variable);
    if (request_.constraint != nullptr) {
      redrawn_.reserve(n_variable);
      accepted_.reserve(n_variable);
      banned_.resize(canvas_.size());
    }
    if (request_.elastic && !request_.elastic->grows.empty()) forbid_growth();
    if (request_.sampling.cfg_scale != 0) unguided_.resize(canvas_.size());
    begin_block(0);
  }

  // Whether there is a step to take. Goes on to the next block when one is done.
  bool wants_step() {
    while (!block_wants_step()) {
      if (block_ + 1 >= n_blocks_) return false;
      begin_block(block_ + 1);
    }
    return true;
  }

  bool stopped() const { return request_.stop.stop_requested(); }

  // Appends what the step must know of the model; nothing if an earlier pass has foreseen it.
  // `first` is the number of candidates that other requests of the pass ask for before.
  void ask(std::vector<PredictRequest>& batch, int& n_candidates) {
    begin_ = Clock::now();
    collect_predicted();
    looked_ = false;
    pass_ = {.canvas = canvas_,
             .rows = cache_->rows(cache_step()),
             .masked = predicted_,
             .draw = draw_,
             .random = &random_,
             .step = step_,
             .banned = banned_,
             .slot = slot_,
             .copies = request_.copies};
    if (may_not_expand()) pass_.draw.forbidden = request_.elastic->expand_token;
    candidates_.resize(predicted_.size());
    if (is_foreseen()) return;
    first_candidate_ = n_candidates;
    if (request_.sampling.cfg_scale != 0) ask_for_guidance();
    batch.push_back(pass_);
    n_candidates += static_cast<int>(predicted_.size());
    ++forward_passes_;
    drafts_.ask(pass_, batch, n_candidates);
    if (request_.sampling.revoke) ask_again(batch, n_candidates);
  }

  // The second half: `answers` are the candidates of the whole pass. False when the step wants to
  // look ahead before it commits.
  bool take(std::span<const Candidate> answers) {
    if (!foreseen_) {
      std::copy_n(answers.begin() + first_candidate_, candidates_.size(), candidates_.begin());
      drafts_.take(answers);
    }
    choose();
    if (wants_look()) return false;
    revoke();
    commit();
    if (request_.sampling.revoke) revoke_unsure(answers);
    drafts_.plan(canvas_, request_.mask_token, candidates_, *rule_, random_,
                 step_info(block_step_ + 1), step_ + 1);
    end_step();
    return true;
  }

  void look(std::vector<PredictRequest>& batch, int& n_candidates) {
    looked_ = true;
    ++forward_passes_;
    gain_.ask(pass_, cache_->rows_between(cache_step()), batch, n_candidates);
  }

  void take_look(std::span<const Candidate> answers) {
    proposals_.clear();
    for (const Candidate& candidate : gain_.best(answers)) propose(candidate, proposals_);
    revoked_positions_.clear();
    commit();
    end_step();
    if (!edits_.empty() || !reuses_looks_) gain_.forget();
  }

  DenoiseResult result() {
    const int masks_left = n_masks();
    return {.canvas = std::move(canvas_),
            .steps_run = step_,
            .forward_passes = forward_passes_,
            .masks_left = masks_left};
  }

 private:
  CacheStep cache_step() const {
    return {.step = step_,
            .hole_of = hole_of_,
            .block_step = block_step_,
            .block_begin = block_begin_,
            .block_end = block_end_,
            .masks = static_cast<int>(masked_.size()),
            .row_before = predictor_.row_that_predicts(1) == 0};
  }

  // Whether an earlier pass had this canvas as a variant. The logits for another draw lie where
  // its candidates were asked for.
  bool is_foreseen() {
    foreseen_ = true;
    if (drafts_.find(canvas_, step_, pass_.rows, predicted_, candidates_)) {
      first_candidate_ = drafts_.first_candidate();
    } else if (gain_.find(canvas_, step_, pass_.rows, predicted_, candidates_)) {
      first_candidate_ = gain_.first_candidate();
    } else {
      foreseen_ = false;
    }
    return foreseen_;
  }

  bool wants_look() {
    if (request_.sampling.info_gain == 0) return false;
    return gain_.plan(pass_, candidates_, chosen_, *rule_, step_info(block_step_),
                      [this](int index, int attempt) {
                        PredictRequest again = pass_;
                        again.attempt = attempt;
                        return predictor_.redraw(again, index, first_candidate_);
                      });
  }

  void end_step() {
    edit();
    report(std::chrono::duration<double>(Clock::now() - begin_).count());
    update_masked();
    ++step_;
    ++block_step_;
  }

  // Every mask is variable, and belongs to a hole and to a block.
  void find_holes() {
    hole_of_.assign(canvas_.size(), -1);
    int hole = -1;
    for (std::size_t i = 0; i < canvas_.size(); ++i) {
      if (canvas_[i] != request_.mask_token) continue;
      if (i == 0 || canvas_[i - 1] != request_.mask_token) ++hole;
      hole_of_[i] = request_.hole_of.empty() ? hole : request_.hole_of[i];
      variable_.push_back(static_cast<std::int32_t>(i));
    }
    initial_masks_ = static_cast<int>(variable_.size());
    const int block = request_.sampling.block_length.value_or(std::max(initial_masks_, 1));
    block_length_ = block;
    n_blocks_ = std::max(1, (initial_masks_ + block - 1) / block);
  }

  // Steps are shared out evenly, the first blocks get the remainder; each has at least one.
  void begin_block(int block) {
    block_ = block;
    block_step_ = 0;
    const int steps = request_.sampling.steps;
    block_steps_ = std::max(1, steps / n_blocks_ + (block < steps % n_blocks_ ? 1 : 0));
    const auto first = variable_.begin() + std::ptrdiff_t{block} * block_length_;
    const auto last =
        variable_.end() - first > block_length_ ? first + block_length_ : variable_.end();
    in_block_ = {first, last};
    block_begin_ = in_block_.empty() ? 0 : in_block_.front();
    block_end_ = in_block_.empty() ? 0 : in_block_.back() + 1;
    update_masked();
    block_masks_ = static_cast<int>(masked_.size());
    rule_ = make_commit_rule(request_.sampling, block_masks_);
    expansions_in_block_ = 0;
  }

  bool block_wants_step() const {
    if (masked_.empty() && (request_.early_exit || block_step_ >= block_steps_)) return false;
    if (block_step_ < block_steps_) return true;
    // An expansion takes a step and adds two masks.
    const int bound = block_steps_ + block_masks_ + 2 * expansions_in_block_;
    return !masked_.empty() && rule_->runs_past_last_step() && block_step_ < bound;
  }

  void update_masked() {
    masked_.clear();
    for (const std::int32_t position : in_block_) {
      if (token_at(position) == request_.mask_token) masked_.push_back(position);
    }
  }

  // What the rule wants to see: the masks, or for rules that revise all of the block.
  void collect_predicted() {
    predicted_.clear();
    if (!rule_->revises()) {
      predicted_.insert(predicted_.end(), masked_.begin(), masked_.end());
      return;
    }
    is_masked_.resize(in_block_.size());
    for (std::size_t i = 0; i < in_block_.size(); ++i) {
      predicted_.push_back(in_block_[i]);
      is_masked_[i] = token_at(in_block_[i]) == request_.mask_token ? 1 : 0;
    }
  }

  // The canvas with all that was not masked at the start masked.
  void ask_for_guidance() {
    for (std::size_t i = 0; i < canvas_.size(); ++i) {
      unguided_[i] = hole_of_[i] < 0 ? request_.mask_token : canvas_[i];
    }
    pass_.guidance = {
        .scale = request_.sampling.cfg_scale, .canvas = unguided_, .slot = guidance_slot_};
  }

  // Asks about the tokens that the block has so far. The last step commits what is left: nothing
  // is taken back there.
  void ask_again(std::vector<PredictRequest>& batch, int& n_candidates) {
    in_question_.clear();
    for (const std::int32_t position : in_block_) {
      const bool committed = token_at(position) != request_.mask_token;
      if (committed && block_step_ + 1 < block_steps_) in_question_.push_back(position);
    }
    revocation_.ask(pass_, in_question_, request_.mask_token, predictor_.row_that_predicts(1) == 0,
                    batch, n_candidates);
  }

  void revoke_unsure(std::span<const Candidate> answers) {
    const int most = std::max(0, static_cast<int>(commits_.size()) - 1);
    for (const std::int32_t position :
         revocation_.unsure(answers, *request_.sampling.revoke, most)) {
      token_at(position) = request_.mask_token;
      revoked_positions_.push_back(position);
    }
  }

  void choose() {
    const StepInfo info = step_info(block_step_);
    chosen_.clear();
    revoked_.clear();
    if (rule_->revises()) {
      rule_->revise(info, candidates_, is_masked_, random_, chosen_, revoked_);
    } else {
      rule_->choose(info, candidates_, random_, chosen_);
    }
    proposals_.clear();
    for (const int index : chosen_) {
      propose(candidates_[static_cast<std::size_t>(index)], proposals_);
    }
  }

  StepInfo step_info(int step) const {
    return {.step = step, .steps = block_steps_, .eps = request_.sampling.eps, .refused = refused_};
  }

  void revoke() {
    revoked_positions_.clear();
    for (const int index : revoked_) {
      const int position = predicted_[static_cast<std::size_t>(index)];
      token_at(position) = request_.mask_token;
      revoked_positions_.push_back(position);
    }
  }

  // A position that cannot be committed, or draws the mask token, stays as it is.
  void propose(const Candidate& candidate, std::vector<Candidate>& proposals) const {
    if (is_usable(candidate) && candidate.token != request_.mask_token) {
      proposals.push_back(candidate);
    }
  }

  void commit() {
    commits_.clear();
    refused_ = 0;
    std::sort(proposals_.begin(), proposals_.end(), is_surer);
    if (request_.constraint == nullptr) {
      for (const Candidate& proposal : proposals_) write(proposal);
      return;
    }
    request_.constraint->begin_step({.canvas = canvas_,
                                     .hole_of = hole_of_,
                                     .mask_token = request_.mask_token,
                                     .candidates = candidates_});
    const std::size_t n_proposed = proposals_.size();
    // After a look the logits of the step are gone.
    int redraws_left = looked_ ? 0 : request_.max_redraws;
    while (!proposals_.empty()) {
      vet(redraws_left);
      proposals_.swap(redrawn_);
      std::sort(proposals_.begin(), proposals_.end(), is_surer);
    }
    refused_ = static_cast<int>(n_proposed - commits_.size());
  }

  // Writes the accepted proposals and draws again for the refused ones.
  void vet(int& redraws_left) {
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
      drafts_.forget();  // they were drawn without the ban
      if (redraws_left <= 0) {
        fall_back(proposal);
        continue;
      }
      --redraws_left;
      propose(predictor_.redraw(pass_, index_of(proposal.position), first_candidate_), redrawn_);
    }
  }

  void fall_back(const Candidate& refused) {
    const std::int32_t token = request_.constraint->fallback(refused.position);
    if (token < 0 || token == refused.token || token == request_.mask_token) return;
    redrawn_.push_back({.position = refused.position, .token = token});
  }

  void write(const Candidate& candidate) {
    token_at(candidate.position) = candidate.token;
    commits_.push_back(candidate);
  }

  // Holes that change their length. Deletions come first, then expansions; each from the right,
  // so that the positions of those to come stay what they are.
  void edit() {
    edits_.clear();
    if (request_.elastic) delete_and_expand();
    if (!request_.ends_hole.empty()) cut_holes();
    if (!edits_.empty()) find_block_again();
  }

  void delete_and_expand() {
    if (request_.elastic->delete_to_right) spread_deletions();
    for (int i = static_cast<int>(canvas_.size()) - 1; i >= 0; --i) {
      if (hole_of_[i] >= 0 && canvas_[i] == request_.elastic->delete_token) splice(i, 1, 0);
    }
    for (int i = static_cast<int>(canvas_.size()) - 1; i >= 0; --i) {
      if (hole_of_[i] < 0 || canvas_[i] != request_.elastic->expand_token) continue;
      // Several may have been drawn at once although there is room for one.
      splice(i, 1, may_not_expand() ? 1 : 2);
    }
  }

  void cut_holes() {
    const int size = static_cast<int>(canvas_.size());
    for (int end = size; end > 0;) {
      if (hole_of_[end - 1] < 0) {
        --end;
        continue;
      }
      int begin = end;
      while (begin > 0 && hole_of_[begin - 1] == hole_of_[end - 1]) --begin;
      int last = begin;  // the first position that ends the hole, or a mask before it
      while (last < end && canvas_[last] != request_.mask_token && !ends_hole(canvas_[last])) {
        ++last;
      }
      if (last < end && ends_hole(canvas_[last])) splice(last, end - last, 0);
      end = begin;
    }
  }

  bool ends_hole(std::int32_t token) const {
    const auto row = static_cast<std::size_t>(token);
    return row < request_.ends_hole.size() && request_.ends_hole[row] != 0;
  }

  void spread_deletions() {
    int hole = -1;  // in which something was deleted before the position
    for (std::size_t i = 0; i < canvas_.size(); ++i) {
      if (hole_of_[i] < 0) continue;
      if (canvas_[i] == request_.elastic->delete_token) hole = hole_of_[i];
      const bool was_masked =
          std::binary_search(masked_.begin(), masked_.end(), static_cast<std::int32_t>(i));
      if (hole_of_[i] == hole && was_masked) canvas_[i] = request_.elastic->delete_token;
    }
  }

  // Replaces `removed` positions of a hole by n masks.
  void splice(int position, int removed, int n) {
    const CanvasSplice splice{.begin = position, .removed = removed, .inserted = n};
    predictor_.splice(slot_, static_cast<int>(canvas_.size()), splice);
    const std::int32_t hole = hole_of_[position];
    const auto replace = [&](auto& values, const auto& value) {
      const auto at = values.erase(values.begin() + position, values.begin() + position + removed);
      values.insert(at, static_cast<std::size_t>(n), value);
    };
    const std::vector<std::int32_t> bans =
        banned_.empty() ? std::vector<std::int32_t>{} : bans_at_birth(hole);
    replace(canvas_, request_.mask_token);
    replace(hole_of_, hole);
    if (!banned_.empty()) replace(banned_, bans);
    if (n > removed) {
      ++expansions_;
      ++expansions_in_block_;
    }
    edits_.push_back(splice);
  }

  // What a new position of a hole cannot draw.
  std::vector<std::int32_t> bans_at_birth(std::int32_t hole) const {
    if (!request_.elastic || request_.elastic->grows.empty()) return {};
    if (request_.elastic->grows[static_cast<std::size_t>(hole)] != 0) return {};
    return {request_.elastic->expand_token};
  }

  void forbid_growth() {
    banned_.resize(canvas_.size());
    for (std::size_t i = 0; i < canvas_.size(); ++i) {
      if (hole_of_[i] >= 0) banned_[i] = bans_at_birth(hole_of_[i]);
    }
  }

  void find_block_again() {
    in_block_.clear();
    for (std::size_t i = 0; i < canvas_.size(); ++i) {
      if (hole_of_[i] >= 0) in_block_.push_back(static_cast<std::int32_t>(i));
    }
    block_begin_ = in_block_.empty() ? 0 : in_block_.front();
    block_end_ = in_block_.empty() ? 0 : in_block_.back() + 1;
  }

  bool may_not_expand() const {
    return request_.elastic && (static_cast<int>(canvas_.size()) >= request_.elastic->max_canvas ||
                                expansions_ >= request_.elastic->max_expansions);
  }

  void report(double seconds) const {
    if (!request_.on_step) return;
    request_.on_step({.step = step_,
                      .steps = request_.sampling.steps,
                      .canvas = canvas_,
                      .commits = commits_,
                      .revoked = revoked_positions_,
                      .edits = edits_,
                      .candidates = candidates_,
                      .masks_left = n_masks(),
                      .rows_computed = foreseen_ ? 0 : static_cast<int>(pass_.rows.size()),
                      .seconds = seconds});
  }

  int n_masks() const {
    int n = 0;
    for (std::size_t i = 0; i < canvas_.size(); ++i) {
      n += hole_of_[i] >= 0 && canvas_[i] == request_.mask_token ? 1 : 0;
    }
    return n;
  }

  int index_of(int position) const {
    const auto found = std::lower_bound(predicted_.begin(), predicted_.end(), position);
    return static_cast<int>(found - predicted_.begin());
  }

  std::int32_t& token_at(int position) { return canvas_[static_cast<std::size_t>(position)]; }

  Predictor& predictor_;
  const DenoiseRequest& request_;
  int slot_;
  int guidance_slot_;
  const DrawOptions draw_;
  const Random random_;

  std::vector<std::int32_t> canvas_;
  std::vector<std::int32_t> hole_of_;   // for each position, -1 outside holes
  std::vector<std::int32_t> variable_;  // positions masked at the start
  int initial_masks_ = 0;
  std::unique_ptr<CachePolicy> cache_;
  Drafts drafts_;
  InformationGain gain_;
  bool reuses_looks_;    // whether what a look has foreseen can serve the next step
  bool looked_ = false;  // at this step
  Revocation revocation_;
  std::vector<std::int32_t> in_question_;

  int block_ = 0;
  int n_blocks_ = 1;
  int block_length_ = 0;
  int block_step_ = 0;
  int block_steps_ = 0;
  int block_masks_ = 0;  // at its start
  int block_begin_ = 0;
  int block_end_ = 0;
  std::vector<std::int32_t> in_block_;  // its positions
  std::unique_ptr<CommitRule> rule_;

  int step_ = 0;
  int forward_passes_ = 0;
  Clock::time_point begin_;
  PredictRequest pass_{};
  bool foreseen_ = false;
  int first_candidate_ = 0;                        // of this run in the last pass
  std::vector<std::int32_t> masked_;               // of the block before the step, increasing
  std::vector<std::int32_t> predicted_;            // what the rule is shown
  std::vector<std::uint8_t> is_masked_;            // of predicted_, for rules that revise
  std::vector<Candidate> candidates_;              // one for each of predicted_
  std::vector<int> chosen_;                        // indices into candidates_
  std::vector<int> revoked_;                       // indices into candidates_
  std::vector<std::int32_t> revoked_positions_;    // of this step
  std::vector<Candidate> proposals_;               // to be vetted, surest first
  std::vector<Candidate> redrawn_;                 // the next proposals
  std::vector<std::uint8_t> accepted_;             // as Constraint::vet() says
  std::vector<Candidate> commits_;                 // of this step
  std::vector<std::vector<std::int32_t>> banned_;  // for each position, if there is a constraint
  int refused_ = 0;                                // of the last step, as in StepInfo
  std::vector<std::int32_t> unguided_;             // the canvas of the guidance
  std::vector<CanvasSplice> edits_;                // of this step
  int expansions_ = 0;
  int expansions_in_block_ = 0;
};

// The second pass of a step, for the runs that look ahead.
void look_ahead(Predictor& predictor, std::span<Run* const> runs,
                std::vector<PredictRequest>& batch, std::vector<Candidate>& candidates) {
  batch.clear();
  int n_candidates = 0;
  for (Run* run : runs) run->look(batch, n_candidates);
  candidates.resize(static_cast<std::size_t>(n_candidates));
  predictor.predict_batch(batch, candidates);
  for (Run* run : runs) run->take_look(candidates);
}

}  // namespace

std::vector<Result<DenoiseResult>> denoise_batch(Predictor& predictor,
                                                 std::span<const DenoiseRequest> requests) {
  const int n = static_cast<int>(requests.size());
  std::vector<Result<DenoiseResult>> results;
  std::vector<std::unique_ptr<Run>> runs;  // null when done
  for (int i = 0; i < n; ++i) {
    const Result<void> checked = check_request(requests[i]);
    runs.push_back(checked ? std::make_unique<Run>(predictor, requests[i], i, n + i, n == 1)
                           : nullptr);
    results.emplace_back(checked ? Error{ErrorCode::Cancelled, {}} : checked.error());
  }
  std::vector<PredictRequest> batch;
  std::vector<Candidate> candidates;
  std::vector<Run*> looking;
  for (int step = 0;; ++step) {
    bool running = false;
    batch.clear();
    int n_candidates = 0;
    for (int i = 0; i < n; ++i) {
      if (!runs[i]) continue;
      if (!runs[i]->wants_step()) {
        results[i] = runs[i]->result();
        runs[i].reset();
      } else if (runs[i]->stopped()) {
        results[i] = fail(ErrorCode::Cancelled, "stopped before step " + std::to_string(step));
        runs[i].reset();
      } else {
        runs[i]->ask(batch, n_candidates);
        running = true;
      }
    }
    if (!running) return results;
    candidates.resize(static_cast<std::size_t>(n_candidates));
    if (!batch.empty()) predictor.predict_batch(batch, candidates);
    looking.clear();
    for (const std::unique_ptr<Run>& run : runs) {
      if (run && !run->take(candidates)) looking.push_back(run.get());
    }
    if (!looking.empty()) look_ahead(predictor, looking, batch, candidates);
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
    guided = guided || is_guided;
  }
  if (guided) limits.slots *= 2;
  return limits;
}

ForwardLimits limits_of(const DenoiseRequest& request) {
  return limits_of(std::span<const DenoiseRequest>(&request, 1));
}

}  // namespace lacuna::engine
