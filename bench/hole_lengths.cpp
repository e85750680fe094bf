// How long what belongs in a hole is in real files, by the hole's kind and what stands around it:
// mean and deviation of the logarithm of bytes. Writes grammar/usual_lengths.inc.
//
//   hole_lengths PATH... > grammar/usual_lengths.inc
//
// PATHs are files or folders; of each language at most kFiles files that parse. From each file as
// many holes of each of the ways that people leave holes: a word, a node of the tree in a line, what
// is between brackets, the rest of a line, lines, a statement, the rest of a block, a body, the rest
// of a string. What kind of hole that is says describe_holes(), which sees the text without it, as
// for a fill.
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "grammar/usual_length.h"
#include "support/file.h"
#include "support/language.h"
#include "support/text.h"

namespace lacuna::grammar {
namespace {

constexpr std::size_t kMostBytes = 24 << 10;  // of a file: larger ones are often data
constexpr int kFiles = 160;                   // of a language
constexpr int kOfEach = 4;                    // holes of each way in a file
constexpr std::size_t kMostHole = 1500;       // bytes: more fits no hole
constexpr int kEnough = 60;                   // fewer tell nothing of a spread

constexpr std::array kEdgeNames = {"Line",  "InWord", "Word",   "Dot",   "Open",
                                   "Close", "Comma",  "Assign", "Quote", "Other"};
constexpr std::array kKindNames = {"Expression", "Arguments", "Statement", "Block", "Body", "Text"};

struct Moments {
  int n = 0;
  double sum = 0;
  double squares = 0;

  void add(double value) {
    ++n;
    sum += value;
    squares += value * value;
  }
  double mean() const { return sum / n; }
  double deviation() const { return std::sqrt(std::max(0.0, squares / n - mean() * mean())); }
};

// Kind, and the edges or -1 for all.
using Shape = std::tuple<int, int, int>;
using Table = std::map<std::string, std::map<Shape, Moments>>;  // "" is all languages

std::size_t line_end(std::string_view text, std::size_t at) {
  return std::min(text.find_first_of("\r\n", at), text.size());
}

bool begins_line(std::string_view text, std::size_t at) {
  const std::size_t before =
      at == 0 ? std::string_view::npos : text.find_last_not_of(" \t", at - 1);
  return before == std::string_view::npos || text[before] == '\n';
}

Span trimmed(std::string_view text, Span span) {
  const auto is_blank = [&](std::size_t i) {
    return std::isspace(static_cast<unsigned char>(text[i]));
  };
  while (span.begin < span.end && is_blank(span.begin)) ++span.begin;
  while (span.begin < span.end && is_blank(span.end - 1)) --span.end;
  return span;
}

// The statements of the innermost block from `at` on.
Span rest_of_block(std::string_view text, const Outline& outline, std::size_t at) {
  Span innermost{0, text.size() + 1};
  for (const Span& block : outline.blocks) {
    if (block.begin <= at && at < block.end && block.size() <= innermost.size()) innermost = block;
  }
  if (innermost.size() > text.size()) return {at, at};
  if (text[innermost.begin] == '{' && text[innermost.end - 1] == '}') --innermost.end;
  return trimmed(text, {at, std::max(at, innermost.end)});
}

// Two to six lines from `at` on, none of them indented less than the first.
Span lines_from(std::string_view text, std::size_t at, std::mt19937& random) {
  const std::size_t before = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  const std::size_t margin = at - (before == std::string_view::npos ? 0 : before + 1);
  Span lines{at, line_end(text, at)};
  for (auto more = 1 + random() % 5; more > 0; --more) {
    const std::size_t first = text.find_first_not_of(" \t\r\n", lines.end);
    if (first == std::string_view::npos) break;
    const std::size_t begin = text.rfind('\n', first) + 1;
    if (first - begin < margin) break;
    lines.end = line_end(text, first);
  }
  return lines;
}

// For each way all the holes that a file has, or many of them.
std::vector<std::vector<Span>> holes_of(std::string_view text, const SyntaxTree& tree,
                                        std::mt19937& random) {
  const Outline outline = outline_of(text, tree);
  const std::vector<Leaf> leaves = leaves_of(tree);
  std::vector<Span> words, nodes, lists, rests, lines, statements, blocks, bodies, texts;
  for (const PickedHole& body : all_bodies(text, tree)) bodies.push_back(body.span);
  for (const Span& list : outline.arguments) {
    if (list.size() > 2) lists.push_back(trimmed(text, {list.begin + 1, list.end - 1}));
  }
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const Leaf& leaf = leaves[i];
    if (leaf.comment) continue;
    const std::size_t end = line_end(text, leaf.begin);
    if (leaf.in_text) {
      const std::size_t middle = (leaf.begin + leaf.end) / 2;
      if (leaf.end <= end && leaf.end - leaf.begin > 2) texts.push_back({middle, leaf.end});
      continue;
    }
    if (std::isalpha(static_cast<unsigned char>(text[leaf.begin])) || text[leaf.begin] == '_') {
      words.push_back({leaf.begin, leaf.end});
    }
    const std::size_t last = std::min(leaves.size() - 1, i + 1 + random() % 8);
    if (leaves[last].end <= end) {
      nodes.push_back(node_around(tree, {leaf.begin, leaves[last].end}).span);
    }
    const auto statement = statement_around(tree, outline, {leaf.begin, leaf.begin + 1});
    if (!statement) continue;
    if (statement->span.begin != leaf.begin) {
      // As a cursor that has come so far: behind a blank, a bracket, or in the middle of a word.
      const std::size_t at = i % 4 == 0 ? (leaf.begin + leaf.end) / 2 : leaf.begin;
      rests.push_back({at, std::min(end, statement->span.end)});
      continue;
    }
    if (!begins_line(text, leaf.begin)) continue;
    statements.push_back(statement->span);
    lines.push_back({leaf.begin, end});
    lines.push_back(lines_from(text, leaf.begin, random));
    blocks.push_back(rest_of_block(text, outline, leaf.begin));
  }
  return {words, nodes, lists, rests, lines, statements, blocks, bodies, texts};
}

void measure(const Grammar& grammar, const std::string& text, const SyntaxTree& tree,
             std::mt19937& random, Table& table) {
  for (std::vector<Span>& way : holes_of(text, tree, random)) {
    std::shuffle(way.begin(), way.end(), random);
    int taken = 0;
    for (const Span& hole : way) {
      if (hole.size() == 0 || hole.size() > kMostHole) continue;
      if (taken++ == kOfEach) break;
      const PickedHole place = describe_holes(grammar, text, {&hole, 1}).front();
      if (place.kind == HoleKind::Other) continue;
      const HoleShape shape = shape_of(text, hole, place.kind);
      const auto logarithm = std::log(static_cast<double>(hole.size()));
      const Shape exact = {static_cast<int>(shape.kind), static_cast<int>(shape.before),
                           static_cast<int>(shape.after)};
      table[std::string(grammar.language().name)][exact].add(logarithm);
      table[""][exact].add(logarithm);
      table[""][{static_cast<int>(shape.kind), -1, -1}].add(logarithm);
    }
  }
}

void print(const Table& table) {
  const auto edge = [](int it) {
    return it < 0 ? std::string("std::nullopt")
                  : "Edge::" + std::string(kEdgeNames[static_cast<std::size_t>(it)]);
  };
  for (const auto& [language, shapes] : table) {
    for (const auto& [shape, moments] : shapes) {
      const auto& [kind, before, after] = shape;
      if (moments.n < kEnough && before >= 0) continue;
      std::printf("{\"%s\", HoleKind::%s, %s, %s, {%.2f, %.2f, %d}},\n", language.c_str(),
                  kKindNames[static_cast<std::size_t>(kind)], edge(before).c_str(),
                  edge(after).c_str(), moments.mean(), moments.deviation(), moments.n);
    }
  }
}

std::vector<std::string> files_in(const std::vector<std::string>& paths) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (!fs::is_directory(path)) files.push_back(path);
    if (!fs::is_directory(path)) continue;
    for (const auto& it : fs::recursive_directory_iterator(path)) {
      if (it.is_regular_file() && !it.is_symlink()) files.push_back(it.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

int run(const std::vector<std::string>& paths) {
  std::mt19937 random(1);
  std::vector<std::string> files = files_in(paths);
  std::shuffle(files.begin(), files.end(), random);
  std::map<std::string_view, int> taken;
  Table table;
  for (const std::string& file : files) {
    const auto text = read_file(file, kMostBytes);
    if (!text || text->empty() || !is_valid_utf8(*text)) continue;
    const Language* language = language_of_file(file, *text);
    const Grammar* grammar = grammar_of(language);
    if (grammar == nullptr || taken[language->name] == kFiles) continue;
    const auto tree = parse(*grammar, *text);
    if (!tree || tree->has_error()) continue;
    measure(*grammar, *text, *tree, random, table);
    ++taken[language->name];
  }
  std::string counts;
  for (const auto& [language, n] : taken) {
    counts += (counts.empty() ? "" : ", ") + std::string(language) + " " + std::to_string(n);
  }
  std::printf("// Written by hole_lengths; files: %s.\n", counts.c_str());
  print(table);
  return taken.empty() ? 1 : 0;
}

}  // namespace
}  // namespace lacuna::grammar

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: hole_lengths PATH... > grammar/usual_lengths.inc\n");
    return 2;
  }
  return lacuna::grammar::run({argv + 1, argv + argc});
}
