// Pearson's chi-square test at a significance of 1e-6. Seeds are fixed, so a test that passes once
// passes always; with a new seed it would fail a right sampler once in a million.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace lacuna::engine {

inline constexpr double kSignificance = 1e-6;

// The probability that a chi-square number is larger than x.
inline double chi_square_tail(double x, int degrees_of_freedom) {
  const double half = x / 2;
  // Two more degrees of freedom add one term each, from 1 or 2 on.
  int n = degrees_of_freedom % 2 == 0 ? 2 : 1;
  double tail = n == 2 ? std::exp(-half) : std::erfc(std::sqrt(half));
  for (; n < degrees_of_freedom; n += 2) {
    tail += std::exp(n / 2.0 * std::log(half) - half - std::lgamma(n / 2.0 + 1));
  }
  return tail;
}

// Whether counts fit probabilities (which sum to 1).
inline bool fits(const std::vector<int>& observed, const std::vector<double>& probabilities) {
  double n = 0;
  for (const int count : observed) n += count;
  double sum = 0;
  for (std::size_t i = 0; i < observed.size(); ++i) {
    const double expected = n * probabilities[i];
    sum += (observed[i] - expected) * (observed[i] - expected) / expected;
  }
  return chi_square_tail(sum, static_cast<int>(observed.size()) - 1) > kSignificance;
}

}  // namespace lacuna::engine
