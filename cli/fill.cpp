#include "cli/fill.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <iterator>
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
#include "daemon/checked_infill.h"
#include "engine/infill.h"
#include "engine/profile.h"
#include "grammar/holes.h"
#include "support/file.h"

namespace lacuna::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kDescription =
    "Fill the holes of a file, all at once.\n\n"
    "A hole is a marker in the text: \u27E6?\u27E7, or with a hint \u27E6?: sum of a and b\u27E7, or "
    "with a length in tokens \u27E6?24\u27E7. With --at, --span, --node or --stubs the holes are those "
    "places instead. "
    "The whole file goes to standard output; outside the holes not a byte changes.\n\n"
    "In a language with a grammar each step is kept on the road to code that parses. A fill that "
    "breaks the file is repaired; if that fails its hole stays as it is, which is an error.";

constexpr const char* kExamples =
    "Lines and columns count from 1; columns count Unicode code points, a tab is one.\n\n"
    "Examples:\n"
    "  lacuna fill examples/inventory.py --watch        watch its markers denoise\n"
    "  lacuna fill main.go --write                      fill the markers in place\n"
    "  lacuna fill main.go --at 12:5 --tokens 24        insert at a place\n"
    "  lacuna fill main.go --span 12:5-14:2 --json      replace a span, report how\n"
    "  lacuna fill main.go --node Server.Close          write the body of a function again\n"
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
  if (!options.language.empty() && options.language != "none" &&
      language_named(options.language) == nullptr) {
    std::string known;
    for (const Language& it : languages()) known += " " + std::string(it.name);
    return "there is no language '" + options.language + "'; there are: none" + known;
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
Result<daemon::CheckedInfill> denoise(const engine::Model& model, engine::InfillRequest& request,
                                      const daemon::SyntaxOptions& syntax, bool watch,
                                      Terminal& terminal, Interrupts& interrupts,
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
  Result<daemon::CheckedInfill> result = daemon::checked_infill(model, request, syntax);
  display.end();
  return result;
}

Result<void> deliver(const FillOptions& options, const FillReport& report, Interrupts& interrupts) {
  const std::string filled =
      engine::splice(report.text, report.request->holes, report.checked->result.fills);
  if (options.write) {
    // A signal must not end the process between writing the new file and renaming it.
    const Interrupts::Cooperative cooperative(interrupts);
    if (Result<void> ok = write_file(options.file, filled); !ok) return ok;
  }
  if (options.common.json) return write_output(to_json(report));
  return options.write ? Result<void>() : write_output(filled);
}

// What was withheld, in one line; ok when nothing was.
Result<void> check_shown(std::string_view text, std::span<const engine::Hole> holes,
                         const daemon::CheckedInfill& checked) {
  std::string places;
  std::string reason;
  for (std::size_t i = 0; i < holes.size(); ++i) {
    if (checked.holes[i].state != daemon::SyntaxState::Withheld) continue;
    const LineIndex lines(text);
    places += (places.empty() ? "" : ", ") + to_string(position_of(text, lines, holes[i].begin));
    if (reason.empty()) reason = checked.holes[i].reason;
  }
  if (places.empty()) return {};
  return fail(ErrorCode::Unavailable,
              "left as it was, because no fill was found that parses: the hole at " + places +
                  " (" + reason + "); try another --seed or length, or --no-syntax to see it");
}

std::string summary_of(const daemon::CheckedInfill& checked) {
  int good = 0;
  int repaired = 0;
  for (const daemon::HoleSyntax& hole : checked.holes) {
    good += hole.state == daemon::SyntaxState::Parses ? 1 : 0;
    repaired += hole.repairs > 0 ? 1 : 0;
  }
  std::string line = std::to_string(good) + " of " + std::to_string(checked.holes.size()) +
                     " fills parse, " + std::to_string(checked.constraint.vetoed) +
                     " tokens refused, " + std::to_string(repaired) + " fills repaired";
  if (!checked.constraint_off.empty())
    line += "; steps were not checked: " + checked.constraint_off;
  return line;
}

// The tree of a text, for places that are nodes of it.
Result<std::vector<grammar::PickedHole>> picked_holes(std::string_view text,
                                                      const FillOptions& options) {
  const grammar::Grammar* grammar = grammar::grammar_of(language_for(text, options));
  if (grammar == nullptr) {
    return fail(ErrorCode::InvalidInput,
                "--node and --stubs need a language with a grammar; name it with --lang");
  }
  const auto tree = grammar::parse(*grammar, text);
  if (!tree) return fail(ErrorCode::InvalidInput, "the parser does not find its way in the file");
  std::vector<grammar::PickedHole> all;
  for (const std::string& node : options.nodes) {
    auto holes = grammar::holes_of_node(text, *tree, node);
    if (!holes) return holes.error();
    std::move(holes->begin(), holes->end(), std::back_inserter(all));
  }
  if (options.stubs) {
    auto holes = grammar::stub_bodies(text, *tree);
    if (holes.empty() && all.empty()) {
      return fail(ErrorCode::InvalidInput, "there is no body that says it is still to be written");
    }
    std::move(holes.begin(), holes.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace

const Language* language_for(std::string_view text, const FillOptions& options) {
  if (options.language == "none") return nullptr;
  return options.language.empty() ? language_of_file(options.file, text)
                                  : language_named(options.language);
}

Result<std::vector<engine::Hole>> holes_of(std::string_view text, const FillOptions& options) {
  const bool has_nodes = !options.nodes.empty() || options.stubs;
  if (options.at.empty() && options.spans.empty() && !has_nodes) {
    Result<std::vector<engine::Hole>> holes = engine::find_markers(text, kMaxHoleTokens);
    if (!holes || !holes->empty()) return holes;
    return fail(
        ErrorCode::InvalidInput,
        "there is no hole: mark one with \u27E6?\u27E7, or name a place with --at LINE:COL, "
        "--span LINE:COL-LINE:COL or --node NAME");
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
  if (has_nodes) {
    const auto picked = picked_holes(text, options);
    if (!picked) return picked.error();
    for (const grammar::PickedHole& hole : *picked) {
      holes.push_back({.begin = hole.span.begin, .end = hole.span.end, .tokens = {}, .hint = {}});
    }
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
  const Language* language = language_for(*text, options);
  if (language != nullptr) {
    request.language = language->model_name;
    request.line_comment = language->line_comment;
  }
  request.options = infill_options(options);
  std::vector<int> canvas_of_hole;
  daemon::SyntaxOptions syntax;
  if (!options.no_syntax && !request.options.exact) syntax.grammar = grammar::grammar_of(language);
  const Result<daemon::CheckedInfill> checked =
      denoise(model->model, request, syntax, options.watch, terminal, interrupts, canvas_of_hole);
  if (interrupts.exit_code() != 0) return interrupts.exit_code();
  if (!checked) return report(checked.error());
  if (const auto ok = check_finished(*text, request.holes, checked->result.fills); !ok) {
    return report(ok.error());
  }
  if (options.watch && terminal.can_draw() && syntax.grammar != nullptr)
    terminal.write(summary_of(*checked) + "\n", {});
  const std::chrono::duration<double> total = Clock::now() - start;
  const FillReport fill_report = {.file = options.file,
                                  .written = options.write,
                                  .text = *text,
                                  .request = &request,
                                  .checked = &*checked,
                                  .canvas_of_hole = canvas_of_hole,
                                  .model = &*model,
                                  .total_seconds = total.count()};
  const Result<void> delivered = deliver(options, fill_report, interrupts);
  if (!delivered) return report(delivered.error());
  const Result<void> shown = check_shown(*text, request.holes, *checked);
  return shown ? kDone : report(shown.error());
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
  app->add_option("--node", options->nodes,
                  "A hole instead of the body of a function or class, by its name or a line in it; "
                  "or instead of every node of a kind; may be given several times")
      ->type_name("NAME|LINE|KIND");
  app->add_flag("--stubs", options->stubs,
                "Holes instead of the bodies that are only pass, ..., a TODO or the like");
  app->add_flag("--no-syntax", options->no_syntax,
                "Take whatever the model writes, whether it parses or not");
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
  app->add_option(
         "--lang", options->language,
         "The language, as in python or cpp, or none (default: by the file's name or first "
         "line)")
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
