// What a table says about many samples.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/eval/decode.h"

namespace lacuna::cli {

struct CaseResult {
  std::string id;
  std::vector<Sample> samples;
};

// The unbiased estimate of the chance that one of k samples is right, from n samples of which c
// are (Codex, arXiv 2107.03374). 1 <= k <= n.
double pass_at_k(int n, int c, int k);

// The interval that holds the true share with 95 % confidence, after `right` of `n` independent
// tries were right (Wilson, 1927). n >= 1.
struct Interval {
  double low;
  double high;
};
Interval wilson_interval(int right, int n);

// The smallest value that at least `share` of all are not above (nearest rank). At least one value.
double percentile(std::vector<double> values, double share);

// Means over all samples, of shares in [0, 1]; a sample with an error counts as wrong everywhere.
struct Summary {
  int cases = 0;
  int samples = 0;  // for each case
  int errors = 0;   // samples that did not fit the model
  double exact = 0;
  double parses = 0;
  std::vector<std::pair<int, double>> pass_at;  // k = 1, 10, 100 and the number of samples
  double forward_passes = 0;                    // for each sample
  double tokens_per_forward = 0;                // all tokens by all passes
  double length_error = 0;                      // absolute, in tokens
  double seconds_p50 = 0;
  double seconds_p95 = 0;
};

// At least one case, each with equally many samples.
Summary summarise(std::span<const CaseResult> results);

}  // namespace lacuna::cli
