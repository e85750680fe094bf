#include "cli/eval/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace lacuna::cli {
namespace {

bool passed(const Sample& sample) {
  return sample.outcome && sample.outcome->verdict == Verdict::Passed;
}

std::vector<int> ks_of(int samples) {
  std::vector<int> ks = {1};
  for (const int k : {10, 100}) {
    if (k < samples) ks.push_back(k);
  }
  if (samples > 1) ks.push_back(samples);
  return ks;
}

double mean_pass_at(std::span<const CaseResult> results, int k) {
  double sum = 0;
  for (const CaseResult& result : results) {
    const auto right = std::count_if(result.samples.begin(), result.samples.end(), passed);
    sum += pass_at_k(static_cast<int>(result.samples.size()), static_cast<int>(right), k);
  }
  return sum / static_cast<double>(results.size());
}

}  // namespace

double pass_at_k(int n, int c, int k) {
  double all_wrong = 1;
  for (int i = n - c + 1; i <= n; ++i) all_wrong *= 1 - static_cast<double>(k) / i;
  // With fewer than k wrong samples one factor is 0 or less, and some right one is always drawn.
  return n - c < k ? 1 : 1 - all_wrong;
}

Interval wilson_interval(int right, int n) {
  constexpr double kZ = 1.959963984540054;
  const double share = static_cast<double>(right) / n;
  const double middle = share + kZ * kZ / (2 * n);
  const double half = kZ * std::sqrt(share * (1 - share) / n + kZ * kZ / (4.0 * n * n));
  const double scale = 1 + kZ * kZ / n;
  return {.low = right == 0 ? 0 : (middle - half) / scale,
          .high = right == n ? 1 : (middle + half) / scale};
}

double percentile(std::vector<double> values, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
  const std::size_t index = std::clamp<std::size_t>(rank, 1, values.size()) - 1;
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index),
                   values.end());
  return values[index];
}

Summary summarise(std::span<const CaseResult> results) {
  Summary summary;
  summary.cases = static_cast<int>(results.size());
  summary.samples = static_cast<int>(results.front().samples.size());
  std::vector<double> seconds;
  double committed = 0;
  for (const CaseResult& result : results) {
    for (const Sample& sample : result.samples) {
      seconds.push_back(sample.seconds);
      summary.errors += sample.error.empty() ? 0 : 1;
      summary.exact += sample.exact ? 1 : 0;
      summary.parses += sample.outcome && sample.outcome->parses ? 1 : 0;
      summary.forward_passes += sample.forward_passes;
      summary.length_error += std::abs(sample.length_error);
      committed += sample.committed;
    }
  }
  if (summary.forward_passes > 0) summary.tokens_per_forward = committed / summary.forward_passes;
  const auto n = static_cast<double>(seconds.size());
  for (double* sum :
       {&summary.exact, &summary.parses, &summary.forward_passes, &summary.length_error}) {
    *sum /= n;
  }
  for (const int k : ks_of(summary.samples)) {
    summary.pass_at.emplace_back(k, mean_pass_at(results, k));
  }
  summary.seconds_p50 = percentile(seconds, 0.5);
  summary.seconds_p95 = percentile(std::move(seconds), 0.95);
  return summary;
}

}  // namespace lacuna::cli
