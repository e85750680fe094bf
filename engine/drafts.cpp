#include "engine/drafts.h"

#include <algorithm>
#include <cstddef>

namespace lacuna::engine {

void Draft::reserve(int canvas_size, int masks) {
  canvas.reserve(static_cast<std::size_t>(canvas_size));
  rows.reserve(static_cast<std::size_t>(canvas_size));
  masked.reserve(static_cast<std::size_t>(masks));
  candidates.reserve(static_cast<std::size_t>(masks));
}

void Draft::ask(const PredictRequest& pass, std::span<const std::int32_t> rows_to_compute,
                std::vector<PredictRequest>& batch, int& n_candidates) {
  rows.assign(rows_to_compute.begin(), rows_to_compute.end());
  candidates.resize(masked.size());
  first_candidate = n_candidates;
  PredictRequest request = pass;
  request.canvas = canvas;
  request.masked = masked;
  request.rows = rows;
  request.step = step;
  request.variant = true;
  batch.push_back(request);
  n_candidates += static_cast<int>(masked.size());
}

void Draft::take(std::span<const Candidate> answers) {
  std::copy_n(answers.begin() + first_candidate, candidates.size(), candidates.begin());
}

bool Draft::is(std::span<const std::int32_t> other, int other_step,
               std::span<const std::int32_t> other_rows,
               std::span<const std::int32_t> predicted) const {
  return step == other_step && std::ranges::equal(canvas, other) &&
         std::ranges::equal(rows, other_rows) && std::ranges::equal(masked, predicted);
}

int draft_rows(const CacheOptions& cache, int canvas_size, int masks) {
  // A block holds the text between its holes, too.
  if (cache.scope != CacheScope::Holes || cache.refresh == 1) return canvas_size;
  // A mask may be a hole of its own.
  const long around = 2L + cache.look_before + cache.look_after;
  return static_cast<int>(std::min<long>(canvas_size, around * masks));
}

Drafts::Drafts(int most, CacheScope scope, int canvas_size, int masks)
    : most_(most), scope_(scope) {
  if (most == 0) return;
  for (std::vector<Draft>* drafts : {&planned_, &answered_}) {
    drafts->resize(static_cast<std::size_t>(most));
    for (Draft& draft : *drafts) draft.reserve(canvas_size, masks);
  }
  left_.reserve(static_cast<std::size_t>(masks));
  chosen_.reserve(static_cast<std::size_t>(masks));
}

bool Drafts::find(std::span<const std::int32_t> canvas, int step,
                  std::span<const std::int32_t> rows, std::span<const std::int32_t> predicted,
                  std::span<Candidate> candidates) {
  for (int i = 0; i < n_answered_; ++i) {
    const Draft& draft = answered_[i];
    if (!draft.is(canvas, step, rows, predicted)) continue;
    std::copy(draft.candidates.begin(), draft.candidates.end(), candidates.begin());
    found_ = &draft;
    return true;
  }
  return false;
}

void Drafts::ask(const PredictRequest& pass, std::vector<PredictRequest>& batch,
                 int& n_candidates) {
  // Between full passes the rows are few. At one, a draft would compute what no later step asks
  // for, unless every pass is full.
  const bool full = pass.rows.size() == pass.canvas.size();
  n_answered_ = full && scope_ != CacheScope::None ? 0 : n_planned_;
  n_planned_ = 0;
  planned_.swap(answered_);
  for (int i = 0; i < n_answered_; ++i) answered_[i].ask(pass, pass.rows, batch, n_candidates);
}

void Drafts::take(std::span<const Candidate> answers) {
  for (int i = 0; i < n_answered_; ++i) answered_[i].take(answers);
}

void Drafts::plan(std::span<const std::int32_t> canvas, std::int32_t mask_token,
                  std::span<const Candidate> candidates, CommitRule& rule, const Random& random,
                  StepInfo next, int next_step) {
  n_planned_ = 0;
  if (most_ == 0) return;
  left_.clear();
  for (const Candidate& candidate : candidates) {
    if (canvas[candidate.position] == mask_token) left_.push_back(candidate);
  }
  std::span<const std::int32_t> before = canvas;
  while (n_planned_ < most_ && !left_.empty()) {
    chosen_.clear();
    rule.choose(next, left_, random, chosen_);
    ++next.step;
    Draft& draft = planned_[n_planned_];
    draft.step = ++next_step;
    draft.canvas.assign(before.begin(), before.end());
    for (const int i : chosen_) {
      const Candidate& candidate = left_[static_cast<std::size_t>(i)];
      draft.canvas[candidate.position] = candidate.token;
    }
    std::erase_if(left_, [&](const Candidate& candidate) {
      return draft.canvas[candidate.position] != mask_token;
    });
    draft.masked.clear();
    for (const Candidate& candidate : left_) draft.masked.push_back(candidate.position);
    if (left_.empty()) return;  // nothing is predicted after the last step
    before = draft.canvas;
    ++n_planned_;
  }
}

void Drafts::forget() {
  n_planned_ = 0;
  n_answered_ = 0;
}

}  // namespace lacuna::engine
