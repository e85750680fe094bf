#include "engine/analysis/ar_ness.h"

#include <algorithm>
#include <tuple>

namespace lacuna::engine {

std::vector<int> decode_order(std::vector<TimedCommit> commits) {
  std::sort(commits.begin(), commits.end(), [](const TimedCommit& a, const TimedCommit& b) {
    return std::tuple(a.step, -a.confidence, a.position) <
           std::tuple(b.step, -b.confidence, b.position);
  });
  std::vector<int> order;
  order.reserve(commits.size());
  for (const TimedCommit& commit : commits) order.push_back(commit.position);
  return order;
}

double local_ar_ness(std::span<const int> order, int k, LocalNorm norm) {
  const auto tokens = static_cast<int>(order.size());
  if (tokens <= k) return 0;
  int hits = 0;
  int run = 0;  // tokens before this one that each followed their left neighbour
  for (std::size_t t = 1; t < order.size(); ++t) {
    run = order[t] == order[t - 1] + 1 ? run + 1 : 0;
    if (run >= k) ++hits;
  }
  return static_cast<double>(hits) / (norm == LocalNorm::Tokens ? tokens : tokens - k);
}

double global_ar_ness(std::span<const int> order, int k) {
  if (order.empty()) return 0;
  std::vector<int> masked(order.begin(), order.end());
  std::sort(masked.begin(), masked.end());
  int hits = 0;
  for (const int position : order) {
    const auto place = std::lower_bound(masked.begin(), masked.end(), position);
    if (place - masked.begin() < k) ++hits;
    masked.erase(place);
  }
  return static_cast<double>(hits) / static_cast<double>(order.size());
}

std::vector<ArNessMean> ar_ness_means(std::span<const std::vector<int>> orders, int max_k) {
  std::vector<ArNessMean> means;
  for (int k = 1; k <= max_k; ++k) {
    ArNessMean mean = {.k = k};
    for (const std::vector<int>& order : orders) {
      if (static_cast<int>(order.size()) <= k) continue;
      mean.orders += 1;
      mean.local_over_tokens += local_ar_ness(order, k, LocalNorm::Tokens);
      mean.local_over_windows += local_ar_ness(order, k, LocalNorm::Windows);
      mean.global += global_ar_ness(order, k);
    }
    for (double* sum : {&mean.local_over_tokens, &mean.local_over_windows, &mean.global}) {
      *sum /= std::max(1, mean.orders);
    }
    means.push_back(mean);
  }
  return means;
}

}  // namespace lacuna::engine
