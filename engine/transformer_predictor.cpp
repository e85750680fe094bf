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

// The inputs of the pass, and sources_ of all candidates.
void TransformerPredictor::prepare(std::span<const PredictRequest> requests) {
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
    begin_device_draws(requests);
    while (begin < next) {
      const int request = sources_[begin].request;
      int last = begin;
      while (last < next && sources_[last].request == request) ++last;
      const kernels::DrawLogits draw = device_draw(requests[request], begin, last - begin, first);
      pass_.draw(draw);
      take_results(requests, begin, draw.results,
                   candidates.subspan(static_cast<std::size_t>(begin)));
      begin = last;
    }
  }
}

// How a device draws the candidates of sources_ from `begin` on, all of this request, with rows of
// logits counted from `first`. Appended to device_, whose vectors have room: what is said points there.
kernels::DrawLogits TransformerPredictor::device_draw(const PredictRequest& request, int begin,
                                                      int count, int first) {
  const std::size_t at = device_.rows.size();
  const std::size_t ban = device_.banned.size();
  const std::size_t ban_begin = device_.banned_begin.size();
  const auto n = static_cast<std::size_t>(count);
  device_.banned_begin.push_back(0);
  for (int i = 0; i < count; ++i) {
    const Source& source = sources_[begin + i];
    const int position = request.masked[static_cast<std::size_t>(source.index)];
    const std::span<const std::int32_t> banned = request.banned_at(position);
    device_.rows.push_back(source.row - first);
    device_.uniforms.push_back(request.draw.temperature > 0 ? request.uniform_at(position) : 0);
    device_.banned.insert(device_.banned.end(), banned.begin(), banned.end());
    device_.banned_begin.push_back(static_cast<std::int32_t>(device_.banned.size() - ban));
  }
  return {.results = std::span(device_.results).subspan(at, n),
          .logits = nullptr,
          .rows = std::span(device_.rows).subspan(at),
          .allowed = request.draw.allowed,
          .forbidden = request.draw.forbidden,
          .banned = std::span(device_.banned).subspan(ban),
          .banned_begin = std::span(device_.banned_begin).subspan(ban_begin),
          .uniforms = std::span(device_.uniforms).subspan(at),
          .V = 0,
          .temperature = request.draw.temperature,
          .confidence = row_confidence(request.draw.confidence)};
}

// Room for the candidates of all requests.
void TransformerPredictor::begin_device_draws(std::span<const PredictRequest> requests) {
  std::size_t n_banned = 0;
  for (const PredictRequest& request : requests) {
    for (const std::int32_t position : request.masked)
      n_banned += request.banned_at(position).size();
  }
  device_.results.resize(sources_.size());
  device_.rows.clear();
  device_.rows.reserve(sources_.size());
  device_.uniforms.clear();
  device_.uniforms.reserve(sources_.size());
  device_.banned.clear();
  device_.banned.reserve(n_banned);
  device_.banned_begin.clear();
  device_.banned_begin.reserve(sources_.size() + requests.size());
  device_.draws.clear();
}

void TransformerPredictor::take_results(std::span<const PredictRequest> requests, int begin,
                                        std::span<const kernels::RowResult> results,
                                        std::span<Candidate> candidates) const {
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Source& source = sources_[static_cast<std::size_t>(begin) + i];
    const PredictRequest& request = requests[static_cast<std::size_t>(source.request)];
    candidates[i] = {.position = request.masked[static_cast<std::size_t>(source.index)],
                     .token = results[i].token,
                     .probability = results[i].probability,
                     .confidence = results[i].confidence,
                     .plain_probability = results[i].plain_probability};
  }
}

// The pass with its candidates, where nothing of it is the host's.
TransformerPredictor::Pass TransformerPredictor::run_with_draws(
    std::span<const PredictRequest> requests, std::span<Candidate> candidates) {
  if (!pass_.keeps_logits() || !std::all_of(requests.begin(), requests.end(), is_plain))
    return Pass::NotRun;
  begin_device_draws(requests);
  int begin = 0;
  for (const PredictRequest& request : requests) {
    const int count = static_cast<int>(request.masked.size());
    device_.draws.push_back(device_draw(request, begin, count, 0));
    begin += count;
  }
  if (!pass_.draws_in_step(inputs_, device_.draws)) return Pass::NotRun;
  if (!pass_.run(inputs_, device_.draws)) return Pass::Left;
  take_results(requests, 0, device_.results, candidates);
  return Pass::Done;
}

void TransformerPredictor::predict_batch(std::span<const PredictRequest> requests,
                                         std::span<Candidate> candidates) {
  prepare(requests);
  if (run_with_draws(requests, candidates) != Pass::NotRun) return;
  if (!pass_.run(inputs_)) return;
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
    pass_.keep_logits(source.row, 1);
    begin_device_draws({&request, 1});
    const kernels::DrawLogits draw = device_draw(request, first + index, 1, source.row);
    pass_.draw(draw);
    const kernels::RowResult& result = draw.results.front();
    return {.position = request.masked[static_cast<std::size_t>(index)],
            .token = result.token,
            .probability = result.probability,
            .confidence = result.confidence,
            .plain_probability = result.plain_probability};
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
  prepare({&request, 1});
  pass_.run(inputs_);
  const auto V = static_cast<std::size_t>(transformer_->config().vocab_size);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    pass_.logits(sources_[i].row, 1, out + i * V);
  }
}

}  // namespace lacuna::engine
