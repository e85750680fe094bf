#include "cli/fill.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>

#include "cli/command.h"
#include "cli/exit.h"
#include "cli/fill_display.h"
#include "cli/fill_report.h"
#include "cli/interrupts.h"
#include "cli/load_model.h"
#include "cli/option_checks.h"
#include "cli/position.h"
#include "cli/source_text.h"
#include "cli/standard_io.h"
#include "engine/infill.h"
#include "engine/profile.h"
#include "support/file.h"

namespace lacuna::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kDescription =
    "Fill the holes of a file, all at once.\n\n"
    "A hole is a marker in the text: \u27E6?\u27E7, or with a hint \u27E6?: sum of a and b\u27E7, or "
    "with a length in tokens \u27E6?24\u27E7. With --at or --span the holes are those places instead. "
    "The whole file goes to standard output; outside the holes not a byte changes.";

constexpr const char* kExamples =
    "Lines and columns count from 1; columns count Unicode code points, a tab is one.\n\n"
    "Examples:\n"
    "  lacuna fill examples/inventory.py --watch        watch its markers denoise\n"
    "  lacuna fill main.go --write                      fill the markers in place\n"
    "  lacuna fill main.go --at 12:5 --tokens 24        insert at a place\n"
    "  lacuna fill main.go --span 12:5-14:2 --json      replace a span, report how\n"
    "  git show HEAD:a.py | lacuna fill - --lang python fill standard input";

// The usage errors that no single option can see.
std::string problem_of(const FillOptions& options) {
  if (options.write && options.file == "-") {
    return "--write needs a file; the result of standard input goes to standard output";
  }
  for (const std::string& at : options.at) {
    if (const auto place = parse_position(at); !place) return place.error().message;
  }
  for (const std::string& text : options.spans) {
    if (const auto span = parse_span(text); !span) return span.error().message;
  }
  if (!options.language.empty() && language_named(options.language) == nullptr) {
    std::string known;
    for (const Language& it : languages()) known += " " + std::string(it.name);
    return "there is no language '" + options.language + "'; there are:" + known;
  }
  engine::InfillOptions defaults;
  if (!options.profile.empty()) {
    const auto profile = engine::profile_named(options.profile);
    if (!profile) return profile.error().message;
    engine::apply(*profile, defaults);
  }
  const auto sampling = with_flags(defaults.sampling, options.sampling, 0);
  return sampling ? "" : sampling.error().message;
}

// Names the first hole that could not be finished.
Result<void> check_finished(std::string_view text, std::span<const engine::Hole> holes,
                            std::span<const engine::HoleFill> fills) {
  for (std::size_t i = 0; i < fills.size(); ++i) {
    if (fills[i].masks_left == 0) continue;
    const LineIndex lines(text);
    return fail(ErrorCode::Unavailable,
                "the hole at " + to_string(position_of(text, lines, holes[i].begin)) + " has " +
                    std::to_string(fills[i].masks_left) +
                    " tokens left that the model did not fill; try other --steps or --alg, or "
                    "leave out --exact");
  }
  return {};
}

// One fill from the loaded model to its result, shown on the terminal meanwhile.
Result<engine::InfillResult> denoise(const engine::Model& model, engine::InfillRequest& request,
                                     bool watch, Terminal& terminal, Interrupts& interrupts,
                                     std::vector<int>& canvas_of_hole) {
  FillDisplay display(terminal, watch, request.text, request.holes,
                      request.options.default_hole_tokens);
  canvas_of_hole.assign(request.holes.size(), 0);
  request.stop = interrupts.token();
  request.on_step = [&](const engine::InfillProgress& progress) {
    for (const int hole : progress.holes) {
      canvas_of_hole[static_cast<std::size_t>(hole)] = progress.canvas_idx;
    }
    display.step(progress);
  };
  const Interrupts::Cooperative cooperative(interrupts);
  display.begin();
  Result<engine::InfillResult> result = engine::infill(model, request);
  display.end();
  return result;
}

Result<void> deliver(const FillOptions& options, const FillReport& report, Interrupts& interrupts) {
  const std::string filled =
      engine::splice(report.text, report.request->holes, report.result->fills);
  if (options.write) {
    // A signal must not end the process between writing the new file and renaming it.
    const Interrupts::Cooperative cooperative(interrupts);
    if (Result<void> ok = write_file(options.file, filled); !ok) return ok;
  }
  if (options.common.json) return write_output(to_json(report));
  return options.write ? Result<void>() : write_output(filled);
}

}  // namespace

Result<std::vector<engine::Hole>> holes_of(std::string_view text, const FillOptions& options) {
  if (options.at.empty() && options.spans.empty()) {
    Result<std::vector<engine::Hole>> holes = engine::find_markers(text, kMaxHoleTokens);
    if (!holes || !holes->empty()) return holes;
    return fail(ErrorCode::InvalidInput,
                "there is no hole: mark one with \u27E6?\u27E7, or name a place with --at LINE:COL "
                "or --span LINE:COL-LINE:COL");
  }
  const LineIndex lines(text);
  std::vector<engine::Hole> holes;
  const auto add = [&](Position begin, Position end) -> Result<void> {
    const auto first = byte_offset(text, lines, begin);
    if (!first) return first.error();
    const auto last = byte_offset(text, lines, end);
    if (!last) return last.error();
    holes.push_back({.begin = *first, .end = *last, .tokens = {}, .hint = {}});
    return {};
  };
  for (const std::string& at : options.at) {
    const auto place = parse_position(at);
    if (!place) return place.error();
    if (const auto ok = add(*place, *place); !ok) return ok.error();
  }
  for (const std::string& span_text : options.spans) {
    const auto span = parse_span(span_text);
    if (!span) return span.error();
    if (const auto ok = add(span->begin, span->end); !ok) return ok.error();
  }
  if (const auto ok = engine::check_and_sort(text, holes); !ok) return ok.error();
  return holes;
}

engine::InfillOptions infill_options(const FillOptions& options) {
  engine::InfillOptions infill;
  if (!options.profile.empty()) engine::apply(*engine::profile_named(options.profile), infill);
  infill.sampling = *with_flags(infill.sampling, options.sampling, options.common.seed);
  infill.steps_per_token = options.sampling.steps ? 0 : 1;
  infill.default_hole_tokens = options.tokens;
  infill.max_canvas = options.context;
  infill.exact = infill.exact || options.common.exact;
  infill.cache = with_cache_flags(infill.cache, options.sampling);
  infill.length = *engine::parse_length_mode(options.length);
  infill.copy = *engine::parse_copy_mode(options.copy);
  infill.max_hole_tokens = options.max_tokens;
  infill.single_line = options.single_line;
  return infill;
}

int run_fill(const FillOptions& options) {
  const Clock::time_point start = Clock::now();
  if (const std::string problem = problem_of(options); !problem.empty()) {
    return report_usage("fill", problem);
  }
  const Result<std::string> text = read_source(options.file);
  if (!text) return report(text.error());
  Result<std::vector<engine::Hole>> holes = holes_of(*text, options);
  if (!holes) {
    const std::string name = options.file == "-" ? "standard input" : options.file;
    return report(name + ": " + holes.error().message);
  }

  Terminal terminal(2);
  Interrupts interrupts(terminal);
  const Result<LoadedModel> model = load_model(options.common, true, &terminal);
  if (!model) return report(model.error());

  engine::InfillRequest request;
  request.text = *text;
  request.holes = std::move(*holes);
  const Language* language = options.language.empty() ? language_of_file(options.file, *text)
                                                      : language_named(options.language);
  if (language != nullptr) {
    request.language = language->model_name;
    request.line_comment = language->line_comment;
  }
  request.options = infill_options(options);
  std::vector<int> canvas_of_hole;
  const Result<engine::InfillResult> result =
      denoise(model->model, request, options.watch, terminal, interrupts, canvas_of_hole);
  if (interrupts.exit_code() != 0) return interrupts.exit_code();
  if (!result) return report(result.error());
  if (const auto ok = check_finished(*text, request.holes, result->fills); !ok) {
    return report(ok.error());
  }
  const std::chrono::duration<double> total = Clock::now() - start;
  const FillReport fill_report = {.file = options.file,
                                  .written = options.write,
                                  .text = *text,
                                  .request = &request,
                                  .result = &*result,
                                  .canvas_of_hole = canvas_of_hole,
                                  .model = &*model,
                                  .total_seconds = total.count()};
  const Result<void> delivered = deliver(options, fill_report, interrupts);
  return delivered ? kDone : report(delivered.error());
}

Command add_fill(CLI::App& root) {
  CLI::App* app = root.add_subcommand("fill", "Fill the holes of a file");
  app->description(kDescription);
  app->footer(kExamples);
  const auto options = std::make_shared<FillOptions>();
  app->add_option("FILE", options->file, "The file to fill, or - for standard input")->required();
  app->add_option("--at", options->at, "A hole at LINE:COL; may be given several times")
      ->type_name("LINE:COL");
  app->add_option("--span", options->spans,
                  "A hole instead of the text from LINE:COL up to LINE:COL; may be given several "
                  "times")
      ->type_name("L:C-L:C");
  app->add_option("--tokens", options->tokens,
                  "Length of holes whose marker gives none; the model may leave tokens empty "
                  "(default 16)")
      ->type_name("N")
      ->check(whole_number(1, kMaxHoleTokens));
  app->add_option("--profile", options->profile,
                  "fast, balanced, quality or exact: how many tokens a pass fixes and how often "
                  "the context is computed anew; single options go before it")
      ->type_name("NAME")
      ->check([](const std::string& name) {
        const auto profile = engine::profile_named(name);
        return profile ? std::string() : profile.error().message;
      });
  app->add_option("--length", options->length,
                  "Who decides how long holes without a length become: fixed (--tokens), probe "
                  "(the length at which the model is surest), or elastic (the model, while it "
                  "denoises; needs an expand token) (default: fixed)")
      ->type_name("MODE")
      ->check(one_of({"fixed", "probe", "elastic"}));
  add_copy_option(*app, options->copy);
  app->add_option("--max-tokens", options->max_tokens,
                  "The longest that --length probe or elastic makes a hole (default 64)")
      ->type_name("N")
      ->check(whole_number(1, kMaxHoleTokens));
  app->add_flag("--single-line", options->single_line, "End every hole before the first line end");
  app->add_option("--lang", options->language,
                  "The language, as in python or cpp (default: by the file's name or first line)")
      ->type_name("NAME");
  app->add_option("--context", options->context,
                  "Tokens of text and holes that the model sees at once (default: what it was "
                  "trained for, at most 2048)")
      ->type_name("N")
      ->check(whole_number(16, 1 << 20));
  app->add_flag("--write", options->write, "Change the file in place instead of printing it");
  app->add_flag("--watch", options->watch, "Show on standard error how the holes denoise");
  add_json_option(
      *app, options->common,
      "Print a report (holes, text, steps, probabilities, timings) instead of the file");
  add_model_option(*app, options->common);
  add_device_options(*app, options->common);
  add_seed_option(*app, options->common);
  add_sampling_options(*app, options->sampling, options->common,
                       {.steps = "one for each token", .alg = "entropy"});
  return {app, [options] {
            // The model is loaded for it, too.
            if (options->profile == "exact") options->common.exact = true;
            return run_fill(*options);
          }};
}

}  // namespace lacuna::cli
