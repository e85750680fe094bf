// How long a hole is expected to be by what it is.
#pragma once

namespace lacuna::engine {

struct LengthPrior {
  // Of the natural logarithm of tokens. Takes the place of LengthCalibration's, which is that of all
  // holes and has a weight that makes up for it.
  double log_mean = 0;
  double log_deviation = 1;
  int least = 1;  // tokens: no less can be right
};

}  // namespace lacuna::engine
