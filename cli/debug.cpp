// `lacuna debug`: what goes on inside, as JSON, one request a line.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/command.h"
#include "cli/debug_holes.h"
#include "cli/debug_requests.h"
#include "cli/exit.h"
#include "cli/load_model.h"
#include "cli/option_checks.h"
#include "cli/source_text.h"
#include "cli/standard_io.h"

namespace lacuna::cli {
namespace {

constexpr std::uint64_t kMaxRequestBytes = 64ULL << 20;

constexpr const char* kDescription =
    "Answer JSON requests, most of them about a model: one object a line on standard input, one answer a line on "
    "standard output. A request that is wrong is answered by {\"error\": ...}; the exit code is "
    "then 1. Numbers are computed in float32 unless --dtype says otherwise.";

constexpr const char* kExamples =
    "Examples:\n"
    "  echo '{\"ids\":[5,1,1,3]}' | lacuna debug logits --rows 1,2\n"
    "  echo '{\"ids\":[5,1,1,3],\"steps\":2,\"alg\":\"entropy\"}' | lacuna debug sample\n"
    "  echo '{\"text\":\"def f():\"}' | lacuna debug tokens\n"
    "  lacuna debug holes --lang python --at 12:5 < a.py\n"
    "  echo '{\"solution\":\"x = 1\\n\",\"tests\":\"assert x == 1\"}' | lacuna debug program";

struct DebugOptions {
  CommonOptions common;
  std::vector<int> rows;
  int timeout = 3;  // seconds, of a program
  HolesQuestion holes;
};

using Answer = std::function<Result<std::string>(std::string_view)>;

int answer_all(const Answer& answer) {
  InputLines lines;
  std::string line;
  bool any = false;
  bool failed = false;
  for (;;) {
    const Result<bool> more = lines.next(line, kMaxRequestBytes);
    if (!more) return report(more.error());
    if (!*more) break;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    any = true;
    const Result<std::string> answered = answer(line);
    failed = failed || !answered;
    const std::string text = answered ? *answered : error_answer(answered.error());
    if (const auto written = write_output(text + "\n"); !written) return report(written.error());
  }
  if (!any) return report("there is no request on standard input; give one JSON object a line");
  return failed ? kFailed : kDone;
}

int run_logits(const DebugOptions& options) {
  const Result<LoadedModel> model = load_model(options.common, false, nullptr);
  if (!model) return report(model.error());
  std::vector<int> rows = options.rows;
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return answer_all(
      [&](std::string_view request) { return answer_logits(model->model, request, rows); });
}

int run_sample(const DebugOptions& options) {
  const Result<LoadedModel> model = load_model(options.common, false, nullptr);
  if (!model) return report(model.error());
  return answer_all([&](std::string_view request) { return answer_sample(model->model, request); });
}

int run_tokens(const DebugOptions& options) {
  const Result<ModelPlace> place = place_of_model(options.common);
  if (!place) return report(place.error());
  const auto tokenizer = engine::load_tokenizer(place->folder);
  if (!tokenizer) return report(tokenizer.error());
  return answer_all([&](std::string_view request) { return answer_tokens(**tokenizer, request); });
}

int run_program(const DebugOptions& options) {
  const auto sandbox = PythonSandbox::open({.seconds = static_cast<double>(options.timeout)});
  if (!sandbox) return report(sandbox.error());
  return answer_all([&](std::string_view request) { return answer_program(*sandbox, request); });
}

int run_holes(const DebugOptions& options) {
  const Result<std::string> text = read_source("-");
  if (!text) return report(text.error());
  const Result<std::string> answer = answer_holes(*text, options.holes);
  if (!answer) return report(answer.error());
  const auto written = write_output(*answer);
  return written ? kDone : report(written.error());
}

CLI::App* add_holes(CLI::App& debug, HolesQuestion& question) {
  CLI::App* app = debug.add_subcommand(
      "holes",
      "Source text on standard input -> {\"errors\":[...],\"holes\":[...]}: what the grammar "
      "would mask there, of which kind and why; without a place the markers or the stubs of the "
      "text. No model is needed");
  app->add_option("--lang", question.language, "The language, as in python or cpp")->required();
  app->add_option("--at", question.at, "A cursor at LINE:COL")->type_name("LINE:COL");
  app->add_option("--span", question.spans, "A selection")->type_name("L:C-L:C");
  app->add_option("--node", question.nodes, "A function or class, or a kind of node")
      ->type_name("NAME|LINE|KIND");
  app->add_flag("--stubs", question.stubs, "Bodies that say that they are still to be written");
  return app;
}

}  // namespace

Command add_debug(CLI::App& root) {
  CLI::App* app = root.add_subcommand("debug", "Answer JSON requests about a model");
  app->description(kDescription);
  app->footer(kExamples);
  app->require_subcommand(1);
  const auto options = std::make_shared<DebugOptions>();
  options->common.dtype = "f32";

  CLI::App* logits = app->add_subcommand(
      "logits",
      "{\"ids\":[...]} -> {\"logits\":[[...]]}, a row for each position, as the sampler "
      "sees them (shifted where the model shifts)");
  logits->add_option("--rows", options->rows, "Only these positions, from 0, as in 3,7")
      ->delimiter(',')
      ->type_name("N,N")
      ->check(whole_number(0, 1 << 30));
  CLI::App* sample = app->add_subcommand(
      "sample",
      "{\"ids\":[...],\"steps\":N,\"alg\":\"...\"} -> {\"result\":[...],"
      "\"commits_per_step\":[...],\"forward_passes\":N}. Further fields: temperature, "
      "top_p, top_k, alg_temp, eps, threshold, seed, cache (exact, cached, prefix or dual), refresh");
  CLI::App* tokens = app->add_subcommand(
      "tokens", "{\"text\":\"...\"} -> {\"ids\":[...]}, {\"ids\":[...]} -> {\"text\":\"...\"}");
  CLI::App* program = app->add_subcommand(
      "program",
      "{\"solution\":\"...\",\"tests\":\"...\"} -> {\"verdict\":\"passed\",\"parses\":true,"
      "\"seconds\":N}: runs Python shut in, as `lacuna eval` does; no model is needed");
  program->add_option("--timeout", options->timeout, "Seconds until a program is killed")
      ->type_name("S")
      ->check(whole_number(1, 3600))
      ->capture_default_str();
  const CLI::App* holes = add_holes(*app, options->holes);
  for (CLI::App* command : {logits, sample, tokens}) add_model_option(*command, options->common);
  for (CLI::App* command : {logits, sample}) add_device_options(*command, options->common);
  return {app, [options, logits, sample, program, holes] {
            if (holes->parsed()) return run_holes(*options);
            if (logits->parsed()) return run_logits(*options);
            if (program->parsed()) return run_program(*options);
            return sample->parsed() ? run_sample(*options) : run_tokens(*options);
          }};
}

}  // namespace lacuna::cli
