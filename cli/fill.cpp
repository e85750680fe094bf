#include "cli/fill.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iterator>
#include <memory>

#include "cli/command.h"
#include "cli/exit.h"
#include "cli/fill_run.h"
#include "cli/interrupts.h"
#include "cli/load_model.h"
#include "cli/option_checks.h"
#include "cli/position.h"
#include "cli/source_text.h"
#include "engine/infill.h"
#include "engine/profile.h"
#include "grammar/holes.h"

namespace lacuna::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMaxAlternatives = 64;

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
    "  lacuna fill main.go --at 12:5 --tokens 24        finish what stands at a place\n"
    "  lacuna fill main.go --span 12:5-12:5             insert at a place\n"
    "  lacuna fill main.go --span 12:5-14:2 --json      replace a span, report how\n"
    "  lacuna fill main.go --node Server.Close          write the body of a function again\n"
    "  lacuna fill main.go --at 12:5 --alternatives 5   see five fills of one place\n"
    "  git show HEAD:a.py | lacuna fill - --lang python fill standard input";

// What each cursor's hole masks: what belongs there by the grammar, up to the next place; without a
// grammar, or where the parser is lost, nothing.
std::vector<engine::Hole> holes_at(std::string_view text, const FillOptions& options,
                                   std::span<const std::size_t> cursors,
                                   std::span<const engine::Hole> others) {
  const grammar::Grammar* grammar = grammar::grammar_of(language_for(text, options));
  const auto tree = grammar == nullptr ? std::nullopt : grammar::parse(*grammar, text);
  std::vector<grammar::PickedHole> picked;
  if (tree) picked = grammar::holes_at_cursors(text, *tree, cursors);
  std::vector<engine::Hole> holes;
  for (std::size_t i = 0; i < cursors.size(); ++i) {
    engine::Hole hole{.begin = cursors[i], .end = cursors[i], .tokens = {}, .hint = {}};
    if (tree) {
      hole.begin = picked[i].span.begin;
      hole.end = picked[i].span.end;
    }
    const auto stop_at = [&](std::size_t place) {
      if (place > hole.begin) hole.end = std::min(hole.end, place);
    };
    for (const std::size_t other : cursors) stop_at(other);
    for (const engine::Hole& other : others) stop_at(other.begin);
    holes.push_back(std::move(hole));
  }
  return holes;
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
  std::vector<std::size_t> cursors;
  for (const std::string& at : options.at) {
    const auto place = parse_position(at);
    if (!place) return place.error();
    const auto cursor = byte_offset(text, lines, *place);
    if (!cursor) return cursor.error();
    cursors.push_back(*cursor);
  }
  for (const std::string& span_text : options.spans) {
    const auto span = parse_span(span_text);
    if (!span) return span.error();
    const auto first = byte_offset(text, lines, span->begin);
    if (!first) return first.error();
    const auto last = byte_offset(text, lines, span->end);
    if (!last) return last.error();
    holes.push_back({.begin = *first, .end = *last, .tokens = {}, .hint = {}});
  }
  if (has_nodes) {
    const auto picked = picked_holes(text, options);
    if (!picked) return picked.error();
    for (const grammar::PickedHole& hole : *picked) {
      holes.push_back({.begin = hole.span.begin, .end = hole.span.end, .tokens = {}, .hint = {}});
    }
  }
  if (!cursors.empty()) {
    std::vector<engine::Hole> found = holes_at(text, options, cursors, holes);
    std::move(found.begin(), found.end(), std::back_inserter(holes));
  }
  if (const auto ok = engine::check_and_sort(text, holes); !ok) return ok.error();
  return holes;
}

// Who asks for a number of tokens gets it, and the published sampler knows no other way.
engine::LengthMode length_mode_of(const FillOptions& options, bool exact) {
  if (!options.length.empty()) return *engine::parse_length_mode(options.length);
  return exact || options.tokens ? engine::LengthMode::Fixed : engine::LengthMode::Probe;
}

engine::InfillOptions infill_options(const FillOptions& options) {
  engine::InfillOptions infill;
  if (!options.profile.empty()) engine::apply(*engine::profile_named(options.profile), infill);
  infill.sampling = *with_flags(infill.sampling, options.sampling, options.common.seed);
  infill.steps_per_token = options.sampling.steps ? 0 : 1;
  infill.default_hole_tokens = options.tokens.value_or(kDefaultHoleTokens);
  infill.max_canvas = options.context;
  infill.exact = infill.exact || options.common.exact;
  infill.cache = with_cache_flags(infill.cache, options.sampling);
  infill.length = length_mode_of(options, infill.exact);
  infill.copy = *engine::parse_copy_mode(options.copy);
  infill.length_finalists = options.finalists.value_or(infill.length_finalists);
  infill.max_hole_tokens = options.max_tokens;
  infill.single_line = options.single_line;
  return infill;
}

std::string problem_of_fill(const FillOptions& options) {
  if (options.write && options.file == "-") {
    return "--write needs a file; the result of standard input goes to standard output";
  }
  if (options.write && options.alternatives > 0) {
    return "--write takes one fill: leave out --alternatives, and give the --seed and "
           "--temperature of the one that you want";
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

int run_fill(const FillOptions& options) {
  const Clock::time_point start = Clock::now();
  if (const std::string problem = problem_of_fill(options); !problem.empty()) {
    return report_usage("fill", problem);
  }
  const Result<std::string> text = read_source(options.file);
  if (!text) return report(text.error());
  Result<std::vector<engine::Hole>> holes = holes_of(*text, options);
  if (!holes) return report(name_of_source(options.file) + ": " + holes.error().message);

  Terminal terminal(2);
  Interrupts interrupts(terminal);
  const Result<LoadedModel> model = load_model(options.common, true, &terminal);
  if (!model) return report(model.error());
  engine::InfillRequest request = request_of(*text, options);
  request.holes = std::move(*holes);
  return fill_and_deliver(options, *model, request, terminal, interrupts, start);
}

void add_shared_fill_options(CLI::App& app, FillOptions& options) {
  app.add_flag("--no-syntax", options.no_syntax,
               "Take whatever the model writes, whether it parses or not");
  app.add_option("--profile", options.profile,
                 "fast, balanced, quality or exact: how many tokens a pass fixes and how often "
                 "the context is computed anew; single options go before it")
      ->type_name("NAME")
      ->check([](const std::string& name) {
        const auto profile = engine::profile_named(name);
        return profile ? std::string() : profile.error().message;
      });
  app.add_option("--length", options.length,
                 "Who decides how long holes without a length become: fixed (--tokens; a "
                 "rewrite as long as what it replaces), probe (the length at which the model is "
                 "surest, of those that are usual for what would stand there), or elastic (the "
                 "model, while it denoises; needs an expand token) (default: probe; with --tokens, "
                 "--exact and for a rewrite fixed)")
      ->type_name("MODE")
      ->check(one_of({"fixed", "probe", "elastic"}));
  add_finalists_option(app, options.finalists);
  add_copy_option(app, options.copy);
  app.add_option("--max-tokens", options.max_tokens,
                 "The longest that --length probe or elastic makes a hole (default 64)")
      ->type_name("N")
      ->check(whole_number(1, kMaxHoleTokens));
  app.add_option("--lang", options.language,
                 "The language, as in python or cpp, or none (default: by the file's name or first "
                 "line)")
      ->type_name("NAME");
  app.add_option("--context", options.context,
                 "Tokens of text and holes that the model sees at once (default: what it was "
                 "trained for, at most 2048)")
      ->type_name("N")
      ->check(whole_number(16, 1 << 20));
  app.add_flag("--write", options.write, "Change the file in place instead of printing it");
  app.add_flag("--watch", options.watch, "Show on standard error how the holes denoise");
  add_json_option(
      app, options.common,
      "Print a report (holes, text, steps, probabilities, timings) instead of the file");
  add_model_option(app, options.common);
  add_device_options(app, options.common);
  add_seed_option(app, options.common);
  add_sampling_options(app, options.sampling, options.common,
                       {.steps = "one for each token", .alg = "entropy"});
}

Command add_fill(CLI::App& root) {
  CLI::App* app = root.add_subcommand("fill", "Fill the holes of a file");
  app->description(kDescription);
  app->footer(kExamples);
  const auto options = std::make_shared<FillOptions>();
  app->add_option("FILE", options->file, "The file to fill, or - for standard input")->required();
  app->add_option("--at", options->at,
                  "A hole at LINE:COL instead of what stands there: the rest of the word, "
                  "expression, argument or statement, over several lines if it goes on; an "
                  "insertion where there is nothing or no grammar; may be given several times")
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
  app->add_option(
         "--tokens", options->tokens,
         "Length of holes whose marker gives none, instead of one that is found (--length); "
         "the model may leave tokens empty (default of --length fixed: 16)")
      ->type_name("N")
      ->check(whole_number(1, kMaxHoleTokens));
  app->add_option("--alternatives", options->alternatives,
                  "Print up to N different fills of the holes instead of the file: the one that "
                  "there is without this option, and others at temperature 0.7 or what "
                  "--temperature says, if that is higher, with the seeds that follow")
      ->type_name("N")
      ->check(whole_number(1, kMaxAlternatives));
  app->add_flag("--single-line", options->single_line, "End every hole before the first line end");
  add_shared_fill_options(*app, *options);
  return {app, [options] {
            // The model is loaded for it, too.
            if (options->profile == "exact") options->common.exact = true;
            return run_fill(*options);
          }};
}

}  // namespace lacuna::cli
