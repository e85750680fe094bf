#include "cli/debug_holes.h"

#include <nlohmann/json.hpp>

#include "cli/fill.h"
#include "cli/position.h"
#include "grammar/holes.h"

namespace lacuna::cli {
namespace {

using Json = nlohmann::ordered_json;

Json place_json(std::string_view text, const LineIndex& lines, std::size_t byte) {
  const Position position = position_of(text, lines, byte);
  return {{"byte", byte}, {"line", position.line}, {"column", position.column}};
}

Json span_json(std::string_view text, const LineIndex& lines, grammar::Span span) {
  return {{"begin", place_json(text, lines, span.begin)},
          {"end", place_json(text, lines, span.end)}};
}

Result<grammar::Span> bytes_of(std::string_view text, const LineIndex& lines, Position begin,
                               Position end) {
  const auto first = byte_offset(text, lines, begin);
  if (!first) return first.error();
  const auto last = byte_offset(text, lines, end);
  if (!last) return last.error();
  if (*last < *first) return fail(ErrorCode::InvalidInput, "the span ends before its begin");
  return grammar::Span{*first, *last};
}

Result<std::vector<grammar::PickedHole>> picked(std::string_view text, const LineIndex& lines,
                                                const grammar::SyntaxTree& tree,
                                                const HolesQuestion& question) {
  std::vector<std::size_t> cursors;
  for (const std::string& at : question.at) {
    const auto place = parse_position(at);
    if (!place) return place.error();
    const auto span = bytes_of(text, lines, *place, *place);
    if (!span) return span.error();
    cursors.push_back(span->begin);
  }
  std::vector<grammar::PickedHole> holes = grammar::holes_at_cursors(text, tree, cursors);
  for (const std::string& selection : question.spans) {
    const auto places = parse_span(selection);
    if (!places) return places.error();
    const auto span = bytes_of(text, lines, places->begin, places->end);
    if (!span) return span.error();
    holes.push_back(grammar::hole_of_selection(text, tree, *span));
  }
  for (const std::string& node : question.nodes) {
    auto found = grammar::holes_of_node(text, tree, node);
    if (!found) return found.error();
    holes.insert(holes.end(), found->begin(), found->end());
  }
  if (!holes.empty()) return holes;
  if (!question.stubs) {
    const auto markers = engine::find_markers(text, kMaxHoleTokens);
    if (!markers) return markers.error();
    std::vector<grammar::Span> spans;
    for (const engine::Hole& hole : *markers) spans.push_back({hole.begin, hole.end});
    if (!spans.empty()) return grammar::describe_holes(tree.grammar(), text, spans);
  }
  return grammar::stub_bodies(text, tree);
}

}  // namespace

Result<std::string> answer_holes(std::string_view text, const HolesQuestion& question) {
  const grammar::Grammar* grammar = grammar::grammar_of(language_named(question.language));
  if (grammar == nullptr) {
    std::string known;
    for (const auto& it : grammar::grammars()) known += " " + std::string(it->language().name);
    return fail(ErrorCode::InvalidInput,
                "there is no grammar for '" + question.language + "'; there are:" + known);
  }
  const auto tree = grammar::parse(*grammar, text);
  if (!tree) return fail(ErrorCode::InvalidInput, "the parser does not find its way in the text");
  const LineIndex lines(text);
  const auto holes = picked(text, lines, *tree, question);
  if (!holes) return holes.error();
  Json json = {
      {"language", grammar->language().name}, {"errors", Json::array()}, {"holes", Json::array()}};
  for (const grammar::SyntaxError& error : grammar::syntax_errors(*tree)) {
    Json item = span_json(text, lines, {error.begin, error.end});
    item["missing"] = error.missing;
    json["errors"].push_back(std::move(item));
  }
  for (const grammar::PickedHole& hole : *holes) {
    Json item = span_json(text, lines, hole.span);
    item["kind"] = grammar::name_of(hole.kind);
    item["node"] = hole.node;
    item["why"] = hole.why;
    item["item"] = hole.item_name;
    item["item_span"] = span_json(text, lines, hole.item);
    json["holes"].push_back(std::move(item));
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace lacuna::cli
