// `lacuna eval`: how good a model's code is, on published benchmarks.
#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <optional>
#include <unistd.h>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/count_bar.h"
#include "cli/eval/eval_report.h"
#include "cli/eval/judge.h"
#include "cli/eval/length.h"
#include "cli/eval_holes.h"
#include "cli/exit.h"
#include "cli/interrupts.h"
#include "cli/load_model.h"
#include "cli/option_checks.h"
#include "cli/standard_io.h"
#include "engine/device.h"

namespace lacuna::cli {
namespace {

constexpr const char* kDescription =
    "Measure the quality of a model: on the tasks of a benchmark, whose tests are run, or on holes in "
    "source files.";

constexpr const char* kShutIn =
    "Each FILE is the benchmark's .jsonl or .jsonl.gz. Generated programs run shut in, without "
    "network, files or other processes, and are killed after --timeout.";

constexpr const char* kHolesExample =
    "Examples:\n"
    "  lacuna eval infilling HumanEval-SingleLineInfilling.jsonl.gz --limit 200\n"
    "  lacuna eval holes CORPUS/held_out.jsonl";

constexpr const char* kExamples =
    "A hole must get a length, and a benchmark's result depends on it: fixed:N gives every hole N "
    "tokens, oracle gives it as many as the reference has; probe and elastic let the model find "
    "one, as fill --length does.\n\n"
    "Examples:\n"
    "  lacuna eval infilling HumanEval-SingleLineInfilling.jsonl.gz --limit 200\n"
    "  lacuna eval infilling FILE --length fixed:16,fixed:32,oracle --json > result.json\n"
    "  lacuna eval humaneval HumanEval.jsonl.gz --length fixed:128 --samples 10 --temperature 0.8\n"
    "  lacuna eval infilling FILE --gold                do the references pass here?";

struct EvalOptions {
  std::string task;
  std::vector<std::string> files;
  std::vector<std::string> lengths = {"fixed:16", "oracle"};
  int limit = 0;
  int samples = 1;
  int timeout = 3;
  bool gold = false;
  DecodeOptions decode;
};

// What runs between the options and the report.
struct EvalRun {
  const EvalOptions& options;
  EvalTask task;
  std::vector<EvalCase> cases;
  std::vector<LengthRegime> lengths;
  Terminal& terminal;
  Interrupts& interrupts;
};

std::string problem_of(const EvalOptions& options) {
  for (const std::string& text : options.lengths) {
    if (const auto length = parse_length(text); !length) return length.error().message;
  }
  const auto sampling = with_flags({}, options.decode.sampling, 0);
  if (!sampling) return sampling.error().message;
  if (options.samples > 1 && sampling->temperature == 0 && !options.gold) {
    return "--samples above 1 needs a --temperature above 0; else all samples are the same";
  }
  return "";
}

int threads_of(const CommonOptions& common) {
  return common.threads > 0 ? common.threads : engine::default_threads();
}

RegimeResult gold_result(const EvalRun& run) {
  RegimeResult result = {.length = "gold", .cases = {}};
  for (const EvalCase& it : run.cases) {
    Sample sample;
    sample.completion = it.reference;
    sample.exact = true;
    result.cases.push_back({it.id, {std::move(sample)}});
  }
  return result;
}

Result<std::vector<RegimeResult>> decode_all(const EvalRun& run, const engine::Model& model) {
  const std::size_t per_regime = run.cases.size() * static_cast<std::size_t>(run.options.samples);
  CountBar bar(run.terminal, "decoding", static_cast<int>(per_regime * run.lengths.size()));
  std::vector<RegimeResult> regimes;
  int done = 0;
  for (const LengthRegime& regime : run.lengths) {
    RegimeResult& result = regimes.emplace_back(RegimeResult{regime.name(), {}});
    for (const EvalCase& it : run.cases) {
      const int length = canvas_length(regime, it, model);
      CaseResult& answers = result.cases.emplace_back(CaseResult{it.id, {}});
      for (int i = 0; i < run.options.samples; ++i) {
        const std::uint64_t seed = run.options.decode.common.seed + static_cast<std::uint64_t>(i);
        Result<Sample> sample = decode(model, run.options.decode, run.task, it, length, regime.mode,
                                       seed, run.interrupts.token(), nullptr);
        if (!sample) return sample.error();
        answers.samples.push_back(std::move(*sample));
        bar.show(++done);
      }
    }
  }
  return regimes;
}

Result<void> judge_all(const EvalRun& run, const PythonSandbox& sandbox,
                       std::vector<RegimeResult>& regimes) {
  const int per_regime = static_cast<int>(run.cases.size()) * run.options.samples;
  CountBar bar(run.terminal, "running", per_regime * static_cast<int>(regimes.size()));
  int before = 0;
  for (RegimeResult& regime : regimes) {
    const Result<void> judged = judge(
        sandbox, run.cases, regime.cases, threads_of(run.options.decode.common),
        [&](int done) { bar.show(before + done); }, run.interrupts.token());
    if (!judged) return judged;
    before += per_regime;
  }
  return {};
}

// The report as text or JSON.
Result<std::string> evaluate(EvalRun& run, std::size_t cases_in_files) {
  const EvalOptions& options = run.options;
  const Result<PythonSandbox> sandbox =
      PythonSandbox::open({.seconds = static_cast<double>(options.timeout)});
  if (!sandbox) return sandbox.error();
  std::optional<LoadedModel> model;
  std::vector<RegimeResult> regimes;
  if (!options.gold) {
    Result<LoadedModel> loaded = load_model(options.decode.common, true, &run.terminal);
    if (!loaded) return loaded.error();
    model.emplace(std::move(*loaded));
  }
  const Interrupts::Cooperative cooperative(run.interrupts);
  if (model) {
    Result<std::vector<RegimeResult>> decoded = decode_all(run, model->model);
    if (!decoded) return decoded.error();
    regimes = std::move(*decoded);
  } else {
    regimes.push_back(gold_result(run));
  }
  if (const auto judged = judge_all(run, *sandbox, regimes); !judged) return judged.error();
  const EvalReport report = {.task = options.task,
                             .files = options.files,
                             .cases_in_files = cases_in_files,
                             .samples = options.gold ? 1 : options.samples,
                             .timeout = static_cast<double>(options.timeout),
                             .model = model ? &*model : nullptr,
                             .options = options.decode,
                             .regimes = regimes};
  return options.decode.common.json ? as_json(report) : as_text(report);
}

int run_eval(const EvalOptions& options) {
  if (const std::string problem = problem_of(options); !problem.empty()) {
    return report_usage("eval " + options.task, problem);
  }
  const EvalTask task = task_named(options.task);
  Result<std::vector<EvalCase>> cases = read_cases(task, options.files);
  if (!cases) return report(cases.error());
  const std::size_t cases_in_files = cases->size();
  Terminal terminal(STDERR_FILENO);
  Interrupts interrupts(terminal);
  EvalRun run = {.options = options,
                 .task = task,
                 .cases = {},
                 .lengths = {},
                 .terminal = terminal,
                 .interrupts = interrupts};
  for (const std::size_t i : sample_of(cases_in_files, static_cast<std::size_t>(options.limit))) {
    run.cases.push_back(std::move((*cases)[i]));
  }
  for (const std::string& text : options.lengths) run.lengths.push_back(*parse_length(text));
  const Result<std::string> text = evaluate(run, cases_in_files);
  if (interrupts.exit_code() != 0) return interrupts.exit_code();
  if (!text) return report(text.error());
  const Result<void> written = write_output(*text);
  return written ? kDone : report(written.error());
}

CLI::App* add_benchmark(CLI::App& eval, std::string_view task, const std::string& what,
                        const std::shared_ptr<EvalOptions>& options) {
  CLI::App* app = eval.add_subcommand(std::string(task), what + "\n\n" + kShutIn);
  app->footer(kExamples);
  options->task = task;
  app->add_option("FILE", options->files, "Files of the benchmark, .jsonl or .jsonl.gz")
      ->required();
  app->add_option(
         "--length", options->lengths,
         "Tokens of a hole or completion: fixed:N, oracle, probe or elastic; several are measured side by "
         "side (default fixed:16,oracle)")
      ->delimiter(',')
      ->type_name("LENGTH,...");
  app->add_option("--limit", options->limit,
                  "Take a sample of N cases, always the same ones (default: all)")
      ->type_name("N")
      ->check(whole_number(1, 1 << 30));
  app->add_option("--samples", options->samples,
                  "Answers to each case, for pass@k (default 1); the first has the seed of --seed, "
                  "each other one the next seed")
      ->type_name("N")
      ->check(whole_number(1, 10000));
  app->add_option("--timeout", options->timeout, "Seconds that a program may run (default 3)")
      ->type_name("SECONDS")
      ->check(whole_number(1, 3600));
  app->add_flag("--gold", options->gold,
                "Judge the references instead of a model: whether the tests work here");
  CommonOptions& common = options->decode.common;
  add_json_option(*app, common, "Print JSON, with every case");
  add_model_option(*app, common);
  add_device_options(*app, common);
  add_seed_option(*app, common);
  add_finalists_option(*app, options->decode.finalists);
  add_copy_option(*app, options->decode.copy);
  add_sampling_options(*app, options->decode.sampling, common,
                       {.steps = "one for each token", .alg = "entropy"});
  return app;
}

}  // namespace

Command add_eval(CLI::App& root) {
  CLI::App* app = root.add_subcommand("eval", kDescription);
  app->footer(kHolesExample);
  app->require_subcommand(1);
  struct Benchmark {
    std::string_view task;
    const char* what;
  };
  constexpr std::array kBenchmarks = {
      Benchmark{kInfilling, "HumanEval-Infilling: the text between a prompt and a suffix."},
      Benchmark{kHumanEval, "HumanEval: the body of a function after its head and docstring."},
      Benchmark{kMbpp, "MBPP: a program after a docstring with the task and its tests."}};
  std::vector<std::pair<CLI::App*, std::shared_ptr<EvalOptions>>> benchmarks;
  for (const auto& [task, what] : kBenchmarks) {
    const auto options = std::make_shared<EvalOptions>();
    benchmarks.emplace_back(add_benchmark(*app, task, what, options), options);
  }
  const auto holes_options = std::make_shared<HolesOptions>();
  const CLI::App* holes = add_eval_holes(*app, holes_options);
  return {app, [benchmarks, holes, holes_options] {
            if (holes->parsed()) return run_eval_holes(*holes_options);
            for (const auto& [benchmark, options] : benchmarks) {
              if (benchmark->parsed()) return run_eval(*options);
            }
            return kDone;
          }};
}

}  // namespace lacuna::cli
