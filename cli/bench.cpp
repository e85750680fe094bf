// `lacuna bench`: how fast this machine runs a model.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cli/bench_daemon.h"
#include "cli/bench_decode.h"
#include "cli/bench_measure.h"
#include "cli/bench_reuse.h"
#include "cli/command.h"
#include "cli/exit.h"
#include "cli/format.h"
#include "cli/interrupts.h"
#include "cli/load_model.h"
#include "cli/option_checks.h"
#include "cli/standard_io.h"
#include "engine/device_memory.h"
#include "engine/random_weights.h"

namespace lacuna::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDescription =
    "Measure a model on this machine: full forward passes, cached steps, a fill, the tokenizer, "
    "loading. Each is run once unmeasured and then several times; best and median are reported.";

constexpr const char* kExamples =
    "Examples:\n"
    "  lacuna bench\n"
    "  lacuna bench --tokens 128,2048 --dtype bf16 --threads 8 --json\n"
    "  lacuna bench --random qwen2-0.5b                 that shape with random weights";

struct BenchOptions {
  CommonOptions common;
  std::vector<int> tokens = {64, 256, 512};
  std::vector<std::string> dtypes = {"f32", "bf16"};
  std::string random;
  int runs = 5;
};

constexpr int kMaxTokens = 1 << 17;

Json timing_json(const Timing& time) {
  return {{"best_ms", time.best * 1000}, {"median_ms", time.median * 1000}};
}

Json pass_json(const PassTiming& pass) {
  Json json = {{"tokens", pass.tokens}, {"rows", pass.rows}};
  json.update(timing_json(pass.time));
  json["gflops"] = pass.gflops;
  json["host_ms"] = pass.host.median * 1000;
  return json;
}

// Full passes over each number of tokens, then in the largest canvas steps of few rows, and the
// first step after an edit.
Json passes_json(const BenchOptions& options, const engine::Transformer& transformer,
                 kernels::CpuContext& context, kernels::Precision precision) {
  Json passes = Json::array();
  for (const int tokens : options.tokens) {
    passes.push_back(
        pass_json(time_pass(transformer, context, precision, tokens, tokens, options.runs)));
  }
  const int largest = *std::max_element(options.tokens.begin(), options.tokens.end());
  for (const int rows : {8, 16, 32}) {
    if (rows >= largest) continue;
    passes.push_back(
        pass_json(time_pass(transformer, context, precision, largest, rows, options.runs)));
    if (!takes_steps_down(transformer)) continue;
    const WithoutGraphs without(transformer);
    passes.push_back(
        pass_json(time_pass(transformer, context, precision, largest, rows, options.runs)));
    passes.back()["graphs"] = false;
  }
  constexpr int kLeastForEdit = 128;  // in a smaller canvas everything is near
  if (largest >= kLeastForEdit) {
    passes.push_back(pass_json(time_edit(transformer, context, precision, largest, options.runs)));
    passes.back()["after_edit"] = true;
  }
  return passes;
}

Result<void> check_tokens(const BenchOptions& options, const engine::ModelConfig& config) {
  const int largest = *std::max_element(options.tokens.begin(), options.tokens.end());
  if (largest <= config.max_positions) return {};
  return fail(ErrorCode::InvalidInput, "--tokens has " + std::to_string(largest) +
                                           ", but the model has only " +
                                           std::to_string(config.max_positions) + " positions");
}

// `bytes`: of the files where there are any, else of the weights as they are kept.
Json load_json(const Timing& load, std::uint64_t bytes) {
  Json json = timing_json(load);
  json["megabytes_per_second"] = static_cast<double>(bytes) / load.best / 1e6;
  return json;
}

// Loading, passes and a fill with one kind of numbers.
Result<Json> bench_dtype(const BenchOptions& options, const CommonOptions& common,
                         const LoadedModel& loaded) {
  const engine::Model& model = loaded.model;
  if (const auto ok = check_tokens(options, model.config()); !ok) return ok.error();
  const Result<FillTiming> fill = time_fill(model, options.runs);
  if (!fill) return fill.error();
  std::vector<double> load_seconds = {loaded.seconds};
  for (int i = 1; i < options.runs; ++i) {
    const Result<LoadedModel> again = load_model(common, true, nullptr);
    if (!again) return again.error();
    load_seconds.push_back(again->seconds);
  }
  const Timing load = timing_of(load_seconds);
  Json entry = {{"dtype", describe(loaded.numbers)}};
  entry["passes"] =
      passes_json(options, model.transformer(), *loaded.context, loaded.numbers.precision);
  entry["fill"] = timing_json(fill->time);
  entry["fill"]["tokens"] = fill->tokens;
  entry["fill"]["tokens_per_forward"] =
      static_cast<double>(fill->tokens) / std::max(1, fill->forward_passes);
  entry["fill"]["tokens_per_second"] = fill->tokens / fill->time.best;
  entry["load"] = load_json(load, loaded.bytes);
  return entry;
}

Json tokenizer_json(const engine::Tokenizer& tokenizer, int runs) {
  const TokenizerTiming timing = time_tokenizer(tokenizer, runs);
  const auto bytes = static_cast<double>(timing.bytes);
  Json json = timing_json(timing.time);
  json["megabytes_per_second"] = bytes / timing.time.best / 1e6;
  json["bytes_per_token"] = bytes / static_cast<double>(timing.tokens);
  return json;
}

Result<Json> bench_model(const BenchOptions& options, Terminal& terminal) {
  Json result;
  Json dtypes = Json::array();
  for (const std::string& dtype : options.dtypes) {
    CommonOptions common = options.common;
    common.dtype = dtype;
    const Result<LoadedModel> loaded = load_model(common, true, &terminal);
    if (!loaded) return loaded.error();
    if (dtypes.empty()) {
      result["model"] = {{"name", loaded->place.name}, {"parameters", loaded->parameters}};
      result["device"] = loaded->device.name();
      result["cpu"] = {{"instruction_set", kernels::name_of(loaded->context->isa())},
                       {"threads", loaded->context->pool().threads()}};
      result["tokenizer"] = tokenizer_json(*loaded->model.tokenizer(), options.runs);
    }
    const Notice notice(&terminal, "measuring " + loaded->place.name + " in " + dtype + " ...");
    Result<Json> entry = bench_dtype(options, common, *loaded);
    if (!entry) return entry;
    dtypes.push_back(std::move(*entry));
  }
  result["dtypes"] = std::move(dtypes);
  return result;
}

engine::ModelConfig shape_named(const std::string& name) {
  return name == "dream-7b" ? engine::dream_seven_billion() : engine::qwen2_half_billion();
}

// Random weights in the memory of a device, or of the host. Backend and numbers outlive the
// transformer, which reads its embeddings from them.
struct RandomModel {
  engine::RandomWeights weights;
  std::unique_ptr<kernels::Backend> gpu;
  engine::Transformer transformer;
  double load_seconds;
};

Result<RandomModel> random_model(const engine::ModelConfig& config, const engine::Device& device,
                                 const Numbers& numbers, double vram,
                                 kernels::CpuContext& context) {
  engine::RandomWeights weights = engine::random_weights(config, kernels::DType::BF16);
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [start] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  if (device.kind == engine::DeviceKind::Cpu) {
    engine::Transformer transformer =
        engine::Transformer::load(config, weights.tensors, context, numbers.format);
    return RandomModel{.weights = std::move(weights),
                       .gpu = nullptr,
                       .transformer = std::move(transformer),
                       .load_seconds = seconds()};
  }
  Result<std::unique_ptr<kernels::Backend>> gpu =
      engine::open_gpu(config, weights.tensors, numbers.format, device,
                       static_cast<std::uint64_t>(vram * 1e9), context.pool());
  if (!gpu) return gpu.error();
  if (kernels::StepDevice* steps = (*gpu)->step_device()) steps->set_records(wants_graphs());
  engine::Transformer transformer =
      engine::Transformer::load(config, weights.tensors, **gpu, numbers.format);
  return RandomModel{.weights = std::move(weights),
                     .gpu = std::move(*gpu),
                     .transformer = std::move(transformer),
                     .load_seconds = seconds()};
}

// A shape without files: passes only.
Result<Json> bench_random(const BenchOptions& options, Terminal& terminal) {
  const engine::ModelConfig config = shape_named(options.random);
  if (const auto ok = check_tokens(options, config); !ok) return ok.error();
  const Result<engine::DeviceWish> wish = engine::parse_device(options.common.device);
  if (!wish) return wish.error();
  const Result<engine::Device> device = engine::choose_device(*wish, engine::probe_cuda());
  if (!device) return device.error();
  const kernels::Isa isa = kernels::best_isa();
  kernels::CpuContext context(
      isa, options.common.threads > 0 ? options.common.threads : engine::default_threads());
  Json result = {
      {"model", {{"name", "random " + options.random}}},
      {"device", device->name()},
      {"cpu", {{"instruction_set", kernels::name_of(isa)}, {"threads", context.pool().threads()}}}};
  Json dtypes = Json::array();
  for (const std::string& dtype : options.dtypes) {
    const Notice notice(&terminal, "measuring " + options.random + " in " + dtype + " ...");
    CommonOptions common = options.common;
    common.dtype = dtype;
    const Numbers numbers = device->kind == engine::DeviceKind::Cuda
                                ? choose_gpu_numbers(common, kernels::DType::BF16)
                                : choose_numbers(common, kernels::DType::BF16, isa);
    const Result<RandomModel> model = random_model(config, *device, numbers, common.vram, context);
    if (!model) return model.error();
    dtypes.push_back(
        {{"dtype", describe(numbers)},
         {"passes", passes_json(options, model->transformer, context, numbers.precision)},
         {"load", load_json(timing_of({model->load_seconds}), model->transformer.weight_bytes())}});
  }
  result["dtypes"] = std::move(dtypes);
  return result;
}

std::string cells(const std::vector<std::string>& row) {
  std::string line = pad_right(row[0], 30);
  for (std::size_t i = 1; i < row.size(); ++i) line += pad_left(row[i], 16);
  return line + "\n";
}

std::vector<std::string> timed(const std::string& name, const Json& entry,
                               const std::string& rate) {
  return {name, fixed(entry["best_ms"].get<double>(), 2),
          fixed(entry["median_ms"].get<double>(), 2), rate};
}

std::string as_text(const Json& result) {
  std::string text = result["model"]["name"].get<std::string>() + ", on " +
                     result["device"].get<std::string>() + ", " +
                     result["cpu"]["instruction_set"].get<std::string>() + ", " +
                     result["cpu"]["threads"].dump() + " threads\n";
  for (const Json& entry : result["dtypes"]) {
    text += "\n" + cells({entry["dtype"].get<std::string>(), "best ms", "median ms", ""});
    for (const Json& pass : entry["passes"]) {
      const bool full = pass["rows"] == pass["tokens"];
      const std::string name =
          pass.contains("after_edit")
              ? "after an edit, " + pass["rows"].dump() + " of " + pass["tokens"].dump()
          : full ? "full pass, " + pass["tokens"].dump() + " tokens"
                 : "step, " + pass["rows"].dump() + " rows of " + pass["tokens"].dump() +
                       (pass.contains("graphs") ? ", no graph" : "");
      text += cells(timed(name, pass, fixed(pass["gflops"].get<double>(), 1) + " GFLOP/s"));
    }
    if (entry.contains("fill")) {
      const Json& fill = entry["fill"];
      text += cells(timed("fill, " + fill["tokens"].dump() + " tokens in 2 holes", fill,
                          fixed(fill["tokens_per_second"].get<double>(), 0) + " tokens/s"));
      text +=
          cells({"", "", "", fixed(fill["tokens_per_forward"].get<double>(), 2) + " tokens/pass"});
    }
    text += cells(timed("load", entry["load"],
                        fixed(entry["load"]["megabytes_per_second"].get<double>(), 0) + " MB/s"));
  }
  if (result.contains("tokenizer")) {
    const Json& tokenizer = result["tokenizer"];
    text +=
        "\n" + cells(timed("tokenizer, 256 KiB", tokenizer,
                           fixed(tokenizer["megabytes_per_second"].get<double>(), 1) + " MB/s"));
  }
  return text;
}

int run_bench(const BenchOptions& options) {
  Terminal terminal(STDERR_FILENO);
  const Interrupts interrupts(terminal);
  const Result<Json> result =
      options.random.empty() ? bench_model(options, terminal) : bench_random(options, terminal);
  if (!result) return report(result.error());
  const Result<void> written =
      write_output(options.common.json ? result->dump(2) + "\n" : as_text(*result));
  return written ? kDone : report(written.error());
}

}  // namespace

Command add_bench(CLI::App& root) {
  CLI::App* app = root.add_subcommand("bench", "Measure how fast a model runs here");
  app->description(kDescription);
  app->footer(kExamples);
  const auto options = std::make_shared<BenchOptions>();
  app->add_option("--tokens", options->tokens, "Canvas sizes (default 64,256,512)")
      ->delimiter(',')
      ->type_name("N,N")
      ->check(whole_number(1, kMaxTokens));
  app->add_option("--dtype", options->dtypes, "Numbers to compute with (default f32,bf16)")
      ->delimiter(',')
      ->type_name("TYPE,TYPE")
      ->check(one_of({"auto", "f32", "bf16", "int8"}));
  add_gpu_options(*app, options->common);
  app->add_option("--threads", options->common.threads, "CPU threads (default: all that may run)")
      ->type_name("N")
      ->check(whole_number(1, 1024));
  app->add_option("--runs", options->runs, "Measured runs of each (default 5)")
      ->type_name("N")
      ->check(whole_number(1, 10000));
  CLI::Option* random =
      app->add_option("--random", options->random,
                      "Instead of a model's files, random weights of this shape: qwen2-0.5b or "
                      "dream-7b")
          ->type_name("SHAPE")
          ->check(one_of({"qwen2-0.5b", "dream-7b"}));
  add_json_option(*app, options->common, "Print JSON");
  app->add_option("--model", options->common.model, "A model by name or folder (default: embedded)")
      ->type_name("DIR")
      ->excludes(random);
  const auto decode_options = std::make_shared<BenchDecodeOptions>();
  const CLI::App* decode = add_bench_decode(*app, decode_options);
  const auto daemon_options = std::make_shared<BenchDaemonOptions>();
  const CLI::App* daemon = add_bench_daemon(*app, daemon_options);
  const auto reuse_options = std::make_shared<BenchReuseOptions>();
  const CLI::App* reuse = add_bench_reuse(*app, reuse_options);
  return {app, [options, decode_options, decode, daemon_options, daemon, reuse_options, reuse] {
            if (daemon->parsed()) return run_bench_daemon(*daemon_options);
            if (reuse->parsed()) return run_bench_reuse(*reuse_options);
            return decode->parsed() ? run_bench_decode(*decode_options) : run_bench(*options);
          }};
}

}  // namespace lacuna::cli
