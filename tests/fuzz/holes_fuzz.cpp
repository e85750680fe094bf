// A language by the first byte, two places by the next four, then a text of any bytes. What is picked
// lies in the text and cuts no character and no line end, whatever is broken there; a fill of it is
// judged and tidied.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/gate.h"
#include "grammar/holes.h"
#include "grammar/rewrite.h"
#include "grammar/tidy_fill.h"
#include "support/text.h"

namespace {

using namespace lacuna::grammar;

void check(bool fact) {
  if (!fact) std::abort();
}

void check_border(std::string_view text, std::size_t at) {
  check(at <= text.size());
  if (at == 0 || at == text.size()) return;
  check(!(text[at - 1] == '\r' && text[at] == '\n'));
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, at); ++back) {
    check(lacuna::utf8_sequence_length(text.substr(at - back)) <= back);
  }
}

void check_hole(std::string_view text, const PickedHole& hole) {
  check(hole.span.begin <= hole.span.end);
  check_border(text, hole.span.begin);
  check_border(text, hole.span.end);
  check(hole.item.begin <= hole.item.end && hole.item.end <= text.size());
  check(!hole.why.empty());
}

void check_holes(std::string_view text, const std::vector<PickedHole>& holes) {
  for (const PickedHole& hole : holes) check_hole(text, hole);
}

// A part of a body, by certainties that the text itself gives.
void check_rewrite(std::string_view text, const SyntaxTree& tree, const PickedHole& body) {
  std::vector<float> certainty;
  for (const char c : text) certainty.push_back(static_cast<float>(c & 15) / 16);
  for (const double strength : {0.0, 0.3, 0.9}) {
    std::size_t at = body.span.begin;
    const std::vector<PickedHole> parts = least_certain(text, tree, body, certainty, strength);
    check(!parts.empty());
    for (const PickedHole& part : parts) {
      check_hole(text, part);
      check(part.span.begin >= at);
      at = part.span.end;
    }
  }
}

std::string without_blanks(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\t'; });
  return text;
}

// The text of `source` as a fill of a hole.
void check_fill(const Grammar& grammar, std::string_view text, Span hole, Span source) {
  const std::string fill(text.substr(source.begin, source.size()));
  const std::string tidy = tidy_fill(text, hole, fill);
  check(without_blanks(tidy) == without_blanks(fill));
  for (const std::size_t n : repeated_after(text, hole, fill)) check(n <= fill.size());
  Gate gate(grammar, text, {hole});
  if (!gate.works()) return;
  const std::vector<std::string> fills = {tidy};
  const std::vector<Problem> problems = gate.judge(fills);
  for (const Problem& problem : problems) {
    check(problem.hole == 0);
    check(problem.fill.begin <= problem.fill.end && problem.fill.end <= tidy.size());
  }
  check(gate.passes(fills) == problems.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kHead = 5;
  constexpr std::size_t kMostBytes = 2000;
  if (size < kHead || size > kHead + kMostBytes) return 0;
  const auto all = grammars();
  const Grammar& grammar = *all[data[0] % all.size()];
  const std::string_view text(reinterpret_cast<const char*>(data) + kHead, size - kHead);
  const std::size_t first = (data[1] + 256U * data[2]) % (text.size() + 1);
  const std::size_t second = (data[3] + 256U * data[4]) % (text.size() + 1);
  const Span span{std::min(first, second), std::max(first, second)};

  const auto tree = parse(grammar, text);
  if (!tree) return 0;
  const PickedHole at_cursor = hole_at_cursor(text, *tree, first);
  check_hole(text, at_cursor);
  check(at_cursor.span.begin <= first);
  check_hole(text, hole_of_selection(text, *tree, span));
  check_hole(text, hole_of_diagnostic(text, *tree, span));
  check_holes(text, stub_bodies(text, *tree));
  const std::vector<PickedHole> bodies = all_bodies(text, *tree);
  check_holes(text, bodies);
  if (!bodies.empty()) check_rewrite(text, *tree, bodies[second % bodies.size()]);
  const auto by_line = holes_of_node(text, *tree, std::to_string(1 + second % 8));
  if (by_line) check_holes(text, *by_line);
  const std::vector<Span> marked = {hole_of_selection(text, *tree, span).span};
  check(describe_holes(grammar, text, marked).size() == 1);
  check_fill(grammar, text, at_cursor.span, span);
  return 0;
}
