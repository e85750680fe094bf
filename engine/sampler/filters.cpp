// Both filters first bound the logit where they cut, so that only few entries are looked at one by
// one:
// - top_k: the maxima of k different columns are k values of the row, so the k-th largest value is
//   at least the k-th largest maximum;
// - top_p: the mass above a bound says on which side of it the cut lies, so bisection closes in.
#include "engine/sampler/filters.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <limits>

#include "engine/sampler/row_math.h"

namespace lacuna::engine {
namespace {

using Entry = DrawScratch::Entry;
using Entries = std::vector<Entry>::iterator;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Puts the logits of [low, high) that are not dropped yet to the front of scratch.entries, with
// their probabilities, and returns their end.
Entries collect(std::span<const float> logits, std::span<const float> maxima,
                std::span<const float> probabilities, float low, float high, DrawScratch& scratch) {
  scratch.entries.resize(logits.size());
  auto end = scratch.entries.begin();
  const float lowest = std::max(low, std::numeric_limits<float>::lowest());
  for (std::size_t c = 0; c < maxima.size(); ++c) {
    if (!(maxima[c] >= lowest)) continue;
    const std::size_t tile = c / kRowColumns * kRowTile;
    const std::size_t tile_end = std::min(logits.size(), tile + kRowTile);
    for (std::size_t i = tile + c % kRowColumns; i < tile_end; i += kRowColumns) {
      // Written first and kept by moving the end: no branch that half of the logits would miss.
      // There is room, since no logit before i is looked at twice.
      *end = {logits[i], probabilities[i], static_cast<std::int32_t>(i)};
      end += static_cast<std::ptrdiff_t>(logits[i] >= lowest) & (logits[i] < high ? 1 : 0);
    }
  }
  return end;
}

std::span<const float> find_maxima(std::span<const float> logits, DrawScratch& scratch) {
  const int n = static_cast<int>(logits.size());
  scratch.maxima.resize(static_cast<std::size_t>(n_row_columns(n)));
  row_math().column_maxima(scratch.maxima.data(), logits.data(), n);
  return scratch.maxima;
}

// The cut of top_p is at a logit in [low, high); the logits from `high` on hold `mass_above`.
struct Bounds {
  float low = -kInfinity;
  float high = kInfinity;
  double mass_above = 0;
};

Bounds bounds_of_top_p(std::span<const float> logits, std::span<const float> probabilities,
                       float largest, float top_p) {
  constexpr int kFew = 2048;
  constexpr int kMaxBisections = 12;  // ties may leave more than a few
  const int n = static_cast<int>(logits.size());
  Bounds bounds;
  RowTail at_low{0, n};
  int n_above = 0;
  const auto look_at = [&](float cutoff) {
    const RowTail tail = row_math().tail_at(probabilities.data(), logits.data(), cutoff, n);
    if (static_cast<float>(tail.mass) > top_p) {
      bounds.low = cutoff;
      at_low = tail;
      return;
    }
    bounds.high = cutoff;
    bounds.mass_above = tail.mass;
    n_above = tail.count;
  };
  // Most rows are decided by the first distance or two; below the last, probabilities are 0.
  for (const float distance : {3.0F, 8.0F, 20.0F, 88.0F}) {
    if (bounds.low == -kInfinity) look_at(largest - distance);
  }
  for (int i = 0; i < kMaxBisections && at_low.count - n_above > kFew; ++i) {
    const float high = std::min(bounds.high, largest);
    const float middle = bounds.low + (high - bounds.low) / 2;
    if (!(middle > bounds.low && middle < high)) break;
    look_at(middle);
  }
  return bounds;
}

struct Groups {  // [begin, greater_end) [greater_end, equal_end) [equal_end, end) by logit
  Entries greater_end;
  Entries equal_end;
};

Groups partition_at(Entries begin, Entries end, float pivot) {
  const auto greater_end =
      std::partition(begin, end, [=](const Entry& entry) { return entry.logit > pivot; });
  const auto equal_end =
      std::partition(greater_end, end, [=](const Entry& entry) { return entry.logit == pivot; });
  return {greater_end, equal_end};
}

float median_of_three(Entries begin, Entries end) {
  std::array<float, 3> logits{begin->logit, begin[(end - begin) / 2].logit, end[-1].logit};
  std::sort(logits.begin(), logits.end());
  return logits[1];
}

double sum_of(Entries begin, Entries end, double sum) {
  for (; begin != end; ++begin) sum += begin->probability;
  return sum;
}

// Entries of equal logits at which the sum of probabilities exceeds top_p.
struct Border {
  Entries begin;
  Entries end;  // begin if the sum never exceeds it
  double mass_above;
};

// Quickselect by mass. Sums are doubles of float32 probabilities, compared after rounding, as in
// the reference's cumulative sum. `mass_above` is that of logits larger than all entries.
Border find_border(Entries begin, Entries end, double mass_above, float top_p) {
  while (begin != end) {
    const Groups groups = partition_at(begin, end, median_of_three(begin, end));
    const double with_greater = sum_of(begin, groups.greater_end, mass_above);
    if (static_cast<float>(with_greater) > top_p) {
      end = groups.greater_end;
      continue;
    }
    const double with_equal = sum_of(groups.greater_end, groups.equal_end, with_greater);
    if (static_cast<float>(with_equal) > top_p) {
      return {groups.greater_end, groups.equal_end, with_greater};
    }
    mass_above = with_equal;
    begin = groups.equal_end;
  }
  return {end, end, mass_above};
}

void drop_surplus(std::span<float> logits, const Border& border, float top_p) {
  double mass = border.mass_above;
  std::ptrdiff_t n_kept = 0;
  for (const std::ptrdiff_t n = border.end - border.begin; n_kept < n;) {
    ++n_kept;
    mass += border.begin->probability;
    if (static_cast<float>(mass) > top_p) break;
  }
  const auto surplus = border.begin + n_kept;
  if (surplus == border.end) return;
  std::nth_element(border.begin, surplus, border.end,
                   [](const Entry& a, const Entry& b) { return a.token < b.token; });
  std::for_each(surplus, border.end, [&](const Entry& entry) {
    logits[static_cast<std::size_t>(entry.token)] = -kInfinity;
  });
}

}  // namespace

void keep_top_p(std::span<float> logits, float top_p, DrawScratch& scratch) {
  const int n = static_cast<int>(logits.size());
  const auto maxima = find_maxima(logits, scratch);
  const float largest =
      maxima.empty() ? -kInfinity : *std::max_element(maxima.begin(), maxima.end());
  if (largest == -kInfinity) return;
  scratch.weights.resize(logits.size());
  scratch.sums.resize(static_cast<std::size_t>(n_row_blocks(n)));
  const double total = row_math().exponentials(scratch.weights.data(), scratch.sums.data(),
                                               logits.data(), largest, n);
  std::vector<float>& probabilities = scratch.weights;
  row_math().divide(probabilities.data(), static_cast<float>(total), n);
  const Bounds bounds = bounds_of_top_p(logits, probabilities, largest, top_p);
  const Entries end = collect(logits, maxima, probabilities, bounds.low, bounds.high, scratch);
  const Border border = find_border(scratch.entries.begin(), end, bounds.mass_above, top_p);
  if (border.begin == border.end) return;  // rounding: even all together do not exceed top_p
  row_math().drop_below(logits.data(), border.begin->logit, n);
  drop_surplus(logits, border, top_p);
}

void keep_top_k(std::span<float> logits, int k, DrawScratch& scratch) {
  const auto n_kept = static_cast<std::size_t>(k);
  if (n_kept >= logits.size()) return;
  const auto maxima = find_maxima(logits, scratch);
  float bound = -kInfinity;
  scratch.weights.resize(std::max(logits.size(), maxima.size()));
  if (n_kept <= maxima.size()) {
    const auto copy = scratch.weights.begin();
    const auto copy_end = std::copy(maxima.begin(), maxima.end(), copy);
    std::nth_element(copy, copy + (k - 1), copy_end, std::greater<>());
    bound = copy[k - 1];
  }
  const Entries end = collect(logits, maxima, scratch.weights, bound, kInfinity, scratch);
  const auto kth = scratch.entries.begin() + (k - 1);
  if (kth >= end) return;  // the others are dropped already
  std::nth_element(scratch.entries.begin(), kth, end,
                   [](const Entry& a, const Entry& b) { return a.logit > b.logit; });
  row_math().drop_below(logits.data(), kth->logit, static_cast<int>(logits.size()));
}

}  // namespace lacuna::engine
