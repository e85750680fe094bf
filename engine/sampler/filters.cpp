// Both filters know a lower bound of the logit where they cut, so only the few entries above it
// are looked at one by one:
// - top_k: the maxima of k different columns are k values of the row, so the k-th largest value is
//   at least the k-th largest maximum;
// - top_p: if all logits above a bound hold more than top_p together, the cut is among them.
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

// Calls visit(i) for each logit that is at least `bound` and not dropped yet.
template <class Visit>
void for_each_at_least(std::span<const float> logits, std::span<const float> maxima, float bound,
                       const Visit& visit) {
  const std::size_t n = logits.size();
  for (std::size_t c = 0; c < maxima.size(); ++c) {
    if (maxima[c] < bound || maxima[c] == -kInfinity) continue;
    const std::size_t tile = c / kRowColumns * kRowTile;
    const std::size_t end = std::min(n, tile + kRowTile);
    for (std::size_t i = tile + c % kRowColumns; i < end; i += kRowColumns) {
      if (logits[i] >= bound && logits[i] > -kInfinity) visit(i);
    }
  }
}

std::span<const float> find_maxima(std::span<const float> logits, DrawScratch& scratch) {
  const int n = static_cast<int>(logits.size());
  scratch.entries.reserve(logits.size());  // once, so that later rows never allocate
  scratch.maxima.resize(static_cast<std::size_t>(n_row_columns(n)));
  row_math().column_maxima(scratch.maxima.data(), logits.data(), n);
  return scratch.maxima;
}

// A logit above which more than top_p of the total mass lies; -inf if no cheap one is found.
float bound_of_top_p(std::span<const float> logits, float largest, double wanted_mass,
                     const DrawScratch& scratch) {
  for (const float distance : {3.0F, 8.0F}) {
    const double mass = row_math().mass_at_least(
        scratch.weights.data(), logits.data(), largest - distance, static_cast<int>(logits.size()));
    if (mass > wanted_mass) return largest - distance;
  }
  return -kInfinity;
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
// the reference's cumulative sum.
Border find_border(Entries begin, Entries end, float top_p) {
  double mass_above = 0;
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
  // The margin covers the float32 sums of bound_of_top_p().
  const float bound = bound_of_top_p(logits, largest, (top_p + 1e-5) * total, scratch);
  scratch.entries.clear();
  const auto divisor = static_cast<float>(total);
  for_each_at_least(logits, maxima, bound, [&](std::size_t i) {
    scratch.entries.push_back(
        {logits[i], scratch.weights[i] / divisor, static_cast<std::int32_t>(i)});
  });
  const Border border = find_border(scratch.entries.begin(), scratch.entries.end(), top_p);
  if (border.begin == border.end) return;  // rounding: even all together do not exceed top_p
  row_math().drop_below(logits.data(), border.begin->logit, n);
  drop_surplus(logits, border, top_p);
}

void keep_top_k(std::span<float> logits, int k, DrawScratch& scratch) {
  const auto n_kept = static_cast<std::size_t>(k);
  if (n_kept >= logits.size()) return;
  const auto maxima = find_maxima(logits, scratch);
  float bound = -kInfinity;
  if (n_kept <= maxima.size()) {
    scratch.weights.resize(std::max(logits.size(), maxima.size()));
    const auto copy = scratch.weights.begin();
    const auto copy_end = std::copy(maxima.begin(), maxima.end(), copy);
    std::nth_element(copy, copy + (k - 1), copy_end, std::greater<>());
    bound = copy[k - 1];
  }
  scratch.entries.clear();
  for_each_at_least(logits, maxima, bound, [&](std::size_t i) {
    scratch.entries.push_back({logits[i], 0, static_cast<std::int32_t>(i)});
  });
  if (scratch.entries.size() < n_kept) return;  // the others are dropped already
  const auto kth = scratch.entries.begin() + (k - 1);
  std::nth_element(scratch.entries.begin(), kth, scratch.entries.end(),
                   [](const Entry& a, const Entry& b) { return a.logit > b.logit; });
  row_math().drop_below(logits.data(), kth->logit, static_cast<int>(logits.size()));
}

}  // namespace lacuna::engine
