#include "cli/common_options.h"

#include <CLI/CLI.hpp>
#include <limits>

#include "cli/option_checks.h"
#include "engine/device.h"

namespace lacuna::cli {
namespace {

constexpr const char* kSamplerGroup = "Sampler";

constexpr int kMaxThreads = 1024;
constexpr int kMaxFinalists = 32;
constexpr int kMaxSteps = 1000000;

std::string problem_of_device(const std::string& text) {
  const Result<engine::DeviceWish> wish = engine::parse_device(text);
  return wish ? "" : wish.error().message;
}

std::string problem_of_algorithm(const std::string& text) {
  const Result<engine::Algorithm> algorithm = engine::parse_algorithm(text);
  return algorithm ? "" : algorithm.error().message;
}

// How many tokens a step fixes, where no schedule says it.
void add_parallel_options(CLI::App& app, SamplingFlags& flags) {
  app.add_option(
         "--threshold", flags.threshold,
         "Fix every token that is at least this sure, several in a step; --steps is then an "
         "upper bound")
      ->type_name("X")
      ->group(kSamplerGroup)
      ->check(finite_number());
  app.add_option("--revoke", flags.revoke,
                 "With --threshold: mask a fixed token again when the model, shown all the others, "
                 "gives it less than X")
      ->type_name("X")
      ->group(kSamplerGroup)
      ->check(finite_number());
  app.add_option("--factor", flags.factor,
                 "Fix as many tokens in a step as are sure together: the n-th while its "
                 "probability is at least 1 - X / (n + 1)")
      ->type_name("X")
      ->group(kSamplerGroup)
      ->check(finite_number());
  app.add_option("--entropy-budget", flags.entropy_budget,
                 "Fix tokens in a step as long as their entropies add up to at most X nats; needs "
                 "--alg entropy")
      ->type_name("X")
      ->group(kSamplerGroup)
      ->check(finite_number());
  app.add_option("--tokens-per-step", flags.tokens_per_step,
                 "Fix this many tokens in each step, instead of by a number of steps")
      ->type_name("N")
      ->group(kSamplerGroup)
      ->check(whole_number(1, kMaxSteps));
  app.add_option("--block-length", flags.block_length,
                 "Finish the first N masks before the next N, and so on")
      ->type_name("N")
      ->group(kSamplerGroup)
      ->check(whole_number(1, kMaxSteps));
  app.add_option("--verify", flags.verify,
                 "Try this many steps ahead in each pass; never changes the result")
      ->type_name("N")
      ->group(kSamplerGroup)
      ->check(whole_number(0, 64));
  app.add_option("--info-gain", flags.info_gain,
                 "Of N sets of tokens fix the one after which the model is surest of the rest; "
                 "needs --alg entropy, and one more pass for most steps")
      ->type_name("N")
      ->group(kSamplerGroup)
      ->check(whole_number(0, 64));
  app.add_option("--position-temperature", flags.position_temperature,
                 "How far these sets may be from the surest one (default: 0.2)")
      ->type_name("X")
      ->group(kSamplerGroup)
      ->check(finite_number());
}

// What a step computes.
void add_cache_options(CLI::App& app, SamplingFlags& flags) {
  app.add_option("--cache", flags.cache,
                 "What is computed between two passes over the whole context: holes, dual (the "
                 "current block), or prefix (the block and what follows) (default: holes)")
      ->type_name("NAME")
      ->group(kSamplerGroup)
      ->check(one_of({"holes", "dual", "prefix"}));
  app.add_option("--refresh", flags.refresh,
                 "Recompute the context every N steps; 1 is exact (default: 8)")
      ->type_name("N")
      ->group(kSamplerGroup)
      ->check(whole_number(1, kMaxSteps));
  app.add_option("--refresh-share", flags.refresh_share,
                 "Recompute the context also when this share of the masks has been filled since")
      ->type_name("X")
      ->group(kSamplerGroup)
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--refresh-drift", flags.refresh_drift,
                 "Recompute the context also when a token that the masks attend to most attends "
                 "otherwise than one step before: a cosine below X; 0 never, above 1 always "
                 "(default: 0)")
      ->type_name("X")
      ->group(kSamplerGroup)
      ->check(CLI::Range(0.0, 2.0));
  app.add_option("--look-around", flags.look_around,
                 "Compute also N tokens before and after each hole or block (default: 0)")
      ->type_name("N")
      ->group(kSamplerGroup)
      ->check(whole_number(0, 4096));
}

}  // namespace

void add_model_option(CLI::App& app, CommonOptions& options) {
  app.add_option("--model", options.model,
                 "A model by name (see `lacuna model list`), or its folder, with a slash in it. "
                 "Default: $LACUNA_MODEL, else the embedded model")
      ->type_name("DIR");
}

void add_gpu_options(CLI::App& app, CommonOptions& options) {
  app.add_option("--device", options.device,
                 "auto, cpu, cuda or cuda:N. auto takes a GPU where one can be used (default auto)")
      ->type_name("DEVICE")
      ->check(problem_of_device);
  app.add_option("--vram", options.vram,
                 "The most GB of a GPU that the model may take (default: what is free)")
      ->type_name("GB")
      ->check(CLI::PositiveNumber);
}

void add_device_options(CLI::App& app, CommonOptions& options) {
  add_gpu_options(app, options);
  app.add_option(
         "--dtype", options.dtype,
         "Numbers to compute with: auto, f32, bf16 or int8. auto keeps bf16 and 8-bit weights and "
         "uses bf16 products where the CPU has them; a GPU has them always (default " +
             options.dtype + ")")
      ->type_name("TYPE")
      ->check(one_of({"auto", "f32", "bf16", "int8"}));
  app.add_option("--threads", options.threads,
                 "CPU threads; the result does not depend on them (default: all that may run)")
      ->type_name("N")
      ->check(whole_number(1, kMaxThreads));
}

void add_seed_option(CLI::App& app, CommonOptions& options) {
  app.add_option("--seed", options.seed,
                 "Seed of all random choices; the same seed gives the same text (default 0)")
      ->type_name("N")
      ->check(whole_number(0, std::numeric_limits<std::uint64_t>::max()));
}

void add_copy_option(CLI::App& app, std::string& copy) {
  app.add_option("--copy", copy,
                 "Whether what stands elsewhere in the file between the same neighbours is mixed "
                 "into what the model predicts: off, on, auto (where `lacuna model calibrate` has "
                 "measured how far to trust it), or only (it decides alone, for comparison); "
                 "never with --exact (default: auto)")
      ->type_name("MODE")
      ->check(one_of({"auto", "off", "on", "only"}));
}

void add_finalists_option(CLI::App& app, std::optional<int>& finalists) {
  app.add_option("--finalists", finalists,
                 "Of the lengths that --length probe tries, denoise the N with the surest first "
                 "guess to the end, and take that of the surest text; 1 takes the first guess "
                 "(default 4)")
      ->type_name("N")
      ->check(whole_number(1, kMaxFinalists));
}

void add_json_option(CLI::App& app, CommonOptions& options, const std::string& what) {
  app.add_flag("--json", options.json, what);
}

void add_sampling_options(CLI::App& app, SamplingFlags& flags, CommonOptions& options,
                          const SamplingHelp& help) {
  app.add_option("--steps", flags.steps, "Denoising steps (default: " + help.steps + ")")
      ->type_name("N")
      ->group(kSamplerGroup)
      ->check(whole_number(1, kMaxSteps));
  app.add_option("--alg", flags.alg,
                 "Which tokens a step fixes: origin, maskgit_plus, topk_margin, entropy, "
                 "confidence_threshold, low_confidence, random, p2 or remdm (default: " +
                     help.alg + ")")
      ->type_name("NAME")
      ->group(kSamplerGroup)
      ->check(problem_of_algorithm);
  app.add_option("--temperature", flags.temperature,
                 "0 takes the most probable token; above 0 draws (default: 0)")
      ->type_name("X")
      ->group(kSamplerGroup)
      ->check(finite_number());
  app.add_option("--top-p", flags.top_p, "Draw from the most probable tokens up to this sum")
      ->type_name("X")
      ->group(kSamplerGroup)
      ->check(finite_number());
  app.add_option("--top-k", flags.top_k, "Draw from this many tokens")
      ->type_name("N")
      ->group(kSamplerGroup)
      ->check(whole_number(1, 1 << 30));
  app.add_option("--alg-temp", flags.alg_temp,
                 "Above 0: draw the positions to fix instead of taking the surest (default: 0)")
      ->type_name("X")
      ->group(kSamplerGroup)
      ->check(finite_number());
  app.add_option("--eps", flags.eps, "Last time of the schedule (default: 0.001)")
      ->type_name("X")
      ->group(kSamplerGroup)
      ->check(finite_number());
  add_parallel_options(app, flags);
  add_cache_options(app, flags);
  app.add_flag("--exact", options.exact,
               "The published sampler: a full float32 pass at every step, no token suppressed")
      ->group(kSamplerGroup);
}

Result<engine::SamplingOptions> with_flags(engine::SamplingOptions defaults,
                                           const SamplingFlags& flags, std::uint64_t seed) {
  engine::SamplingOptions options = defaults;
  if (flags.alg) {
    const Result<engine::Algorithm> algorithm = engine::parse_algorithm(*flags.alg);
    if (!algorithm) return algorithm.error();
    options.algorithm = *algorithm;
  }
  options.steps = flags.steps.value_or(options.steps);
  options.temperature = flags.temperature.value_or(options.temperature);
  if (flags.top_p) options.top_p = flags.top_p;
  if (flags.top_k) options.top_k = flags.top_k;
  options.alg_temp = flags.alg_temp.value_or(options.alg_temp);
  options.eps = flags.eps.value_or(options.eps);
  if (flags.threshold || flags.factor || flags.entropy_budget || flags.tokens_per_step) {
    // One of these rules takes the place of another one among the defaults.
    options.threshold.reset();
    options.factor.reset();
    options.entropy_budget.reset();
    options.tokens_per_step.reset();
  }
  if (flags.threshold) options.threshold = flags.threshold;
  if (flags.revoke) options.revoke = flags.revoke;
  if (flags.factor) options.factor = flags.factor;
  if (flags.entropy_budget) options.entropy_budget = flags.entropy_budget;
  if (flags.tokens_per_step) options.tokens_per_step = flags.tokens_per_step;
  if (flags.block_length) options.block_length = flags.block_length;
  options.verify = flags.verify.value_or(options.verify);
  options.info_gain = flags.info_gain.value_or(options.info_gain);
  options.position_temperature = flags.position_temperature.value_or(options.position_temperature);
  options.seed = seed;
  if (const Result<void> ok = engine::check(options); !ok) return ok.error();
  return options;
}

engine::CacheOptions with_cache_flags(engine::CacheOptions defaults, const SamplingFlags& flags) {
  using engine::CacheScope;
  if (flags.cache) {
    defaults.scope = *flags.cache == "dual"     ? CacheScope::Block
                     : *flags.cache == "prefix" ? CacheScope::Prefix
                                                : CacheScope::Holes;
  }
  defaults.refresh = flags.refresh.value_or(defaults.refresh);
  defaults.refresh_share = flags.refresh_share.value_or(defaults.refresh_share);
  defaults.refresh_drift = flags.refresh_drift.value_or(defaults.refresh_drift);
  defaults.look_before = flags.look_around.value_or(defaults.look_before);
  defaults.look_after = flags.look_around.value_or(defaults.look_after);
  return defaults;
}

Result<engine::SamplingOptions> published_defaults(const engine::GenerationDefaults& model) {
  engine::SamplingOptions options;
  options.steps = model.steps.value_or(512);
  options.algorithm = engine::Algorithm::Origin;
  if (model.alg) {
    const Result<engine::Algorithm> algorithm = engine::parse_algorithm(*model.alg);
    if (!algorithm) {
      return fail(ErrorCode::InvalidInput,
                  "generation_config.json of the model: " + algorithm.error().message);
    }
    options.algorithm = *algorithm;
  }
  options.temperature = static_cast<float>(model.temperature.value_or(0));
  if (model.top_p) options.top_p = static_cast<float>(*model.top_p);
  options.top_k = model.top_k;
  options.alg_temp = static_cast<float>(model.alg_temp.value_or(0));
  options.eps = static_cast<float>(model.eps.value_or(1e-3));
  return options;
}

}  // namespace lacuna::cli
