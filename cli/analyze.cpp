// `lacuna analyze`: in which order a model decides the tokens of a text, and how sure it is where.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <unistd.h>

#include "cli/analyze/analysis_report.h"
#include "cli/analyze/page.h"
#include "cli/command.h"
#include "cli/count_bar.h"
#include "cli/exit.h"
#include "cli/format.h"
#include "cli/interrupts.h"
#include "cli/load_model.h"
#include "cli/option_checks.h"
#include "cli/standard_io.h"
#include "engine/device.h"
#include "support/file.h"

namespace lacuna::cli {
namespace {

constexpr const char* kDescription =
    "Show how a model decodes: AR-ness (how near to left to right), confidence by position, and "
    "which token was decided when.\n\n"
    "A FILE is a text with holes marked as for `lacuna fill`, or a .jsonl or .jsonl.gz file with a "
    "benchmark's cases or objects with a \"prompt\".";

constexpr const char* kExamples =
    "Examples:\n"
    "  lacuna analyze examples/inventory.py --html order.html\n"
    "  lacuna analyze HumanEval.jsonl.gz --length fixed:64 --limit 20\n"
    "  lacuna analyze HumanEval-SingleLineInfilling.jsonl.gz --limit 50 --length oracle \\\n"
    "    --temperatures 0,0.4,0.8,1.2 --samples 4 --html sweep.html";

struct AnalyzeOptions {
  std::vector<std::string> files;
  std::string length = "fixed:32";
  int limit = 0;
  std::vector<float> temperatures;
  int samples = 1;
  int timeout = 3;
  int example = 1;
  std::string html;
  DecodeOptions decode;
};

std::string problem_of(const AnalyzeOptions& options) {
  if (const auto length = parse_length(options.length); !length) return length.error().message;
  SamplingFlags flags = options.decode.sampling;
  if (const auto ok = with_flags({}, flags, 0); !ok) return ok.error().message;
  for (const float temperature : options.temperatures) {
    flags.temperature = temperature;
    if (const auto ok = with_flags({}, flags, 0); !ok)
      return "--temperatures: " + ok.error().message;
  }
  if (options.samples > 1 && options.temperatures.empty()) {
    return "--samples is for the temperatures of --temperatures";
  }
  return "";
}

// The inputs to look at. InvalidInput when there are fewer than the example's number, or when the
// oracle knows no length for one of them.
Result<std::vector<AnalyzeInput>> chosen_inputs(const AnalyzeOptions& options) {
  Result<std::vector<AnalyzeInput>> all = read_inputs(options.files);
  if (!all) return all;
  std::vector<AnalyzeInput> inputs;
  for (const std::size_t i : sample_of(all->size(), static_cast<std::size_t>(options.limit))) {
    inputs.push_back(std::move((*all)[i]));
  }
  if (static_cast<std::size_t>(options.example) > inputs.size()) {
    return fail(ErrorCode::InvalidInput, "--example is " + std::to_string(options.example) +
                                             ", but there are only " +
                                             std::to_string(inputs.size()) + " inputs");
  }
  const auto unknown = std::find_if(inputs.begin(), inputs.end(), [](const AnalyzeInput& input) {
    return input.it.reference.empty();
  });
  if (parse_length(options.length)->kind == LengthRegime::Kind::Oracle && unknown != inputs.end()) {
    return fail(ErrorCode::InvalidInput, "--length oracle needs references, and " + unknown->name +
                                             " has none; give fixed:N");
  }
  return inputs;
}

std::string describe(const AnalysisSettings& settings) {
  const engine::SamplingOptions sampling = *with_flags({}, settings.decode.sampling, 0);
  return "length " + settings.length.name() + ", " +
         std::string(engine::name_of(sampling.algorithm)) + ", temperature " +
         fixed(sampling.temperature, 2);
}

Result<void> deliver(const AnalyzeOptions& options, const AnalysisSettings& settings,
                     const LoadedModel& model, const Analysis& analysis, Interrupts& interrupts) {
  const std::string name = model.place.name + " in " + describe(model.numbers);
  if (!options.html.empty()) {
    // A signal must not end the process between writing the new file and renaming it.
    const Interrupts::Cooperative cooperative(interrupts);
    const std::string page = html_page(analysis, {.model = name, .options = describe(settings)});
    if (Result<void> ok = write_file(options.html, page); !ok) return ok;
  }
  return write_output(options.decode.common.json ? as_json(analysis, settings, model)
                                                 : as_text(analysis, name));
}

int run_analyze(const AnalyzeOptions& options) {
  if (const std::string problem = problem_of(options); !problem.empty()) {
    return report_usage("analyze", problem);
  }
  const Result<std::vector<AnalyzeInput>> inputs = chosen_inputs(options);
  if (!inputs) return report(inputs.error());
  const CommonOptions& common = options.decode.common;
  Terminal terminal(STDERR_FILENO);
  Interrupts interrupts(terminal);
  const bool tests = !options.temperatures.empty() &&
                     std::any_of(inputs->begin(), inputs->end(),
                                 [](const AnalyzeInput& input) { return !input.it.tests.empty(); });
  std::optional<PythonSandbox> sandbox;
  if (tests) {
    const auto opened = PythonSandbox::open({.seconds = static_cast<double>(options.timeout)});
    if (!opened) return report(opened.error());
    sandbox.emplace(*opened);
  }
  const Result<LoadedModel> model = load_model(common, true, &terminal);
  if (!model) return report(model.error());

  AnalysisSettings settings = {
      .decode = options.decode,
      .length = *parse_length(options.length),
      .example = static_cast<std::size_t>(options.example) - 1,
      .temperatures = options.temperatures,
      .samples = options.samples,
      .parallel = common.threads > 0 ? common.threads : engine::default_threads(),
      .sandbox = sandbox ? &*sandbox : nullptr,
      .stop = interrupts.token(),
      .on_done = {}};
  const Result<Analysis> analysis = [&] {
    CountBar bar(terminal, "decoding", decodes_of(inputs->size(), settings));
    settings.on_done = [&bar](int done) { bar.show(done); };
    const Interrupts::Cooperative cooperative(interrupts);
    return analyse(model->model, *inputs, settings);
  }();
  if (interrupts.exit_code() != 0) return interrupts.exit_code();
  if (!analysis) return report(analysis.error());
  const Result<void> delivered = deliver(options, settings, *model, *analysis, interrupts);
  return delivered ? kDone : report(delivered.error());
}

}  // namespace

Command add_analyze(CLI::App& root) {
  CLI::App* app = root.add_subcommand("analyze", "Show in which order a model decodes");
  app->description(kDescription);
  app->footer(kExamples);
  const auto options = std::make_shared<AnalyzeOptions>();
  app->add_option("FILE", options->files, "Texts with holes, or .jsonl files with cases or prompts")
      ->required();
  app->add_option("--length", options->length,
                  "Tokens where nothing else says it: fixed:N, or oracle, the reference's length "
                  "(default fixed:32)")
      ->type_name("LENGTH");
  app->add_option("--limit", options->limit,
                  "Take a sample of N inputs, always the same ones (default: all)")
      ->type_name("N")
      ->check(whole_number(1, 1 << 30));
  app->add_option("--temperatures", options->temperatures,
                  "Decode again at each of these: AR-ness, and pass@k of inputs with tests")
      ->delimiter(',')
      ->type_name("X,X")
      ->check(finite_number());
  app->add_option("--samples", options->samples, "Decodes of an input at each of them (default 1)")
      ->type_name("N")
      ->check(whole_number(1, 10000));
  app->add_option("--timeout", options->timeout, "Seconds that a program may run (default 3)")
      ->type_name("SECONDS")
      ->check(whole_number(1, 3600));
  app->add_option("--example", options->example, "The input to show in detail (default 1)")
      ->type_name("N")
      ->check(whole_number(1, 1 << 30));
  app->add_option("--html", options->html, "Write a page with plots to this file")
      ->type_name("FILE");
  CommonOptions& common = options->decode.common;
  add_json_option(*app, common, "Print JSON, with every token");
  add_model_option(*app, common);
  add_device_options(*app, common);
  add_seed_option(*app, common);
  add_sampling_options(*app, options->decode.sampling, common,
                       {.steps = "one for each token", .alg = "entropy"});
  return {app, [options] { return run_analyze(*options); }};
}

}  // namespace lacuna::cli
