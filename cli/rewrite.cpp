#include "cli/rewrite.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>

#include "cli/command.h"
#include "cli/exit.h"
#include "cli/fill_run.h"
#include "cli/option_checks.h"
#include "cli/source_text.h"
#include "daemon/certainty.h"
#include "grammar/rewrite.h"

namespace lacuna::cli {
namespace {

constexpr const char* kDescription =
    "Write a function of a file again, all of it or what the model is least sure of.\n\n"
    "With --strength 1 its body is one hole. Below 1 the model first says how probable it finds "
    "what stands there; the least probable statements, or parts of them, become holes, at most "
    "that share of the body, and are denoised together. A docstring and, below 1, comments "
    "stay.\n\n"
    "The whole file goes to standard output; outside the holes not a byte changes. Fills are "
    "checked as `lacuna fill` does it.";

constexpr const char* kExamples =
    "Examples:\n"
    "  lacuna rewrite main.go --node Server.Close                 the body anew\n"
    "  lacuna rewrite main.go --node 120 --strength 0.3 --write   its least certain third\n"
    "  lacuna rewrite a.py --node total --temperature 0.4 --seed 2 another try\n"
    "  lacuna rewrite a.py --node total --instruct 'skip negative prices'";

using Tree = std::optional<grammar::SyntaxTree>;

Result<std::vector<grammar::PickedHole>> bodies_of(std::string_view text, const Tree& tree,
                                                   const std::vector<std::string>& nodes) {
  if (!tree) return fail(ErrorCode::InvalidInput, "the parser does not find its way in the file");
  std::vector<grammar::PickedHole> bodies;
  for (const std::string& node : nodes) {
    const auto found = grammar::holes_of_node(text, *tree, node);
    if (!found) return found.error();
    bodies.insert(bodies.end(), found->begin(), found->end());
  }
  std::vector<engine::Hole> holes;
  holes.reserve(bodies.size());
  for (const grammar::PickedHole& body : bodies) {
    holes.push_back({.begin = body.span.begin, .end = body.span.end, .tokens = {}, .hint = {}});
  }
  // The same body twice, or one in another.
  if (const auto ok = engine::check_and_sort(text, holes); !ok) return ok.error();
  std::sort(bodies.begin(), bodies.end(),
            [](const auto& a, const auto& b) { return a.span.begin < b.span.begin; });
  return bodies;
}

// As long as what stands there; where the model may leave tokens empty, with some to spare.
int tokens_for(const engine::Model& model, std::string_view replaced) {
  const int now = static_cast<int>(model.tokenizer()->encode(replaced).size());
  if (now == 0) return kDefaultHoleTokens;
  return std::min(kMaxHoleTokens, model.config().delete_token ? now + now / 4 + 1 : now);
}

// The holes of the bodies, each with the instruction above its first one.
Result<std::vector<engine::Hole>> holes_of_bodies(const RewriteOptions& options, const Tree& tree,
                                                  const std::vector<grammar::PickedHole>& bodies,
                                                  const engine::Model& model,
                                                  const engine::InfillRequest& request) {
  // A hint is one line.
  std::string hint = options.instruct;
  std::replace_if(hint.begin(), hint.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  std::vector<engine::Hole> holes;
  for (const grammar::PickedHole& body : bodies) {
    std::vector<grammar::PickedHole> parts = {body};
    if (options.strength < 1 && body.span.size() > 0) {
      const auto certainty = daemon::certainty_of(model, request, body.span);
      if (!certainty) return certainty.error();
      parts = grammar::least_certain(request.text, *tree, body, *certainty, options.strength);
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const grammar::Span span = parts[i].span;
      engine::Hole hole{.begin = span.begin,
                        .end = span.end,
                        .tokens = {},
                        .hint = i == 0 ? hint : std::string()};
      if (request.options.length == engine::LengthMode::Fixed) {
        hole.tokens = tokens_for(model, request.text.substr(span.begin, span.size()));
      }
      holes.push_back(std::move(hole));
    }
  }
  return holes;
}

}  // namespace

int run_rewrite(const RewriteOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  if (const std::string problem = problem_of_fill(options.fill); !problem.empty()) {
    return report_usage("rewrite", problem);
  }
  const Result<std::string> text = read_source(options.fill.file);
  if (!text) return report(text.error());
  const std::string name = name_of_source(options.fill.file);
  const grammar::Grammar* grammar = grammar::grammar_of(language_for(*text, options.fill));
  if (grammar == nullptr) {
    return report(name +
                  ": a function is found only in a language with a grammar; name it with "
                  "--lang");
  }
  const Tree tree = grammar::parse(*grammar, *text);
  const auto bodies = bodies_of(*text, tree, options.nodes);
  if (!bodies) return report(name + ": " + bodies.error().message);

  Terminal terminal(2);
  Interrupts interrupts(terminal);
  const Result<LoadedModel> model = load_model(options.fill.common, true, &terminal);
  if (!model) return report(model.error());
  engine::InfillRequest request = request_of(*text, options.fill);
  request.stop = interrupts.token();
  Result<std::vector<engine::Hole>> holes = [&] {
    const Interrupts::Cooperative cooperative(interrupts);
    return holes_of_bodies(options, tree, *bodies, model->model, request);
  }();
  if (interrupts.exit_code() != 0) return interrupts.exit_code();
  if (!holes) return report(name + ": " + holes.error().message);
  request.holes = std::move(*holes);
  return fill_and_deliver(options.fill, *model, request, terminal, interrupts, start);
}

Command add_rewrite(CLI::App& root) {
  CLI::App* app = root.add_subcommand("rewrite", "Write a function of a file again");
  app->description(kDescription);
  app->footer(kExamples);
  const auto options = std::make_shared<RewriteOptions>();
  options->fill.length = engine::name_of(engine::LengthMode::Fixed);
  app->add_option("FILE", options->fill.file, "The file, or - for standard input")->required();
  app->add_option(
         "--node", options->nodes,
         "The function or class, by its name or a line in it; or every node of a kind; may "
         "be given several times")
      ->type_name("NAME|LINE|KIND")
      ->required();
  app->add_option("--strength", options->strength,
                  "The share of the body that is written again: 1 all of it, below that what the "
                  "model is least sure of, at least one part (default 1)")
      ->type_name("X")
      ->check(finite_number())
      ->check(CLI::Range(0.0, 1.0));
  app->add_option("--instruct", options->instruct,
                  "What to write, in words: the model sees them as a comment above the place")
      ->type_name("TEXT");
  add_shared_fill_options(*app, options->fill);
  return {app, [options] {
            // The model is loaded for it, too.
            if (options->fill.profile == "exact") options->fill.common.exact = true;
            return run_rewrite(*options);
          }};
}

}  // namespace lacuna::cli
