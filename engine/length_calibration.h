// How sure a model is of a hole by its length alone (CAL, "Calibrated length search", 2602.00476).
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "support/result.h"

namespace lacuna::engine {

// The confidence that is expected of a hole of L tokens when L is not its length:
// a exp(-b L) + c exp(-d L) + e. The defaults are those published for three 7B and 8B models.
//
// What a model sees in a hole may say little about its length. So the score also has how frequent
// the length is: log-normal, with a weight that was found to choose best.
struct LengthCalibration {
  double a = 1.00, b = 1.77, c = 0.56, d = 0.06, e = 0.24;
  double log_mean = 2;       // of the natural logarithm of lengths in tokens
  double log_deviation = 1;  // its standard deviation
  double prior_weight = 0;

  double expected(int length) const;
  // What choose_lengths() makes as large as possible.
  double score(int length, double confidence) const;
};

// The file beside a model's weights.
inline constexpr std::string_view kCalibrationFile = "length_calibration.json";

// NotFound when the model has none, Corrupt when it makes no sense.
Result<LengthCalibration> load_calibration(const std::filesystem::path& folder);
Result<LengthCalibration> parse_calibration(std::string_view json);
std::string to_json(const LengthCalibration& calibration);

// One measurement: a hole whose text has `true_length` tokens, tried with `length`.
struct LengthSample {
  int length;
  int true_length;
  double confidence;
};

// Least squares over the samples whose length is at least 5 off the true one, 0 <= b <= 2,
// 0 <= d <= 0.5, the others not negative; then the weight of the prior with which the chosen
// lengths are least wrong. The samples of a hole stand together, `lengths_per_hole` of them.
// InvalidInput with fewer than 20 samples of wrong lengths.
Result<LengthCalibration> fit_calibration(std::span<const LengthSample> samples,
                                          int lengths_per_hole);

// Mean of |ln(chosen / true)| over the holes: 0.69 is off by a factor of 2 on average.
double length_error(std::span<const LengthSample> samples, int lengths_per_hole,
                    const LengthCalibration& calibration);

}  // namespace lacuna::engine
