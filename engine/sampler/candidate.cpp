#include "engine/sampler/candidate.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>

#include "engine/sampler/filters.h"
#include "engine/sampler/row_math.h"

namespace lacuna::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// A row of logits with all of its filters applied, and what the softmax needs of it.
struct Row {
  std::span<const float> logits;
  float largest;
  std::span<const float> maxima;   // of its columns
  std::span<const float> weights;  // exp(logit - largest)
  std::span<const double> sums;    // of weights, for each block
  double total;                    // of weights
};

bool filters_top_p(const DrawOptions& options) { return options.top_p && *options.top_p < 1; }

// The tempered logits; forbidden and dropped ones are -inf. A row that nothing changes is not
// copied.
std::span<const float> filtered(std::span<const float> logits, const DrawOptions& options,
                                std::span<const std::int32_t> banned, DrawScratch& scratch) {
  const float divisor = options.temperature > 0 ? options.temperature : 1;
  const bool copies = options.copies != nullptr && !options.copies->empty();
  if (divisor == 1 && options.allowed.empty() && options.forbidden < 0 && banned.empty() &&
      !filters_top_p(options) && !options.top_k && !copies) {
    return logits;
  }
  assert(options.allowed.empty() || options.allowed.size() == logits.size());
  scratch.logits.resize(logits.size());
  row_math().prepare(scratch.logits.data(), logits.data(),
                     options.allowed.empty() ? nullptr : options.allowed.data(),
                     copies ? 1 : divisor, static_cast<int>(logits.size()));
  for (const std::int32_t token : banned) {
    assert(token >= 0 && static_cast<std::size_t>(token) < logits.size());
    scratch.logits[static_cast<std::size_t>(token)] = -kInfinity;
  }
  if (options.forbidden >= 0) {
    scratch.logits[static_cast<std::size_t>(options.forbidden)] = -kInfinity;
  }
  if (copies) {
    mix_copies(scratch.logits, *options.copies, *options.copy_mixing, scratch);
    if (divisor != 1) {
      row_math().divide(scratch.logits.data(), divisor, static_cast<int>(logits.size()));
    }
  }
  if (filters_top_p(options)) keep_top_p(scratch.logits, *options.top_p, scratch);
  if (options.top_k) keep_top_k(scratch.logits, *options.top_k, scratch);
  return scratch.logits;
}

Row softmax_of(std::span<const float> logits, DrawScratch& scratch) {
  const int n = static_cast<int>(logits.size());
  scratch.maxima.resize(static_cast<std::size_t>(n_row_columns(n)));
  scratch.weights.resize(logits.size());
  scratch.sums.resize(static_cast<std::size_t>(n_row_blocks(n)));
  row_math().column_maxima(scratch.maxima.data(), logits.data(), n);
  const float largest = *std::max_element(scratch.maxima.begin(), scratch.maxima.end());
  const double total = row_math().exponentials(scratch.weights.data(), scratch.sums.data(),
                                               logits.data(), largest, n);
  return {logits, largest, scratch.maxima, scratch.weights, scratch.sums, total};
}

// The first of the most probable tokens.
std::size_t best_token(const Row& row) {
  const std::size_t n = row.logits.size();
  std::size_t best = n;
  for (std::size_t c = 0; c < row.maxima.size(); ++c) {
    if (row.maxima[c] != row.largest) continue;
    const std::size_t tile = c / kRowColumns * kRowTile;
    if (tile > best) break;
    std::size_t i = tile + c % kRowColumns;
    while (row.logits[i] != row.largest) i += kRowColumns;
    best = std::min(best, i);
  }
  return best;
}

// The token at which the cumulative sum of weights exceeds uniform * total.
std::size_t drawn_token(const Row& row, double uniform) {
  const double target = uniform * row.total;
  // The sums of blocks add up to `total` exactly as they did in exponentials(), so some block
  // exceeds the target.
  double before = 0;
  std::size_t block = 0;
  while (!(before + row.sums[block] > target)) before += row.sums[block++];
  const std::size_t begin = block * kRowBlock;
  const std::size_t end = std::min(begin + kRowBlock, row.weights.size());
  // The weights of the block may add up to a little less than its sum: then the last one is meant.
  std::size_t token = begin;
  for (std::size_t i = begin; i < end; ++i) {
    if (row.weights[i] == 0) continue;
    token = i;
    before += row.weights[i];
    if (before > target) break;
  }
  return token;
}

float margin_of(const Row& row, std::size_t best) {
  float second = -kInfinity;
  const std::size_t best_column = best / kRowTile * kRowColumns + best % kRowColumns;
  for (std::size_t c = 0; c < row.maxima.size(); ++c) {
    if (c != best_column) second = std::max(second, row.maxima[c]);
  }
  const std::size_t tile = best / kRowTile * kRowTile;
  const std::size_t end = std::min(tile + kRowTile, row.logits.size());
  for (std::size_t i = tile + best % kRowColumns; i < end; i += kRowColumns) {
    if (i != best) second = std::max(second, row.logits[i]);
  }
  const auto first_probability = static_cast<float>(1 / row.total);
  const auto second_probability = static_cast<float>(std::exp(second - row.largest) / row.total);
  return first_probability - second_probability;
}

float confidence_in(const Row& row, Confidence kind, float probability) {
  switch (kind) {
    case Confidence::Probability:
      return probability;
    case Confidence::Margin:
      return margin_of(row, best_token(row));
    case Confidence::NegativeEntropy:
      return static_cast<float>(row_math().negative_entropy(row.weights.data(),
                                                            static_cast<float>(1 / row.total),
                                                            static_cast<int>(row.weights.size())));
  }
  return -kInfinity;
}

Candidate no_candidate(int position) {
  return {.position = position, .token = -1, .probability = 0, .confidence = -kInfinity};
}

// The sum is NaN for a NaN anywhere, for +inf, and when all logits are -inf.
bool has_mass(const Row& row) { return row.total > 0; }

Candidate candidate_of(const Row& row, int position, std::size_t token,
                       const DrawOptions& options) {
  const auto probability = static_cast<float>(row.weights[token] / row.total);
  const auto id = static_cast<std::int32_t>(token);
  Candidate candidate{.position = position,
                      .token = id,
                      .probability = probability,
                      .confidence = 0,
                      .plain_probability = probability};
  if (options.distrusted.empty()) {
    candidate.confidence = confidence_in(row, options.confidence, probability);
    return candidate;
  }
  double trusted = row.total;
  for (const std::int32_t other : options.distrusted) {
    if (other == id) return candidate;
    trusted -= row.weights[static_cast<std::size_t>(other)];
  }
  candidate.confidence = static_cast<float>(row.weights[token] / trusted);
  return candidate;
}

bool changes_probabilities(const DrawOptions& options) {
  const bool tempered = options.temperature > 0 && options.temperature != 1;
  return tempered || filters_top_p(options) || options.top_k;
}

// With its plain probability, where that is another one: a second look at the row.
Candidate with_plain(Candidate candidate, std::span<const float> logits, const DrawOptions& options,
                     std::span<const std::int32_t> banned, DrawScratch& scratch) {
  if (!changes_probabilities(options)) return candidate;
  DrawOptions plain = options;
  plain.temperature = 0;
  plain.top_p.reset();
  plain.top_k.reset();
  const Row row = softmax_of(filtered(logits, plain, banned, scratch), scratch);
  const auto token = static_cast<std::size_t>(candidate.token);
  candidate.plain_probability = static_cast<float>(row.weights[token] / row.total);
  return candidate;
}

}  // namespace

Confidence confidence_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::TopkMargin:
      return Confidence::Margin;
    case Algorithm::Entropy:
      return Confidence::NegativeEntropy;
    case Algorithm::Origin:
    case Algorithm::MaskgitPlus:
    case Algorithm::ConfidenceThreshold:
    case Algorithm::LowConfidence:
    case Algorithm::Random:
    case Algorithm::P2:
    case Algorithm::Remdm:
      break;
  }
  return Confidence::Probability;
}

Candidate draw(std::span<const float> logits, int position, const DrawOptions& options,
               std::span<const std::int32_t> banned, double uniform, DrawScratch& scratch) {
  if (logits.empty()) return no_candidate(position);
  const Row row = softmax_of(filtered(logits, options, banned, scratch), scratch);
  if (!has_mass(row)) return no_candidate(position);
  const std::size_t token = options.temperature > 0 ? drawn_token(row, uniform) : best_token(row);
  return with_plain(candidate_of(row, position, token, options), logits, options, banned, scratch);
}

Candidate draw_gumbel(std::span<const float> logits, int position, const DrawOptions& options,
                      std::span<const std::int32_t> banned, std::span<const double> uniforms,
                      DrawScratch& scratch) {
  if (logits.empty()) return no_candidate(position);
  DrawOptions plain = options;
  plain.temperature = 0;
  plain.top_p.reset();
  plain.top_k.reset();
  const Row row = softmax_of(filtered(logits, plain, banned, scratch), scratch);
  if (!has_mass(row)) return no_candidate(position);
  // The logarithm of the published quotient: it cannot overflow.
  std::size_t best = 0;
  double largest = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < row.logits.size(); ++i) {
    if (row.logits[i] == -kInfinity) continue;
    const double noisy = row.logits[i] - options.temperature * std::log(-std::log(uniforms[i]));
    if (noisy > largest) {
      largest = noisy;
      best = i;
    }
  }
  // Every number was 0: no token is larger than another.
  if (largest == -std::numeric_limits<double>::infinity()) best = best_token(row);
  return candidate_of(row, position, best, options);
}

Candidate score(std::span<const float> logits, int position, std::int32_t token,
                const DrawOptions& options, DrawScratch& scratch) {
  assert(token >= 0 && static_cast<std::size_t>(token) < logits.size());
  const Row row = softmax_of(filtered(logits, options, {}, scratch), scratch);
  if (!has_mass(row)) return no_candidate(position);
  return with_plain(candidate_of(row, position, static_cast<std::size_t>(token), options), logits,
                    options, {}, scratch);
}

}  // namespace lacuna::engine
