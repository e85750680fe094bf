// What the syntax constraint does to fills: real files with holes, filled with and without it.
//   syntax_bench [--keep FOLDER] MODEL_FOLDER FILLS_PER_LANGUAGE HOLES_AT_ONCE PATH...
// With --keep each text is written to FOLDER with the fills that were shown, as NUMBER.EXTENSION, for
// other programs to judge.
// PATHs are files or folders. A hole is a statement, the arguments of a call, or the rest of a line,
// in turn, and as long in tokens as what stood there, which nothing sees; files with errors of their
// own are left out. A fill without the constraint is judged with what stood there in the other holes;
// those that are shown are judged together, with what stood there for what is withheld: if the text does
// not parse, none of them does. Times are processor time of this thread: run it on one. Prints the table
// of docs/grammar.md.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "daemon/checked_infill.h"
#include "daemon/fill_check.h"
#include "engine/device.h"
#include "engine/rng.h"
#include "grammar/gate.h"
#include "grammar/outline.h"
#include "support/file.h"
#include "support/processor_time.h"
#include "support/text.h"

namespace lacuna {
namespace {

using grammar::Span;

constexpr std::size_t kLargestFile = 16 << 10;
constexpr std::size_t kLargestHole = 120;
constexpr int kPlacesPerFile = 3;
constexpr int kCanvas = 384;  // tokens

struct Source {
  std::string text;
  std::string extension;  // with its dot
  const Language* language;
};

struct Place {
  const Source* source;
  std::vector<Span> holes;
};

struct Row {
  int fills = 0;
  int parse_without = 0;
  int exact_without = 0;
  int shown = 0;
  int parse_with = 0;  // of the shown ones
  int exact_with = 0;
  int constrained_parse = 0;  // by the constraint alone, before the gate
  int repaired = 0;
  int steps = 0;
  double constraint_seconds = 0;
  double gate_seconds = 0;
  double denoise_seconds = 0;
};

std::vector<Source> read_sources(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (!std::filesystem::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<Source> sources;
  for (const std::string& file : files) {
    const auto text = read_file(file, kLargestFile);
    if (!text || !is_valid_utf8(*text)) continue;
    const Language* language = language_of_file(file, *text);
    if (grammar::grammar_of(language) != nullptr) {
      sources.push_back({*text, std::filesystem::path(file).extension().string(), language});
    }
  }
  return sources;
}

bool is_good_hole(std::string_view text, Span span) {
  return span.size() >= 3 && span.size() <= kLargestHole &&
         text.substr(span.begin, span.size()).find("\u27E6") == std::string_view::npos;
}

// Places of one kind after the other, some of each file.
void add_places(const Source& source, std::uint64_t seed, int n_holes, std::vector<Place>& places) {
  const grammar::Grammar& grammar = *grammar::grammar_of(source.language);
  const auto tree = grammar::parse(grammar, source.text);
  if (!tree || tree->has_error()) return;
  const grammar::Outline outline = grammar::outline_of(source.text, *tree);
  std::vector<std::vector<Span>> kinds(3);
  for (const Span& list : outline.arguments) {
    const Span inner{list.begin + 1, list.end - 1};
    if (list.size() > 2 && is_good_hole(source.text, inner)) kinds[0].push_back(inner);
  }
  for (const grammar::Leaf& leaf : grammar::leaves_of(*tree)) {
    if (leaf.in_text) continue;
    const auto statement = grammar::statement_around(*tree, outline, {leaf.begin, leaf.begin + 1});
    if (!statement) continue;
    if (statement->span.begin == leaf.begin && is_good_hole(source.text, statement->span)) {
      kinds[1].push_back(statement->span);
    }
    const std::size_t end = std::min(source.text.find('\n', leaf.begin), source.text.size());
    const Span rest{leaf.begin, std::min(end, statement->span.end)};
    if (leaf.begin > statement->span.begin && is_good_hole(source.text, rest)) {
      kinds[2].push_back(rest);
    }
  }
  const engine::Random random(seed);
  for (int i = 0; i < kPlacesPerFile; ++i) {
    Place place{&source, {}};
    for (int k = 0; k < n_holes; ++k) {
      const int draw = i * n_holes + k;
      const std::vector<Span>& kind =
          kinds[(seed + static_cast<std::uint64_t>(draw)) % kinds.size()];
      if (kind.empty()) continue;
      const double uniform = random.uniform(engine::Random::Purpose::Token, draw, 0, 0);
      const Span hole = kind[static_cast<std::size_t>(uniform * kind.size())];
      const bool is_free = std::none_of(place.holes.begin(), place.holes.end(), [&](Span other) {
        return hole.begin <= other.end && other.begin <= hole.end;
      });
      if (is_free) place.holes.push_back(hole);
    }
    std::sort(place.holes.begin(), place.holes.end(),
              [](Span x, Span y) { return x.begin < y.begin; });
    if (!place.holes.empty()) places.push_back(std::move(place));
  }
}

std::string_view gold_of(const Place& place, std::size_t i) {
  const Span hole = place.holes[i];
  return std::string_view(place.source->text).substr(hole.begin, hole.size());
}

// `text` becomes that of the place with nothing in its holes.
engine::InfillRequest request_for(const engine::Model& model, const Place& place,
                                  std::string& text) {
  engine::InfillRequest request;
  text.clear();
  std::size_t at = 0;
  for (std::size_t i = 0; i < place.holes.size(); ++i) {
    text.append(place.source->text, at, place.holes[i].begin - at);
    at = place.holes[i].end;
    const auto tokens = static_cast<int>(model.tokenizer()->encode(gold_of(place, i)).size());
    request.holes.push_back(
        {.begin = text.size(), .end = text.size(), .tokens = tokens, .hint = {}});
  }
  text.append(place.source->text, at);
  request.text = text;
  request.language = place.source->language->model_name;
  request.line_comment = place.source->language->line_comment;
  request.options.max_canvas = kCanvas;
  return request;
}

std::string trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  return std::string(text.substr(begin, end == std::string_view::npos ? 0 : end + 1 - begin));
}

// With what stood there in the place of what is withheld.
void keep_filled(const std::string& folder, const Place& place,
                 const engine::InfillRequest& request, daemon::CheckedInfill checked) {
  static int number = 0;
  const std::string path = folder + "/" + std::to_string(number++) + place.source->extension;
  for (std::size_t i = 0; i < place.holes.size(); ++i) {
    if (checked.holes[i].state == daemon::SyntaxState::Withheld) {
      checked.result.fills[i].text = gold_of(place, i);
    }
  }
  if (!write_file(path, engine::splice(request.text, request.holes, checked.result.fills))) {
    std::fprintf(stderr, "syntax_bench: cannot write %s\n", path.c_str());
  }
}

void measure(const engine::Model& model, const Place& place, const std::string& folder, Row& row) {
  const grammar::Grammar& grammar = *grammar::grammar_of(place.source->language);
  std::string text;
  const engine::InfillRequest request = request_for(model, place, text);
  const double begin = thread_seconds();
  const auto plain = daemon::checked_infill(model, request, {});
  const double between = thread_seconds();
  const auto checked = daemon::checked_infill(model, request, {.grammar = &grammar});
  if (!plain || !checked) return;
  if (!folder.empty()) keep_filled(folder, place, request, *checked);
  grammar::Gate judge(grammar, place.source->text, place.holes);
  std::vector<std::string> right;  // what stood there
  std::vector<std::string> shown;  // that where a fill is withheld
  for (std::size_t i = 0; i < place.holes.size(); ++i) {
    right.emplace_back(gold_of(place, i));
    const bool withheld = checked->holes[i].state == daemon::SyntaxState::Withheld;
    shown.push_back(withheld ? right.back() : checked->result.fills[i].text);
  }
  const bool all_parse = judge.passes(shown);
  for (std::size_t i = 0; i < place.holes.size(); ++i) {
    const std::string gold = trimmed(gold_of(place, i));
    const auto passes = [&](const std::string& fill) {
      std::vector<std::string> fills = right;
      fills[i] = fill;
      return judge.passes(fills);
    };
    const std::string& without = plain->result.fills[i].text;
    const std::string& with = checked->result.fills[i].text;
    ++row.fills;
    row.parse_without += passes(without) ? 1 : 0;
    row.exact_without += trimmed(without) == gold ? 1 : 0;
    if (checked->holes[i].state != daemon::SyntaxState::Withheld) {
      ++row.shown;
      row.constrained_parse += checked->holes[i].repairs == 0 ? 1 : 0;
      row.parse_with += all_parse ? 1 : 0;
      row.exact_with += trimmed(with) == gold ? 1 : 0;
    }
    row.repaired += checked->holes[i].repairs > 0 ? 1 : 0;
  }
  row.steps += checked->result.steps;
  row.constraint_seconds += checked->constraint.seconds;
  row.gate_seconds += checked->gate_seconds;
  row.denoise_seconds += between - begin;
}

double percent(int part, int whole) { return whole == 0 ? 0 : 100.0 * part / whole; }

void print(const std::string& name, const Row& row) {
  const int fills = std::max(1, row.fills);
  std::printf(
      "| %s | %d | %.1f %% | %.1f %% | %.1f %% | %.1f %% | %.1f %% | %.1f %% | %.3f ms | %.1f %% | %.2f ms |\n",
      name.c_str(), row.fills, percent(row.parse_without, row.fills),
      percent(row.constrained_parse, row.fills), percent(row.shown, row.fills),
      percent(row.parse_with, row.shown), percent(row.exact_without, row.fills),
      percent(row.exact_with, row.fills), 1e3 * row.constraint_seconds / std::max(1, row.steps),
      100 * row.constraint_seconds / std::max(1e-9, row.denoise_seconds),
      1e3 * row.gate_seconds / fills);
  std::fflush(stdout);
}

void add(const Row& row, Row& sum) {
  sum.fills += row.fills;
  sum.parse_without += row.parse_without;
  sum.exact_without += row.exact_without;
  sum.shown += row.shown;
  sum.parse_with += row.parse_with;
  sum.exact_with += row.exact_with;
  sum.constrained_parse += row.constrained_parse;
  sum.steps += row.steps;
  sum.constraint_seconds += row.constraint_seconds;
  sum.gate_seconds += row.gate_seconds;
  sum.denoise_seconds += row.denoise_seconds;
}

int run(const std::string& folder, std::size_t fills, int n_holes, const std::string& keep,
        const std::vector<std::string>& paths) {
  kernels::CpuContext context(kernels::best_isa(), engine::default_threads());
  const auto model = engine::Model::load(
      folder, context,
      {.format = kernels::WeightFormat::F32, .precision = kernels::Precision::F32});
  if (!model) {
    std::fprintf(stderr, "syntax_bench: %s\n", model.error().message.c_str());
    return 1;
  }
  const std::vector<Source> sources = read_sources(paths);
  std::map<std::string, std::vector<Place>> places;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    std::vector<Place>& of_language = places[std::string(sources[i].language->name)];
    if (of_language.size() < fills) add_places(sources[i], i, n_holes, of_language);
  }
  std::printf(
      "| language | fills | parse without | with constraint | shown | of them parse | exact match "
      "without | with | constraint a step | of the fill | gate a fill |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n");
  Row sum;
  for (const auto& [name, of_language] : places) {
    Row row;
    for (std::size_t i = 0; i < of_language.size() && static_cast<std::size_t>(row.fills) < fills;
         ++i) {
      measure(*model, of_language[i], keep, row);
    }
    print(name, row);
    add(row, sum);
  }
  print("all", sum);
  return 0;
}

}  // namespace
}  // namespace lacuna

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  std::string keep;
  if (arguments.size() > 1 && arguments[0] == "--keep") {
    keep = arguments[1];
    arguments.erase(arguments.begin(), arguments.begin() + 2);
  }
  const bool enough = arguments.size() > 3;
  const long fills = enough ? std::strtol(arguments[1].c_str(), nullptr, 10) : 0;
  const long holes = enough ? std::strtol(arguments[2].c_str(), nullptr, 10) : 0;
  if (fills < 1 || holes < 1 || holes > 16) {
    std::fprintf(
        stderr,
        "usage: syntax_bench [--keep FOLDER] MODEL_FOLDER FILLS_PER_LANGUAGE HOLES PATH...\n");
    return 2;
  }
  return lacuna::run(arguments[0], static_cast<std::size_t>(fills), static_cast<int>(holes), keep,
                     {arguments.begin() + 3, arguments.end()});
}
