#include "cli/eval_holes.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <unistd.h>

#include "cli/count_bar.h"
#include "cli/eval/holes_report.h"
#include "cli/exit.h"
#include "cli/interrupts.h"
#include "cli/load_model.h"
#include "cli/option_checks.h"
#include "cli/standard_io.h"

namespace lacuna::cli {
namespace {

constexpr const char* kDescription =
    "Fill holes in source files whose text is known: how often what stood there comes back.\n\n"
    "PATH is a folder of source files, or a .jsonl file of the corpus tool, such as held_out.jsonl. "
    "A quarter of the files, by a hash of their names, is left for `lacuna model calibrate`, which "
    "takes the same PATH.";

constexpr const char* kExamples =
    "Kinds of holes: token (one of the model's), identifier (a word of three letters or more), "
    "expression (in brackets, or after = or return), line (without its indentation), lines (2 to 6). "
    "They are chosen by the seed, the same ones for every model but for tokens.\n\n"
    "Examples:\n"
    "  lacuna eval holes CORPUS/held_out.jsonl\n"
    "  lacuna eval holes src --copy off,auto,only --length fixed:16,probe,oracle\n"
    "  lacuna eval holes CORPUS/held_out.jsonl --limit 20 --show 30 > SAMPLES.md";

Result<std::vector<SourceDocument>> read_all(const std::vector<std::string>& paths) {
  std::vector<SourceDocument> all;
  for (const std::string& path : paths) {
    if (!is_document_set(path)) {
      return fail(ErrorCode::InvalidInput,
                  path + " is neither a folder nor a .jsonl file of the corpus tool");
    }
    Result<std::vector<SourceDocument>> documents = read_documents(path, Part::Evaluation);
    if (!documents) return documents.error();
    std::move(documents->begin(), documents->end(), std::back_inserter(all));
  }
  return all;
}

std::string problem_of(const HolesOptions& options) {
  for (const std::string& text : options.lengths) {
    if (const auto length = parse_length(text); !length) return length.error().message;
  }
  for (const std::string& text : options.copies) {
    if (const auto copy = engine::parse_copy_mode(text); !copy) return copy.error().message;
  }
  for (const std::string& text : options.kinds) {
    if (!hole_kind_named(text)) {
      return "there is no kind '" + text +
             "'; there are token, identifier, expression, line and lines";
    }
  }
  if (options.show > 0 && options.decode.common.json) {
    return "--show writes a page, --json a report that holds every fill anyway; give one of them";
  }
  const auto sampling = with_flags({}, options.decode.sampling, 0);
  return sampling ? "" : sampling.error().message;
}

bool can_grow(const engine::Model& model) {
  return model.config().expand_token && model.config().delete_token;
}

Result<HolesPlan> plan_of(const HolesOptions& options, const engine::Model& model) {
  HolesPlan plan = {.copies = options.copies, .lengths = {}, .options = options.decode};
  std::vector<std::string> lengths = options.lengths;
  if (lengths.empty()) {
    lengths = {"fixed:16", "probe", "oracle"};
    if (can_grow(model)) lengths.insert(lengths.begin() + 2, "elastic");
  }
  for (const std::string& text : lengths) {
    plan.lengths.push_back(*parse_length(text));
    if (plan.lengths.back().mode == engine::LengthMode::Elastic && !can_grow(model)) {
      return fail(ErrorCode::InvalidInput,
                  "--length elastic needs a model with an expand token; this one has none");
    }
  }
  for (const std::string& text : options.copies) {
    engine::InfillOptions infill;
    infill.copy = *engine::parse_copy_mode(text);
    if (const auto mixing = engine::copy_mixing_for(model, infill); !mixing) return mixing.error();
  }
  return plan;
}

std::vector<HoleKind> kinds_of(const HolesOptions& options) {
  if (options.kinds.empty()) return {kHoleKinds.begin(), kHoleKinds.end()};
  std::vector<HoleKind> kinds;
  for (const HoleKind kind : kHoleKinds) {
    const auto asked = std::find(options.kinds.begin(), options.kinds.end(), name_of(kind));
    if (asked != options.kinds.end()) kinds.push_back(kind);
  }
  return kinds;
}

Result<std::string> evaluate_holes(const HolesOptions& options, Terminal& terminal,
                                   Interrupts& interrupts) {
  const Result<std::vector<SourceDocument>> documents = read_all(options.paths);
  if (!documents) return documents.error();
  const Result<LoadedModel> loaded = load_model(options.decode.common, true, &terminal);
  if (!loaded) return loaded.error();
  const engine::Model& model = loaded->model;
  const Result<HolesPlan> plan = plan_of(options, model);
  if (!plan) return plan.error();
  const std::vector<HoleKind> kinds = kinds_of(options);
  const std::vector<HoleCase> cases = choose_holes(*documents, kinds, options.limit,
                                                   options.decode.common.seed, *model.tokenizer());
  if (cases.empty()) {
    return fail(ErrorCode::InvalidInput,
                "there is no hole to ask for; files need 12 lines or more, and lines of code");
  }
  const Interrupts::Cooperative cooperative(interrupts);
  CountBar bar(terminal, "filling", static_cast<int>(cases.size() * settings_of(*plan).size()));
  const auto results =
      answer_holes(model, *plan, cases, [&](int done) { bar.show(done); }, interrupts.token());
  if (!results) return results.error();
  const HolesReport report = {.paths = options.paths,
                              .limit = options.limit,
                              .model = *loaded,
                              .plan = *plan,
                              .kinds = kinds,
                              .results = *results};
  if (options.decode.common.json) return holes_json(report);
  return options.show > 0 ? holes_page(report, options.show) : holes_table(report);
}

}  // namespace

int run_eval_holes(const HolesOptions& options) {
  if (const std::string problem = problem_of(options); !problem.empty()) {
    return report_usage("eval holes", problem);
  }
  Terminal terminal(STDERR_FILENO);
  Interrupts interrupts(terminal);
  const Result<std::string> text = evaluate_holes(options, terminal, interrupts);
  if (interrupts.exit_code() != 0) return interrupts.exit_code();
  if (!text) return report(text.error());
  const Result<void> written = write_output(*text);
  return written ? kDone : report(written.error());
}

CLI::App* add_eval_holes(CLI::App& eval, const std::shared_ptr<HolesOptions>& options) {
  CLI::App* app = eval.add_subcommand("holes", kDescription);
  app->footer(kExamples);
  app->add_option("PATH", options->paths, "Folders of source files, or .jsonl files of the corpus")
      ->required();
  app->add_option("--limit", options->limit,
                  "Holes of each kind in each language; a smaller number takes the first ones of a "
                  "larger (default 50)")
      ->type_name("N")
      ->check(whole_number(1, 10000));
  app->add_option("--kinds", options->kinds, "Only these kinds (default: all)")
      ->delimiter(',')
      ->type_name("KIND,...");
  app->add_option("--length", options->lengths,
                  "Tokens of a hole: fixed:N, probe, elastic or oracle; several are measured side "
                  "by side (default fixed:16, probe, elastic where the model can, oracle)")
      ->delimiter(',')
      ->type_name("LENGTH,...");
  app->add_option("--copy", options->copies,
                  "Copies of the file: auto, off, on or only; several are measured side by side "
                  "(default auto)")
      ->delimiter(',')
      ->type_name("MODE,...");
  add_finalists_option(*app, options->decode.finalists);
  app->add_option("--show", options->show,
                  "Print a page in Markdown with the table and N holes chosen at random, with "
                  "their fills")
      ->type_name("N")
      ->check(whole_number(1, 10000));
  CommonOptions& common = options->decode.common;
  add_json_option(*app, common, "Print JSON, with every hole and fill");
  add_model_option(*app, common);
  add_device_options(*app, common);
  add_seed_option(*app, common);
  add_sampling_options(*app, options->decode.sampling, common,
                       {.steps = "one for each token", .alg = "entropy"});
  return app;
}

}  // namespace lacuna::cli
