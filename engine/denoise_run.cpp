#include "engine/denoise_run.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace lacuna::engine {
namespace {

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

// Every mask belongs to a hole: to that of the request, or to one for each run of masks.
std::vector<std::int32_t> holes_of(const DenoiseRequest& request) {
  std::vector<std::int32_t> hole_of(request.canvas.size(), -1);
  int hole = -1;
  for (std::size_t i = 0; i < request.canvas.size(); ++i) {
    if (request.canvas[i] != request.mask_token) continue;
    if (i == 0 || request.canvas[i - 1] != request.mask_token) ++hole;
    hole_of[i] = request.hole_of.empty() ? hole : request.hole_of[i];
  }
  return hole_of;
}

std::vector<std::vector<std::int32_t>> bans_of(const DenoiseRequest& request) {
  return std::vector<std::vector<std::int32_t>>(
      request.constraint == nullptr ? 0 : request.canvas.size());
}

}  // namespace

int count_masks(const DenoiseRequest& request) {
  return static_cast<int>(
      std::count(request.canvas.begin(), request.canvas.end(), request.mask_token));
}

int largest_canvas(const DenoiseRequest& request) {
  const int size = static_cast<int>(request.canvas.size());
  return request.elastic ? std::max(size, request.elastic->max_canvas) : size;
}

DenoiseRun::DenoiseRun(Predictor& predictor, const DenoiseRequest& request, int slot,
                       int guidance_slot, bool alone)
    : predictor_(predictor),
      request_(request),
      slot_(slot),
      guidance_slot_(guidance_slot),
      draw_(draw_options(request)),
      random_(request.sampling.seed),
      canvas_{.tokens = request.canvas, .hole_of = holes_of(request), .banned = bans_of(request)},
      edits_(request, canvas_),
      cache_(make_cache(request.cache, largest_canvas(request))),
      // In a batch the rows that drafts would use belong to the others, and the logits to draw
      // again from are those of the last pass, which may be the others' alone.
      drafts_(alone ? request.sampling.verify : 0, request.cache.scope, largest_canvas(request),
              count_masks(request)),
      gain_(request.sampling, largest_canvas(request), count_masks(request)),
      // What a look has foreseen says nothing of the attention.
      reuses_looks_(!watches(request.cache) && (alone || (request.constraint == nullptr &&
                                                          request.sampling.temperature == 0))),
      revocation_(request.sampling.revoke ? count_masks(request) : 0, largest_canvas(request)) {
  if (watches(request.cache)) watch_.emplace(largest_canvas(request));
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
  }
  if (request_.sampling.cfg_scale != 0) unguided_.resize(canvas_.tokens.size());
  begin_block(0);
}

// Every mask is variable and belongs to a block.
void DenoiseRun::find_holes() {
  for (int i = 0; i < canvas_.size(); ++i) {
    if (token_at(i) == request_.mask_token) variable_.push_back(i);
  }
  const int masks = static_cast<int>(variable_.size());
  block_length_ = request_.sampling.block_length.value_or(std::max(masks, 1));
  n_blocks_ = std::max(1, (masks + block_length_ - 1) / block_length_);
}

// Steps are shared out evenly, the first blocks get the remainder; each has at least one.
void DenoiseRun::begin_block(int block) {
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
}

bool DenoiseRun::wants_step() {
  while (!block_wants_step()) {
    if (block_ + 1 >= n_blocks_) return false;
    begin_block(block_ + 1);
  }
  return true;
}

bool DenoiseRun::block_wants_step() const {
  if (masked_.empty() && (request_.early_exit || block_step_ >= block_steps_)) return false;
  if (block_step_ < block_steps_) return true;
  // An expansion takes a step and adds two masks. Where there are any there is one block.
  const int bound = block_steps_ + block_masks_ + 2 * edits_.expansions();
  return !masked_.empty() && rule_->runs_past_last_step() && block_step_ < bound;
}

void DenoiseRun::update_masked() {
  masked_.clear();
  for (const std::int32_t position : in_block_) {
    if (token_at(position) == request_.mask_token) masked_.push_back(position);
  }
}

// What the rule wants to see: the masks, or for rules that revise all of the block.
void DenoiseRun::collect_predicted() {
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

CacheStep DenoiseRun::cache_step() const {
  return {.step = step_,
          .hole_of = canvas_.hole_of,
          .block_step = block_step_,
          .block_begin = block_begin_,
          .block_end = block_end_,
          .masks = static_cast<int>(masked_.size()),
          .row_before = predictor_.row_that_predicts(1) == 0,
          .watched = watch_ ? watch_->tokens() : std::span<const std::int32_t>(),
          .first_rows = request_.first_rows};
}

StepInfo DenoiseRun::step_info(int step) const {
  return {.step = step, .steps = block_steps_, .eps = request_.sampling.eps, .refused = refused_};
}

void DenoiseRun::ask(std::vector<PredictRequest>& batch, int& n_candidates) {
  begin_ = Clock::now();
  collect_predicted();
  looked_ = false;
  pass_ = {.canvas = canvas_.tokens,
           .rows = cache_->rows(cache_step()),
           .masked = predicted_,
           .draw = draw_,
           .random = &random_,
           .step = step_,
           .banned = canvas_.banned,
           .slot = slot_,
           .copies = request_.copies,
           .watch = watch_ ? &*watch_ : nullptr,
           .stop = &request_.stop};
  if (edits_.may_not_expand()) pass_.draw.forbidden = request_.elastic->expand_token;
  candidates_.resize(predicted_.size());
  if (is_foreseen()) return;
  if (request_.sampling.cfg_scale != 0) ask_for_guidance();
  append_pass(batch, n_candidates);
}

// Whether an earlier pass had this canvas as a variant. The logits for another draw lie where
// its candidates were asked for.
bool DenoiseRun::is_foreseen() {
  foreseen_ = true;
  if (drafts_.find(canvas_.tokens, step_, pass_.rows, predicted_, candidates_)) {
    first_candidate_ = drafts_.first_candidate();
  } else if (gain_.find(canvas_.tokens, step_, pass_.rows, predicted_, candidates_)) {
    first_candidate_ = gain_.first_candidate();
  } else {
    foreseen_ = false;
  }
  return foreseen_;
}

void DenoiseRun::append_pass(std::vector<PredictRequest>& batch, int& n_candidates) {
  if (watch_) watch_->begin(masked_, cache_->rows_between(cache_step()));
  first_candidate_ = n_candidates;
  batch.push_back(pass_);
  n_candidates += static_cast<int>(predicted_.size());
  ++forward_passes_;
  drafts_.ask(pass_, batch, n_candidates);
  if (request_.sampling.revoke) ask_again(batch, n_candidates);
}

bool DenoiseRun::is_stale() const {
  // After a full pass there is nothing to be stale: above a drift of 1 every pass would be.
  return watch_ && pass_.rows.size() < pass_.canvas.size() &&
         watch_->similarity() < double{request_.cache.refresh_drift};
}

void DenoiseRun::refresh(std::vector<PredictRequest>& batch, int& n_candidates) {
  pass_.rows = cache_->refresh(cache_step());
  append_pass(batch, n_candidates);
}

// The canvas with all that was not masked at the start masked.
void DenoiseRun::ask_for_guidance() {
  for (std::size_t i = 0; i < canvas_.tokens.size(); ++i) {
    unguided_[i] = canvas_.hole_of[i] < 0 ? request_.mask_token : canvas_.tokens[i];
  }
  pass_.guidance = {
      .scale = request_.sampling.cfg_scale, .canvas = unguided_, .slot = guidance_slot_};
}

// Asks about the tokens that the block has so far. The last step commits what is left: nothing
// is taken back there.
void DenoiseRun::ask_again(std::vector<PredictRequest>& batch, int& n_candidates) {
  in_question_.clear();
  for (const std::int32_t position : in_block_) {
    const bool committed = token_at(position) != request_.mask_token;
    if (committed && block_step_ + 1 < block_steps_) in_question_.push_back(position);
  }
  revocation_.ask(pass_, in_question_, request_.mask_token, predictor_.row_that_predicts(1) == 0,
                  batch, n_candidates);
}

bool DenoiseRun::take(std::span<const Candidate> answers) {
  if (step_ == 0 && request_.on_first_pass) request_.on_first_pass();
  if (!foreseen_) {
    std::copy_n(answers.begin() + first_candidate_, candidates_.size(), candidates_.begin());
    drafts_.take(answers);
  }
  choose();
  if (wants_look()) return false;
  revoke();
  commit();
  if (request_.sampling.revoke) revoke_unsure(answers);
  drafts_.plan(canvas_.tokens, request_.mask_token, candidates_, *rule_, random_,
               step_info(block_step_ + 1), step_ + 1);
  end_step();
  return true;
}

bool DenoiseRun::wants_look() {
  if (request_.sampling.info_gain == 0) return false;
  return gain_.plan(pass_, candidates_, chosen_, *rule_, step_info(block_step_),
                    [this](int index, int attempt) {
                      PredictRequest again = pass_;
                      again.attempt = attempt;
                      return predictor_.redraw(again, index, first_candidate_);
                    });
}

void DenoiseRun::look(std::vector<PredictRequest>& batch, int& n_candidates) {
  looked_ = true;
  ++forward_passes_;
  gain_.ask(pass_, cache_->rows_between(cache_step()), batch, n_candidates);
}

void DenoiseRun::take_look(std::span<const Candidate> answers) {
  proposals_.clear();
  for (const Candidate& candidate : gain_.best(answers)) propose(candidate, proposals_);
  revoked_positions_.clear();
  commit();
  end_step();
  if (!edits_.edits().empty() || !reuses_looks_) gain_.forget();
}

void DenoiseRun::choose() {
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

void DenoiseRun::revoke() {
  revoked_positions_.clear();
  for (const int index : revoked_) {
    const int position = predicted_[static_cast<std::size_t>(index)];
    token_at(position) = request_.mask_token;
    revoked_positions_.push_back(position);
  }
}

void DenoiseRun::revoke_unsure(std::span<const Candidate> answers) {
  const int most = std::max(0, static_cast<int>(commits_.size()) - 1);
  for (const std::int32_t position : revocation_.unsure(answers, *request_.sampling.revoke, most)) {
    token_at(position) = request_.mask_token;
    revoked_positions_.push_back(position);
  }
}

// A position that cannot be committed, or draws the mask token, stays as it is.
void DenoiseRun::propose(const Candidate& candidate, std::vector<Candidate>& proposals) const {
  if (is_usable(candidate) && candidate.token != request_.mask_token) {
    proposals.push_back(candidate);
  }
}

void DenoiseRun::commit() {
  commits_.clear();
  refused_ = 0;
  std::sort(proposals_.begin(), proposals_.end(), is_surer);
  if (request_.constraint == nullptr) {
    for (const Candidate& proposal : proposals_) write(proposal);
    return;
  }
  request_.constraint->begin_step({.canvas = canvas_.tokens,
                                   .hole_of = canvas_.hole_of,
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
void DenoiseRun::vet(int& redraws_left) {
  accepted_.assign(proposals_.size(), 0);
  request_.constraint->vet(canvas_.tokens, proposals_, accepted_);
  redrawn_.clear();
  for (std::size_t i = 0; i < proposals_.size(); ++i) {
    const Candidate& proposal = proposals_[i];
    if (accepted_[i] != 0) {
      write(proposal);
      continue;
    }
    canvas_.banned[static_cast<std::size_t>(proposal.position)].push_back(proposal.token);
    drafts_.forget();  // they were drawn without the ban
    if (redraws_left <= 0) {
      fall_back(proposal);
      continue;
    }
    --redraws_left;
    propose(predictor_.redraw(pass_, index_of(proposal.position), first_candidate_), redrawn_);
  }
}

void DenoiseRun::fall_back(const Candidate& refused) {
  const std::int32_t token = request_.constraint->fallback(refused.position);
  if (token < 0 || token == refused.token || token == request_.mask_token) return;
  redrawn_.push_back({.position = refused.position, .token = token});
}

void DenoiseRun::write(const Candidate& candidate) {
  token_at(candidate.position) = candidate.token;
  commits_.push_back(candidate);
}

int DenoiseRun::index_of(int position) const {
  const auto found = std::lower_bound(predicted_.begin(), predicted_.end(), position);
  return static_cast<int>(found - predicted_.begin());
}

void DenoiseRun::end_step() {
  edit();
  report(std::chrono::duration<double>(Clock::now() - begin_).count());
  update_masked();
  ++step_;
  ++block_step_;
}

void DenoiseRun::edit() {
  int size = canvas_.size();
  const std::span<const CanvasSplice> edits = edits_.edit(masked_);
  for (const CanvasSplice& edit : edits) {
    predictor_.splice(slot_, size, edit);
    if (watch_) watch_->splice(edit);
    size += edit.inserted - edit.removed;
  }
  if (!edits.empty()) find_block_again();
}

void DenoiseRun::find_block_again() {
  in_block_.clear();
  for (int i = 0; i < canvas_.size(); ++i) {
    if (canvas_.hole_of[static_cast<std::size_t>(i)] >= 0) in_block_.push_back(i);
  }
  block_begin_ = in_block_.empty() ? 0 : in_block_.front();
  block_end_ = in_block_.empty() ? 0 : in_block_.back() + 1;
}

void DenoiseRun::report(double seconds) const {
  if (!request_.on_step) return;
  request_.on_step({.step = step_,
                    .steps = request_.sampling.steps,
                    .canvas = canvas_.tokens,
                    .commits = commits_,
                    .revoked = revoked_positions_,
                    .edits = edits_.edits(),
                    .candidates = candidates_,
                    .masks_left = n_masks(),
                    .rows_computed = foreseen_ ? 0 : static_cast<int>(pass_.rows.size()),
                    .seconds = seconds});
}

int DenoiseRun::n_masks() const {
  int n = 0;
  for (std::size_t i = 0; i < canvas_.tokens.size(); ++i) {
    n += canvas_.hole_of[i] >= 0 && canvas_.tokens[i] == request_.mask_token ? 1 : 0;
  }
  return n;
}

DenoiseResult DenoiseRun::result() {
  const int masks_left = n_masks();
  return {.canvas = std::move(canvas_.tokens),
          .steps_run = step_,
          .forward_passes = forward_passes_,
          .masks_left = masks_left};
}

}  // namespace lacuna::engine
