#include "engine/transformer_predictor.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace lacuna::engine {
namespace {

// Logits live in pieces of about this size: 64 rows of a 152k vocabulary, never a whole canvas.
constexpr std::size_t kLogitBytes = 40U << 20;

int rows_of_logits(int capacity, int vocab_size) {
  const std::size_t row = static_cast<std::size_t>(vocab_size) * sizeof(float);
  const auto rows = static_cast<int>(std::max<std::size_t>(1, kLogitBytes / row));
  return std::min(capacity, rows);
}

}  // namespace

TransformerPredictor::TransformerPredictor(const Transformer& transformer,
                                           kernels::CpuContext& context, int capacity,
                                           kernels::Precision precision)
    : context_(&context),
      transformer_(&transformer),
      pass_(transformer, context, capacity, precision),
      chunk_(rows_of_logits(capacity, transformer.config().vocab_size)),
      logits_(static_cast<std::size_t>(chunk_) * transformer.config().vocab_size),
      scratch_(static_cast<std::size_t>(context.pool().threads())) {
  wanted_.reserve(static_cast<std::size_t>(capacity));
  wanted_of_.reserve(static_cast<std::size_t>(capacity));
}

int TransformerPredictor::row_that_predicts(int position) const {
  if (!transformer_->config().shift_logits) return position;
  return std::max(0, position - 1);
}

void TransformerPredictor::run(std::span<const std::int32_t> canvas,
                               std::span<const std::int32_t> rows,
                               std::span<const std::int32_t> positions) {
  wanted_.clear();
  wanted_of_.clear();
  for (const std::int32_t position : positions) {
    const int row = row_that_predicts(position);
    // Row 0 predicts both position 0 and 1 when logits are shifted.
    if (wanted_.empty() || wanted_.back() != row) wanted_.push_back(row);
    wanted_of_.push_back(static_cast<std::int32_t>(wanted_.size()) - 1);
  }
  pass_.run(canvas, rows, wanted_);
}

void TransformerPredictor::predict(const PredictRequest& request, std::span<Candidate> candidates) {
  run(request.canvas, request.rows, request.masked);
  const auto V = static_cast<std::size_t>(transformer_->config().vocab_size);
  const int n_wanted = static_cast<int>(wanted_.size());
  int next = 0;  // first masked position not drawn yet
  for (int first = 0; first < n_wanted; first += chunk_) {
    const int count = std::min(chunk_, n_wanted - first);
    pass_.logits(first, count, logits_.data());
    int end = next;
    while (end < static_cast<int>(wanted_of_.size()) && wanted_of_[end] < first + count) ++end;
    context_->pool().run(end - next, [&](int task, int thread) {
      const int i = next + task;
      const int position = request.masked[i];
      const float* row = logits_.data() + static_cast<std::size_t>(wanted_of_[i] - first) * V;
      candidates[i] = draw({row, V}, position, request.draw, request.banned_at(position),
                           request.uniform_at(position), scratch_[thread]);
    });
    next = end;
  }
}

Candidate TransformerPredictor::redraw(const PredictRequest& request, int index) {
  const auto V = static_cast<std::size_t>(transformer_->config().vocab_size);
  const int position = request.masked[index];
  // The row's logits may be gone with their chunk; a row alone gives the same bits again.
  pass_.logits(wanted_of_[index], 1, logits_.data());
  return draw({logits_.data(), V}, position, request.draw, request.banned_at(position),
              request.uniform_at(position), scratch_[0]);
}

void TransformerPredictor::logits(std::span<const std::int32_t> canvas,
                                  std::span<const std::int32_t> positions, float* out) {
  std::vector<std::int32_t> rows(canvas.size());
  std::iota(rows.begin(), rows.end(), 0);
  run(canvas, rows, positions);
  const auto V = static_cast<std::size_t>(transformer_->config().vocab_size);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    pass_.logits(wanted_of_[i], 1, out + i * V);
  }
}

}  // namespace lacuna::engine
