#include "engine/sampler/options.h"

#include <array>
#include <cstdio>
#include <span>
#include <string>

namespace lacuna::engine {
namespace {

constexpr int kMaxSteps = 1'000'000;
// Below this a logit divided by the temperature may overflow; 0 says "the most probable" better.
constexpr float kMinTemperature = 1e-6F;
constexpr float kMaxTemperature = 100;
constexpr float kMaxFactor = 1000;
constexpr float kMaxEntropy = 1000;
constexpr int kMaxBlock = 1'000'000;
constexpr int kMaxDrafts = 64;
constexpr int kMaxActions = 64;
constexpr float kMaxGuidance = 100;

template <class Value>
struct Name {
  Value value;
  std::string_view name;
};

constexpr std::array<Name<Algorithm>, 9> kAlgorithms{{
    {Algorithm::Origin, "origin"},
    {Algorithm::MaskgitPlus, "maskgit_plus"},
    {Algorithm::TopkMargin, "topk_margin"},
    {Algorithm::Entropy, "entropy"},
    {Algorithm::ConfidenceThreshold, "confidence_threshold"},
    {Algorithm::LowConfidence, "low_confidence"},
    {Algorithm::Random, "random"},
    {Algorithm::P2, "p2"},
    {Algorithm::Remdm, "remdm"},
}};

constexpr std::array<Name<RemaskSchedule>, 3> kRemaskSchedules{{
    {RemaskSchedule::Cap, "cap"},
    {RemaskSchedule::Rescale, "rescale"},
    {RemaskSchedule::Confidence, "conf"},
}};

template <class Value>
std::string_view name_in(std::span<const Name<Value>> names, Value value) {
  for (const Name<Value>& entry : names) {
    if (entry.value == value) return entry.name;
  }
  return "unknown";
}

template <class Value>
Result<Value> parse_in(std::span<const Name<Value>> names, const char* option,
                       std::string_view name) {
  std::string known;
  for (const Name<Value>& entry : names) {
    if (entry.name == name) return entry.value;
    known += known.empty() ? "" : ", ";
    known += entry.name;
  }
  return fail(ErrorCode::InvalidInput,
              std::string(option) + " is '" + std::string(name) + "', must be one of " + known);
}

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

// Whether the schedule alone says how many tokens a step commits.
bool has_schedule(const SamplingOptions& options) {
  const Algorithm algorithm = options.algorithm;
  return (algorithm == Algorithm::MaskgitPlus || algorithm == Algorithm::TopkMargin ||
          algorithm == Algorithm::Entropy || algorithm == Algorithm::LowConfidence) &&
         !options.threshold && !options.factor && !options.entropy_budget;
}

// Why the parallel rules cannot be used, or null.
const char* refuses_parallel_rules(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::Origin:
    case Algorithm::Random:
      return "which chooses positions at random";
    case Algorithm::P2:
    case Algorithm::Remdm:
      return "which takes tokens back by its own schedule";
    default:
      return nullptr;
  }
}

Result<void> check_parallel_rules(const SamplingOptions& options) {
  const char* given = options.threshold         ? "threshold"
                      : options.tokens_per_step ? "tokens_per_step"
                      : options.factor          ? "factor"
                      : options.entropy_budget  ? "entropy_budget"
                                                : nullptr;
  const std::string alg(name_of(options.algorithm));
  if (options.algorithm == Algorithm::ConfidenceThreshold &&
      (!options.threshold || options.tokens_per_step || options.factor || options.entropy_budget)) {
    return fail(ErrorCode::InvalidInput, "alg confidence_threshold needs a threshold");
  }
  if (given == nullptr) return {};
  if (const char* why = refuses_parallel_rules(options.algorithm)) {
    return fail(ErrorCode::InvalidInput,
                std::string(given) + " cannot be used with alg " + alg + ", " + why);
  }
  if (int{options.threshold.has_value()} + int{options.tokens_per_step.has_value()} +
          int{options.factor.has_value()} + int{options.entropy_budget.has_value()} >
      1) {
    return fail(ErrorCode::InvalidInput,
                "only one of threshold, tokens_per_step, factor and entropy_budget can be used");
  }
  if (options.entropy_budget && options.algorithm != Algorithm::Entropy) {
    return fail(ErrorCode::InvalidInput,
                "entropy_budget cannot be used with alg " + alg + "; it needs alg entropy");
  }
  return {};
}

Result<void> check_combination(const SamplingOptions& options) {
  if (const Result<void> checked = check_parallel_rules(options); !checked) return checked;
  if (options.verify > 0 && !has_schedule(options)) {
    return fail(ErrorCode::InvalidInput,
                "verify needs a schedule: maskgit_plus, topk_margin, entropy or low_confidence, "
                "without threshold, factor and entropy_budget");
  }
  if (options.verify > 0 && (options.alg_temp > 0 || options.cfg_scale != 0)) {
    return fail(ErrorCode::InvalidInput, "verify cannot be used with alg_temp or cfg_scale");
  }
  if (options.info_gain > 0 &&
      (options.algorithm != Algorithm::Entropy || !has_schedule(options) || options.alg_temp > 0 ||
       options.cfg_scale != 0 || options.verify > 0)) {
    return fail(
        ErrorCode::InvalidInput,
        "info_gain needs alg entropy with a schedule or tokens_per_step, and cannot be used "
        "with verify, alg_temp or cfg_scale");
  }
  if (options.revoke && (!options.threshold || options.cfg_scale != 0 ||
                         options.algorithm == Algorithm::ConfidenceThreshold)) {
    return fail(ErrorCode::InvalidInput,
                "revoke needs a threshold, and cannot be used with alg confidence_threshold or "
                "cfg_scale");
  }
  if (options.algorithm == Algorithm::Remdm && options.block_length) {
    return fail(ErrorCode::InvalidInput, "block_length cannot be used with alg remdm");
  }
  return {};
}

}  // namespace

std::string_view name_of(Algorithm algorithm) { return name_in<Algorithm>(kAlgorithms, algorithm); }

Result<Algorithm> parse_algorithm(std::string_view name) {
  return parse_in<Algorithm>(kAlgorithms, "alg", name);
}

std::string_view name_of(RemaskSchedule schedule) {
  return name_in<RemaskSchedule>(kRemaskSchedules, schedule);
}

Result<RemaskSchedule> parse_remask_schedule(std::string_view name) {
  return parse_in<RemaskSchedule>(kRemaskSchedules, "remask_schedule", name);
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
  if (options.revoke && !lies_in(*options.revoke, 0, 1)) {
    return out_of_bounds("revoke", *options.revoke, interval(0, 1));
  }
  if (options.tokens_per_step && !lies_in(*options.tokens_per_step, 1, kMaxSteps)) {
    return out_of_bounds("tokens_per_step", *options.tokens_per_step, interval(1, kMaxSteps));
  }
  if (options.factor && !(lies_in(*options.factor, 0, kMaxFactor) && *options.factor > 0)) {
    return out_of_bounds("factor", *options.factor, "in (0, " + text_of(kMaxFactor) + "]");
  }
  if (options.entropy_budget && !lies_in(*options.entropy_budget, 0, kMaxEntropy)) {
    return out_of_bounds("entropy_budget", *options.entropy_budget, interval(0, kMaxEntropy));
  }
  if (options.block_length && !lies_in(*options.block_length, 1, kMaxBlock)) {
    return out_of_bounds("block_length", *options.block_length, interval(1, kMaxBlock));
  }
  if (!lies_in(options.verify, 0, kMaxDrafts)) {
    return out_of_bounds("verify", options.verify, interval(0, kMaxDrafts));
  }
  if (!lies_in(options.cfg_scale, 0, kMaxGuidance)) {
    return out_of_bounds("cfg_scale", options.cfg_scale, interval(0, kMaxGuidance));
  }
  if (!lies_in(options.info_gain, 0, kMaxActions)) {
    return out_of_bounds("info_gain", options.info_gain, interval(0, kMaxActions));
  }
  if (!lies_in(options.position_temperature, kMinTemperature, kMaxTemperature)) {
    return out_of_bounds("position_temperature", options.position_temperature,
                         interval(kMinTemperature, kMaxTemperature));
  }
  if (!lies_in(options.gain_bypass, 0, 1)) {
    return out_of_bounds("gain_bypass", options.gain_bypass, interval(0, 1));
  }
  if (!lies_in(options.eta, 0, 1)) return out_of_bounds("eta", options.eta, interval(0, 1));
  return check_combination(options);
}

}  // namespace lacuna::engine
