#include "engine/length_calibration.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/file.h"

namespace lacuna::engine {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxCalibrationBytes = 1 << 16;

// Solves the normal equations of least squares for the coefficients of three columns that must not
// be negative: of all subsets of columns the best that has no negative one.
struct Fit {
  std::array<double, 3> coefficients{};
  double error = std::numeric_limits<double>::infinity();
};

// Gaussian elimination of an n x n system, n <= 3; false when it is singular.
bool solve(std::array<std::array<double, 4>, 3>& system, int n) {
  for (int i = 0; i < n; ++i) {
    int pivot = i;
    for (int r = i + 1; r < n; ++r) {
      if (std::abs(system[r][i]) > std::abs(system[pivot][i])) pivot = r;
    }
    std::swap(system[i], system[pivot]);
    if (std::abs(system[i][i]) < 1e-12) return false;
    for (int r = 0; r < n; ++r) {
      if (r == i) continue;
      const double factor = system[r][i] / system[i][i];
      for (int c = i; c <= n; ++c) system[r][c] -= factor * system[i][c];
    }
  }
  for (int i = 0; i < n; ++i) system[i][n] /= system[i][i];
  return true;
}

Fit fit_columns(std::span<const std::array<double, 3>> columns, std::span<const double> values,
                unsigned subset) {
  std::array<int, 3> used{};
  int n = 0;
  for (int i = 0; i < 3; ++i) {
    if ((subset >> i & 1U) != 0) used[n++] = i;
  }
  std::array<std::array<double, 4>, 3> system{};
  for (std::size_t s = 0; s < columns.size(); ++s) {
    for (int r = 0; r < n; ++r) {
      for (int c = 0; c < n; ++c) system[r][c] += columns[s][used[r]] * columns[s][used[c]];
      system[r][n] += columns[s][used[r]] * values[s];
    }
  }
  Fit fit;
  if (!solve(system, n)) return fit;
  for (int i = 0; i < n; ++i) {
    if (system[i][n] < 0) return fit;
    fit.coefficients[used[i]] = system[i][n];
  }
  fit.error = 0;
  for (std::size_t s = 0; s < columns.size(); ++s) {
    double off = -values[s];
    for (int i = 0; i < 3; ++i) off += fit.coefficients[i] * columns[s][i];
    fit.error += off * off;
  }
  return fit;
}

std::array<std::pair<const char*, double*>, 8> fields_of(LengthCalibration& calibration) {
  return {{{"a", &calibration.a},
           {"b", &calibration.b},
           {"c", &calibration.c},
           {"d", &calibration.d},
           {"e", &calibration.e},
           {"log_mean", &calibration.log_mean},
           {"log_deviation", &calibration.log_deviation},
           {"prior_weight", &calibration.prior_weight}}};
}

void fit_prior(std::span<const LengthSample> samples, int lengths_per_hole,
               LengthCalibration& calibration) {
  double sum = 0;
  double squares = 0;
  int n = 0;
  for (std::size_t i = 0; i < samples.size(); i += static_cast<std::size_t>(lengths_per_hole)) {
    const double logarithm = std::log(samples[i].true_length);
    sum += logarithm;
    squares += logarithm * logarithm;
    ++n;
  }
  calibration.log_mean = sum / n;
  const double variance = squares / n - calibration.log_mean * calibration.log_mean;
  calibration.log_deviation = std::max(0.1, std::sqrt(std::max(0.0, variance)));
  LengthCalibration best = calibration;
  double least = std::numeric_limits<double>::infinity();
  for (const double weight : {0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0}) {
    calibration.prior_weight = weight;
    const double error = length_error(samples, lengths_per_hole, calibration);
    if (error < least) {
      least = error;
      best = calibration;
    }
  }
  calibration = best;
}

}  // namespace

double LengthCalibration::expected(int length) const {
  return a * std::exp(-b * length) + c * std::exp(-d * length) + e;
}

double LengthCalibration::score(int length, double confidence) const {
  const double off = (std::log(length) - log_mean) / log_deviation;
  // Confidence may be 0.
  constexpr double kLeast = 1e-9;
  return std::log(std::max(confidence, kLeast) / expected(length)) - prior_weight * 0.5 * off * off;
}

Result<LengthCalibration> parse_calibration(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return fail(ErrorCode::Corrupt, "it is not a JSON object");
  LengthCalibration calibration;
  const auto read = [&](const char* key, double& value) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number()) return false;
    value = found->get<double>();
    return value >= 0 && value <= 100;
  };
  for (const auto& [key, value] : fields_of(calibration)) {
    if (!read(key, *value)) {
      return fail(ErrorCode::Corrupt, std::string(key) + " must be a number from 0 to 100");
    }
  }
  if (calibration.log_deviation < 0.01) {
    return fail(ErrorCode::Corrupt, "log_deviation must be at least 0.01");
  }
  // Confidence is divided by what is expected at any length.
  if (calibration.expected(1 << 20) <= 0) return fail(ErrorCode::Corrupt, "e must be above 0");
  return calibration;
}

Result<LengthCalibration> load_calibration(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kCalibrationFile;
  const Result<std::string> text = read_file(path, kMaxCalibrationBytes);
  if (!text) return text.error();
  Result<LengthCalibration> calibration = parse_calibration(*text);
  if (calibration) return calibration;
  return fail(calibration.error().code, path.string() + ": " + calibration.error().message +
                                            "; write it anew with lacuna model calibrate");
}

std::string to_json(const LengthCalibration& calibration) {
  LengthCalibration copy = calibration;
  nlohmann::ordered_json object;
  for (const auto& [key, value] : fields_of(copy)) object[key] = *value;
  return object.dump(2) + "\n";
}

double length_error(std::span<const LengthSample> samples, int lengths_per_hole,
                    const LengthCalibration& calibration) {
  double sum = 0;
  int n = 0;
  const auto per_hole = static_cast<std::size_t>(lengths_per_hole);
  for (std::size_t first = 0; first < samples.size(); first += per_hole, ++n) {
    const auto hole = samples.subspan(first, per_hole);
    const auto best = std::max_element(hole.begin(), hole.end(), [&](const auto& x, const auto& y) {
      return calibration.score(x.length, x.confidence) < calibration.score(y.length, y.confidence);
    });
    sum += std::abs(std::log(static_cast<double>(best->length) / best->true_length));
  }
  return n == 0 ? 0 : sum / n;
}

Result<LengthCalibration> fit_calibration(std::span<const LengthSample> samples,
                                          int lengths_per_hole) {
  constexpr int kNear = 4;
  constexpr std::size_t kLeast = 20;
  std::vector<const LengthSample*> used;
  for (const LengthSample& sample : samples) {
    if (std::abs(sample.length - sample.true_length) > kNear) used.push_back(&sample);
  }
  if (used.size() < kLeast) {
    return fail(ErrorCode::InvalidInput, "there are " + std::to_string(used.size()) +
                                             " measurements of wrong lengths; at least " +
                                             std::to_string(kLeast) + " are needed");
  }
  std::vector<double> values;
  values.reserve(used.size());
  for (const LengthSample* sample : used) values.push_back(sample->confidence);
  // Linear in a, c and e once b and d are chosen: those from a grid.
  constexpr double kStep = 0.02;
  Fit best;
  LengthCalibration calibration;
  std::vector<std::array<double, 3>> columns(used.size());
  for (double b = 2 * kStep; b <= 2 + kStep / 2; b += 5 * kStep) {
    for (double d = 0; d <= 0.5 + kStep / 2 && d < b; d += kStep / 2) {
      for (std::size_t s = 0; s < used.size(); ++s) {
        columns[s] = {std::exp(-b * used[s]->length), std::exp(-d * used[s]->length), 1};
      }
      // The constant is always among them: what is expected must not become 0.
      for (unsigned subset = 4; subset < 8; ++subset) {
        const Fit fit = fit_columns(columns, values, subset);
        if (fit.error >= best.error) continue;
        best = fit;
        calibration.a = fit.coefficients[0];
        calibration.b = b;
        calibration.c = fit.coefficients[1];
        calibration.d = d;
        calibration.e = fit.coefficients[2];
      }
    }
  }
  if (calibration.e <= 0) {
    return fail(ErrorCode::InvalidInput,
                "the measurements do not determine a calibration; give "
                "more or other files");
  }
  fit_prior(samples, lengths_per_hole, calibration);
  return calibration;
}

}  // namespace lacuna::engine
