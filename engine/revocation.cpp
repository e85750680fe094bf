#include "engine/revocation.h"

#include <algorithm>

namespace lacuna::engine {

Revocation::Revocation(int positions, int canvas_size)
    : questions_(static_cast<std::size_t>(positions)) {
  for (Question& question : questions_) {
    question.canvas.reserve(static_cast<std::size_t>(canvas_size));
    question.rows.reserve(2);
  }
  unsure_.reserve(static_cast<std::size_t>(positions));
}

void Revocation::ask(const PredictRequest& pass, std::span<const std::int32_t> positions,
                     std::int32_t mask_token, bool row_before, std::vector<PredictRequest>& batch,
                     int& n_candidates) {
  asked_ = 0;
  first_candidate_ = n_candidates;
  for (const std::int32_t position : positions) {
    Question& question = questions_[asked_++];
    question.position = position;
    question.token = pass.canvas[position];
    question.canvas.assign(pass.canvas.begin(), pass.canvas.end());
    question.canvas[position] = mask_token;
    question.rows.clear();
    if (row_before && position > 0) question.rows.push_back(position - 1);
    question.rows.push_back(position);
    PredictRequest request = pass;
    request.canvas = question.canvas;
    request.rows = question.rows;
    request.masked = {&question.position, 1};
    request.given = {&question.token, 1};
    request.variant = true;
    batch.push_back(request);
  }
  n_candidates += asked_;
}

std::span<const std::int32_t> Revocation::unsure(std::span<const Candidate> answers, float least,
                                                 int most) {
  const std::span<const Candidate> mine = answers.subspan(first_candidate_, asked_);
  unsure_.clear();
  for (const Candidate& answer : mine) {
    if (answer.probability < least) unsure_.push_back(answer.position);
  }
  const auto probability = [&](std::int32_t position) {
    const auto found = std::find_if(mine.begin(), mine.end(), [&](const Candidate& answer) {
      return answer.position == position;
    });
    return found->probability;
  };
  std::sort(unsure_.begin(), unsure_.end(), [&](std::int32_t a, std::int32_t b) {
    const float p_a = probability(a);
    const float p_b = probability(b);
    return p_a != p_b ? p_a < p_b : a > b;
  });
  if (static_cast<int>(unsure_.size()) > most) unsure_.resize(static_cast<std::size_t>(most));
  return unsure_;
}

}  // namespace lacuna::engine
