// Options that several commands share: one meaning, one help text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/cache_policy.h"
#include "engine/checkpoint/generation_defaults.h"
#include "engine/sampler/options.h"
#include "support/result.h"

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11 calls itself so
class App;
}

namespace lacuna::cli {

struct CommonOptions {
  std::string model;            // a name or a folder; empty: the default one
  std::string device = "auto";  // passed engine::parse_device()
  double vram = 0;              // GB of a GPU that a model may take; 0: what is free
  std::string dtype = "auto";   // auto, f32, bf16, int8
  int threads = 0;              // 0: as many as may run at a time
  bool exact = false;
  std::uint64_t seed = 0;
  bool json = false;
};

// Each adds options to a command; their values have been checked when parsing is done.
void add_model_option(CLI::App& app, CommonOptions& options);
void add_gpu_options(CLI::App& app, CommonOptions& options);     // --device --vram
void add_device_options(CLI::App& app, CommonOptions& options);  // those, --dtype --threads
void add_seed_option(CLI::App& app, CommonOptions& options);
void add_json_option(CLI::App& app, CommonOptions& options, const std::string& what);

// The sampler's options as given; what is not given is left to the command.
struct SamplingFlags {
  std::optional<int> steps;
  std::optional<std::string> alg;
  std::optional<float> temperature;
  std::optional<float> top_p;
  std::optional<int> top_k;
  std::optional<float> alg_temp;
  std::optional<float> eps;
  std::optional<float> threshold;
  std::optional<float> revoke;
  std::optional<float> factor;
  std::optional<float> entropy_budget;
  std::optional<int> tokens_per_step;
  std::optional<int> block_length;
  std::optional<int> verify;
  std::optional<int> info_gain;
  std::optional<float> position_temperature;
  std::optional<std::string> cache;
  std::optional<int> refresh;
  std::optional<float> refresh_share;
  std::optional<float> refresh_drift;
  std::optional<int> look_around;
};

// What the help texts give as defaults.
struct SamplingHelp {
  std::string steps;
  std::string alg;
};

// --copy, of commands that fill holes.
void add_copy_option(CLI::App& app, std::string& copy);
// --finalists, of commands that find the length of holes.
void add_finalists_option(CLI::App& app, std::optional<int>& finalists);

// Adds the sampler's options, --refresh and --exact.
void add_sampling_options(CLI::App& app, SamplingFlags& flags, CommonOptions& options,
                          const SamplingHelp& help);

// `defaults` with what was given, checked. InvalidInput for values out of bounds.
Result<engine::SamplingOptions> with_flags(engine::SamplingOptions defaults,
                                           const SamplingFlags& flags, std::uint64_t seed);

// `defaults` with what was given of the cache.
engine::CacheOptions with_cache_flags(engine::CacheOptions defaults, const SamplingFlags& flags);

// Dream's published defaults (alg origin, 512 steps, eps 0.001), and over them what the model's
// generation_config.json sets. InvalidInput when that names an algorithm that does not exist.
Result<engine::SamplingOptions> published_defaults(const engine::GenerationDefaults& model);

}  // namespace lacuna::cli
