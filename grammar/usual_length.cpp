#include "grammar/usual_length.h"

#include <algorithm>

namespace lacuna::grammar {
namespace {

struct Row {
  std::string_view language;  // empty: all
  HoleKind kind;
  std::optional<Edge> before;  // none, on both sides: all
  std::optional<Edge> after;
  UsualLength length;
};

constexpr Row kRows[] = {
#include "grammar/usual_lengths.inc"
};

bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return c == '_' || byte >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z');
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_one_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

// By the byte next to the hole, and the one beyond it.
Edge edge_of(char next, char beyond, bool blank_between) {
  if (is_word(next)) return blank_between ? Edge::Word : Edge::InWord;
  if (next == '.' || (next == ':' && beyond == ':')) return Edge::Dot;
  if (is_one_of(next, "([{")) return Edge::Open;
  if (is_one_of(next, ")]}")) return Edge::Close;
  if (is_one_of(next, ",;")) return Edge::Comma;
  if (is_one_of(next, "\"'`")) return Edge::Quote;
  return Edge::Other;
}

Edge edge_before(std::string_view text, std::size_t at) {
  const std::size_t begin = at;
  while (at > 0 && is_blank(text[at - 1])) --at;
  if (at == 0 || is_one_of(text[at - 1], "\r\n")) return Edge::Line;
  const char next = text[at - 1];
  const char beyond = at > 1 ? text[at - 2] : '\0';
  if (next == '>' && beyond == '-') return Edge::Dot;
  if (next == '=' && !is_one_of(beyond, "=!<>")) return Edge::Assign;
  if ((next == '>' && beyond == '=') || (next == ':' && beyond != ':')) return Edge::Assign;
  return edge_of(next, beyond, at < begin);
}

Edge edge_after(std::string_view text, std::size_t at) {
  const std::size_t begin = at;
  while (at < text.size() && is_blank(text[at])) ++at;
  if (at == text.size() || is_one_of(text[at], "\r\n")) return Edge::Line;
  const char next = text[at];
  const char beyond = at + 1 < text.size() ? text[at + 1] : '\0';
  if ((next == '-' && beyond == '>') || (next == '?' && beyond == '.')) return Edge::Dot;
  if (next == '=' && beyond != '=') return Edge::Assign;
  if (is_one_of(next, ":+-*/|&") && beyond == '=') return Edge::Assign;
  if (next == ':' && beyond != ':') return Edge::Assign;
  return edge_of(next, beyond, at > begin);
}

}  // namespace

HoleShape shape_of(std::string_view text, Span hole, HoleKind kind) {
  return {
      .kind = kind, .before = edge_before(text, hole.begin), .after = edge_after(text, hole.end)};
}

std::optional<UsualLength> usual_length(std::string_view language, const HoleShape& shape) {
  const auto find = [&](std::string_view of, std::optional<Edge> before,
                        std::optional<Edge> after) -> const Row* {
    const Row* const end = std::end(kRows);
    const Row* const row = std::find_if(std::begin(kRows), end, [&](const Row& it) {
      return it.language == of && it.kind == shape.kind && it.before == before && it.after == after;
    });
    return row == end ? nullptr : row;
  };
  const Row* row = find(language, shape.before, shape.after);
  if (row == nullptr) row = find({}, shape.before, shape.after);
  if (row == nullptr) row = find({}, std::nullopt, std::nullopt);
  return row == nullptr ? std::nullopt : std::optional(row->length);
}

}  // namespace lacuna::grammar
