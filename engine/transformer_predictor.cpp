#include "engine/transformer_predictor.h"

#include <algorithm>
#include <numeric>

namespace lacuna::engine {
namespace {

bool is_guided(const PredictRequest& request) { return request.guidance.scale != 0; }

// Whether a device can draw for it: what needs a whole row, or another one's, is the host's.
bool is_plain(const PredictRequest& request) {
  const DrawOptions& draw = request.draw;
  const bool noisy = draw.gumbel && draw.temperature > 0;
  return !is_guided(request) && request.given.empty() && request.copies == nullptr && !draw.top_p &&
         !draw.top_k && !noisy && draw.distrusted.empty();
}

kernels::RowConfidence row_confidence(Confidence confidence) {
  switch (confidence) {
    case Confidence::Probability:
      return kernels::RowConfidence::Probability;
    case Confidence::Margin:
      return kernels::RowConfidence::Margin;
    case Confidence::NegativeEntropy:
      return kernels::RowConfidence::NegativeEntropy;
  }
  return kernels::RowConfidence::Probability;
}

}  // namespace

TransformerPredictor::TransformerPredictor(const Transformer& transformer,
                                           kernels::CpuContext& context,
                                           const ForwardLimits& limits,
                                           kernels::Precision precision)
    : context_(&context),
      transformer_(&transformer),
      pass_(transformer, context, limits, precision),
      chunk_(logit_rows(pass_.limits().rows, transformer.config().vocab_size)),
      scratch_(static_cast<std::size_t>(context.pool().threads())) {
  const auto rows = static_cast<std::size_t>(pass_.limits().rows);
  inputs_.reserve(rows);
  wanted_.reserve(rows);
  sources_.reserve(rows + 1);
  // On a device few requests need them.
  if (!pass_.keeps_logits()) reserve_logits();
}

void TransformerPredictor::reserve_logits() {
  logits_.resize(static_cast<std::size_t>(chunk_) * transformer_->config().vocab_size);
}

int TransformerPredictor::row_that_predicts(int position) const {
  if (!transformer_->config().shift_logits) return position;
  return std::max(0, position - 1);
}

// Row 0 predicts both position 0 and 1 when logits are shifted.
void TransformerPredictor::add_wanted(std::span<const std::int32_t> positions) {
  const std::size_t first = wanted_.size();
  for (const std::int32_t position : positions) {
    const int row = row_that_predicts(position);
    if (wanted_.size() == first || wanted_.back() != row) wanted_.push_back(row);
  }
}

// The forward pass, and sources_ of all candidates.
bool TransformerPredictor::run(std::span<const PredictRequest> requests) {
  inputs_.clear();
  wanted_.clear();
  sources_.clear();
  // wanted_ never grows beyond its capacity: a wanted row is a computed row.
  const auto add_input = [this](const PredictRequest& request, std::span<const std::int32_t> canvas,
                                int slot, AttentionWatch* watch) {
    const std::size_t first = wanted_.size();
    add_wanted(request.masked);
    inputs_.push_back({.canvas = canvas,
                       .rows = request.rows,
                       .wanted = std::span(wanted_).subspan(first),
                       .slot = slot,
                       .variant = request.variant,
                       .splice = request.splice,
                       .watch = watch,
                       .stop = request.stop});
    return static_cast<int>(first);
  };
  for (std::size_t r = 0; r < requests.size(); ++r) {
    const PredictRequest& request = requests[r];
    const int first =
        add_input(request, request.canvas, request.slot, request.variant ? nullptr : request.watch);
    const int guide = is_guided(request) ? add_input(request, request.guidance.canvas,
                                                     request.guidance.slot, nullptr)
                                         : -1;
    int row = -1;
    int last = -1;  // row of the network
    for (std::size_t i = 0; i < request.masked.size(); ++i) {
      const int predicts = row_that_predicts(request.masked[i]);
      if (row < 0 || predicts != last) ++row;
      last = predicts;
      sources_.push_back({.request = static_cast<int>(r),
                          .index = static_cast<int>(i),
                          .row = first + row,
                          .unconditional = guide < 0 ? -1 : guide + row});
    }
  }
  return pass_.run(inputs_);
}

// `count` rows of logits from `row` on; guided by as many from `unconditional` on, if not -1.
void TransformerPredictor::compute_logits(const PredictRequest& request, int row, int unconditional,
                                          int count) {
  reserve_logits();
  pass_.logits(row, count, logits_.data());
  if (unconditional < 0) return;
  unguided_.resize(logits_.size());
  pass_.logits(unconditional, count, unguided_.data());
  const std::size_t n = static_cast<std::size_t>(count) * transformer_->config().vocab_size;
  const float weight = request.guidance.scale + 1;
  for (std::size_t i = 0; i < n; ++i) {
    logits_[i] = unguided_[i] + weight * (logits_[i] - unguided_[i]);
  }
}

// Draws the candidates [begin, end), whose wanted rows lie one after the other.
void TransformerPredictor::draw_range(std::span<const PredictRequest> requests, int begin, int end,
                                      std::span<Candidate> candidates) {
  const auto V = static_cast<std::size_t>(transformer_->config().vocab_size);
  while (begin < end) {
    const Source& first = sources_[begin];
    int next = begin;
    while (next < end && sources_[next].row < first.row + chunk_) ++next;
    compute_logits(requests[first.request], first.row, first.unconditional,
                   sources_[next - 1].row - first.row + 1);
    context_->pool().run(next - begin, [&](int task, int thread) {
      const Source& source = sources_[begin + task];
      const float* row = logits_.data() + static_cast<std::size_t>(source.row - first.row) * V;
      candidates[begin + task] =
          candidate_for(requests[source.request], source.index, {row, V}, scratch_[thread]);
    });
    begin = next;
  }
}

// As draw_range(), for plain requests, whose logits stay on the device.
void TransformerPredictor::draw_on_device(std::span<const PredictRequest> requests, int begin,
                                          int end, std::span<Candidate> candidates) {
  while (begin < end) {
    const int first = sources_[begin].row;
    int next = begin;
    while (next < end && sources_[next].row < first + chunk_) ++next;
    pass_.keep_logits(first, sources_[next - 1].row - first + 1);
    while (begin < next) {
      const int request = sources_[begin].request;
      int last = begin;
      while (last < next && sources_[last].request == request) ++last;
      draw_request(requests[request], begin, first,
                   candidates.subspan(static_cast<std::size_t>(begin),
                                      static_cast<std::size_t>(last - begin)));
      begin = last;
    }
  }
}

// The candidates from `begin` on, all of this request; the device's logits begin with row `first`.
void TransformerPredictor::draw_request(const PredictRequest& request, int begin, int first,
                                        std::span<Candidate> candidates) {
  device_.results.resize(candidates.size());
  device_.rows.clear();
  device_.uniforms.clear();
  device_.banned.clear();
  device_.banned_begin.assign(1, 0);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Source& source = sources_[static_cast<std::size_t>(begin) + i];
    const int position = request.masked[static_cast<std::size_t>(source.index)];
    const std::span<const std::int32_t> banned = request.banned_at(position);
    device_.rows.push_back(source.row - first);
    candidates[i].position = position;
    device_.uniforms.push_back(request.draw.temperature > 0 ? request.uniform_at(position) : 0);
    device_.banned.insert(device_.banned.end(), banned.begin(), banned.end());
    device_.banned_begin.push_back(static_cast<std::int32_t>(device_.banned.size()));
  }
  pass_.draw({.results = device_.results,
              .logits = nullptr,
              .rows = device_.rows,
              .allowed = request.draw.allowed,
              .forbidden = request.draw.forbidden,
              .banned = device_.banned,
              .banned_begin = device_.banned_begin,
              .uniforms = device_.uniforms,
              .V = 0,
              .temperature = request.draw.temperature,
              .confidence = row_confidence(request.draw.confidence)});
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    candidates[i].token = device_.results[i].token;
    candidates[i].probability = device_.results[i].probability;
    candidates[i].confidence = device_.results[i].confidence;
    candidates[i].plain_probability = device_.results[i].plain_probability;
  }
}

void TransformerPredictor::predict_batch(std::span<const PredictRequest> requests,
                                         std::span<Candidate> candidates) {
  if (!run(requests)) return;
  const int n = static_cast<int>(sources_.size());
  const auto guided = [&](int i) { return sources_[i].unconditional >= 0; };
  const auto on_device = [&](int i) {
    return pass_.keeps_logits() && is_plain(requests[sources_[i].request]);
  };
  for (int begin = 0; begin < n;) {
    // A guided request alone: the rows that guide it lie between its own and the next one's.
    int end = begin + 1;
    while (end < n && on_device(end) == on_device(begin) &&
           (guided(begin) ? sources_[end].request == sources_[begin].request : !guided(end))) {
      ++end;
    }
    if (on_device(begin)) {
      draw_on_device(requests, begin, end, candidates);
    } else {
      draw_range(requests, begin, end, candidates);
    }
    begin = end;
  }
}

Candidate TransformerPredictor::redraw(const PredictRequest& request, int index, int first) {
  const auto V = static_cast<std::size_t>(transformer_->config().vocab_size);
  const Source& source = sources_[first + index];
  // The row's logits may be gone with their chunk; a row alone gives the same bits again.
  if (pass_.keeps_logits() && is_plain(request)) {
    Candidate candidate;
    pass_.keep_logits(source.row, 1);
    draw_request(request, first + index, source.row, {&candidate, 1});
    return candidate;
  }
  compute_logits(request, source.row, source.unconditional, 1);
  return candidate_for(request, index, {logits_.data(), V}, scratch_[0]);
}

void TransformerPredictor::splice(int slot, int size, const CanvasSplice& splice) {
  pass_.splice(slot, size, splice);
}

void TransformerPredictor::logits(std::span<const std::int32_t> canvas,
                                  std::span<const std::int32_t> positions, float* out) {
  std::vector<std::int32_t> rows(canvas.size());
  std::iota(rows.begin(), rows.end(), 0);
  const PredictRequest request{.canvas = canvas,
                               .rows = rows,
                               .masked = positions,
                               .draw = {},
                               .random = nullptr,
                               .step = 0};
  run({&request, 1});
  const auto V = static_cast<std::size_t>(transformer_->config().vocab_size);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    pass_.logits(sources_[i].row, 1, out + i * V);
  }
}

}  // namespace lacuna::engine
