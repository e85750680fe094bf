#include "engine/sampler/options.h"

#include <array>
#include <cstdio>
#include <string>

namespace lacuna::engine {
namespace {

constexpr int kMaxSteps = 1'000'000;
// Below this a logit divided by the temperature may overflow; 0 says "the most probable" better.
constexpr float kMinTemperature = 1e-6F;
constexpr float kMaxTemperature = 100;

struct Name {
  Algorithm algorithm;
  std::string_view name;
};

constexpr std::array<Name, 5> kNames{{
    {Algorithm::Origin, "origin"},
    {Algorithm::MaskgitPlus, "maskgit_plus"},
    {Algorithm::TopkMargin, "topk_margin"},
    {Algorithm::Entropy, "entropy"},
    {Algorithm::ConfidenceThreshold, "confidence_threshold"},
}};

std::string text_of(double value) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.7g", value);
  return buffer.data();
}

Error out_of_bounds(const char* option, double value, const std::string& bounds) {
  return fail(ErrorCode::InvalidInput,
              std::string(option) + " is " + text_of(value) + ", must be " + bounds);
}

std::string interval(double low, double high) {
  return "in [" + text_of(low) + ", " + text_of(high) + "]";
}

// Comparisons are written so that NaN fails them.
bool lies_in(double value, double low, double high) { return value >= low && value <= high; }

bool is_temperature(float value) {
  return value == 0 || lies_in(value, kMinTemperature, kMaxTemperature);
}

Result<void> check_combination(const SamplingOptions& options) {
  if (options.algorithm == Algorithm::ConfidenceThreshold && !options.threshold) {
    return fail(ErrorCode::InvalidInput, "alg confidence_threshold needs a threshold");
  }
  if (options.algorithm == Algorithm::Origin && options.threshold) {
    return fail(ErrorCode::InvalidInput,
                "threshold cannot be used with alg origin, which chooses positions at random");
  }
  return {};
}

}  // namespace

std::string_view name_of(Algorithm algorithm) {
  for (const Name& entry : kNames) {
    if (entry.algorithm == algorithm) return entry.name;
  }
  return "unknown";
}

Result<Algorithm> parse_algorithm(std::string_view name) {
  std::string known;
  for (const Name& entry : kNames) {
    if (entry.name == name) return entry.algorithm;
    known += known.empty() ? "" : ", ";
    known += entry.name;
  }
  return fail(ErrorCode::InvalidInput,
              "alg is '" + std::string(name) + "', must be one of " + known);
}

Result<void> check(const SamplingOptions& options) {
  const std::string temperature = "0 or " + interval(kMinTemperature, kMaxTemperature);
  if (!lies_in(options.steps, 1, kMaxSteps)) {
    return out_of_bounds("steps", options.steps, interval(1, kMaxSteps));
  }
  if (!is_temperature(options.temperature)) {
    return out_of_bounds("temperature", options.temperature, temperature);
  }
  if (options.top_p && !(lies_in(*options.top_p, 0, 1) && *options.top_p > 0)) {
    return out_of_bounds("top_p", *options.top_p, "in (0, 1]");
  }
  if (options.top_k && *options.top_k < 1) {
    return out_of_bounds("top_k", *options.top_k, "at least 1");
  }
  if (!is_temperature(options.alg_temp)) {
    return out_of_bounds("alg_temp", options.alg_temp, temperature);
  }
  if (!lies_in(options.eps, 0, 1)) {
    return out_of_bounds("eps", options.eps, interval(0, 1));
  }
  if (options.threshold && !lies_in(*options.threshold, 0, 1)) {
    return out_of_bounds("threshold", *options.threshold, interval(0, 1));
  }
  return check_combination(options);
}

}  // namespace lacuna::engine
