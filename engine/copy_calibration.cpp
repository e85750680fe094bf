#include "engine/copy_calibration.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "support/file.h"

namespace lacuna::engine {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxBytes = 1 << 16;
constexpr double kMostWeight = 1000;
constexpr int kMostSharpness = 3;
constexpr double kLeastProbability = 1e-9;

double mixed(const CopySample& sample, double lambda) {
  return std::max(kLeastProbability, (1 - lambda) * sample.model + lambda * sample.copy);
}

// Of the mean log-likelihood, in the direction of each weight.
CopyFeatures gradient(std::span<const CopySample> samples, const CopyMixing& mixing) {
  CopyFeatures sum{};
  for (const CopySample& sample : samples) {
    const double lambda = mixing.lambda(sample.features);
    const double slope =
        (sample.copy - sample.model) / mixed(sample, lambda) * lambda * (1 - lambda);
    for (int i = 0; i < kCopyFeatures; ++i) sum[i] += slope * sample.features[i];
  }
  for (double& value : sum) value /= static_cast<double>(samples.size());
  return sum;
}

}  // namespace

Result<CopyMixing> parse_copy_mixing(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return fail(ErrorCode::Corrupt, "it is not a JSON object");
  CopyMixing mixing;
  const auto sharpness = object.find("sharpness");
  if (sharpness == object.end() || !sharpness->is_number_integer() || *sharpness < 1 ||
      *sharpness > kMostSharpness) {
    return fail(ErrorCode::Corrupt,
                "sharpness must be a whole number from 1 to " + std::to_string(kMostSharpness));
  }
  mixing.sharpness = sharpness->get<int>();
  for (int i = 0; i < kCopyFeatures; ++i) {
    const auto found = object.find(kCopyFeatureNames[i]);
    if (found == object.end() || !found->is_number() ||
        !(std::abs(found->get<double>()) <= kMostWeight)) {
      return fail(ErrorCode::Corrupt,
                  std::string(kCopyFeatureNames[i]) + " must be a number from -1000 to 1000");
    }
    mixing.weights[i] = found->get<double>();
  }
  return mixing;
}

Result<CopyMixing> load_copy_mixing(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kCopyMixingFile;
  const Result<std::string> text = read_file(path, kMaxBytes);
  if (!text) return text.error();
  Result<CopyMixing> mixing = parse_copy_mixing(*text);
  if (mixing) return mixing;
  return fail(mixing.error().code, path.string() + ": " + mixing.error().message +
                                       "; write it anew with lacuna model calibrate");
}

std::string to_json(const CopyMixing& mixing) {
  nlohmann::ordered_json object = {{"sharpness", mixing.sharpness}};
  for (int i = 0; i < kCopyFeatures; ++i) object[kCopyFeatureNames[i]] = mixing.weights[i];
  return object.dump(2) + "\n";
}

double copy_bits(std::span<const CopySample> samples, const CopyMixing& mixing) {
  double bits = 0;
  for (const CopySample& sample : samples) {
    bits -= std::log2(mixed(sample, mixing.lambda(sample.features)));
  }
  return samples.empty() ? 0 : bits / static_cast<double>(samples.size());
}

Result<CopyMixing> fit_copy_mixing(std::span<const CopySample> samples, int sharpness) {
  constexpr std::size_t kLeast = 50;
  constexpr int kIterations = 2000;
  constexpr double kRate = 0.05;
  constexpr double kDecay = 1e-5;
  if (samples.size() < kLeast) {
    return fail(ErrorCode::InvalidInput,
                "there are " + std::to_string(samples.size()) +
                    " masked places with something to copy; at least " + std::to_string(kLeast) +
                    " are needed: give more or longer files, or more --samples");
  }
  CopyMixing mixing{.sharpness = sharpness};
  mixing.weights[0] = -2;  // begins with little trust in copies
  // Adam (1412.6980): the features are of different size, and their weights with them.
  CopyFeatures mean{};
  CopyFeatures square{};
  for (int step = 1; step <= kIterations; ++step) {
    const CopyFeatures slope = gradient(samples, mixing);
    const double rate = kRate * (1 - static_cast<double>(step) / (kIterations + 1));
    for (int i = 0; i < kCopyFeatures; ++i) {
      const double g = slope[i] - kDecay * mixing.weights[i];
      mean[i] = 0.9 * mean[i] + 0.1 * g;
      square[i] = 0.999 * square[i] + 0.001 * g * g;
      const double m = mean[i] / (1 - std::pow(0.9, step));
      const double v = square[i] / (1 - std::pow(0.999, step));
      mixing.weights[i] = std::clamp(mixing.weights[i] + rate * m / (std::sqrt(v) + 1e-8),
                                     -kMostWeight, kMostWeight);
    }
  }
  return mixing;
}

}  // namespace lacuna::engine
