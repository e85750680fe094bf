// Pearson's chi-square test at a significance of 1e-6. Seeds are fixed, so a test that passes once
// passes always; a new seed fails a right sampler once in a million.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace lacuna::engine {

// The quantile of 1 - 1e-6 (Wilson and Hilferty's approximation; 4.7534 is that of the normal
// distribution).
inline double chi_square_limit(int degrees_of_freedom) {
  const double v = 2.0 / (9.0 * degrees_of_freedom);
  return degrees_of_freedom * std::pow(1 - v + 4.7534 * std::sqrt(v), 3);
}

inline double chi_square(const std::vector<int>& observed,
                         const std::vector<double>& probabilities) {
  double n = 0;
  for (const int count : observed) n += count;
  double sum = 0;
  for (std::size_t i = 0; i < observed.size(); ++i) {
    const double expected = n * probabilities[i];
    sum += (observed[i] - expected) * (observed[i] - expected) / expected;
  }
  return sum;
}

}  // namespace lacuna::engine
