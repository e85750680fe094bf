#include "daemon/cursor_place.h"

#include <algorithm>

#include "grammar/holes.h"
#include "grammar/syntax_tree.h"

namespace lacuna::daemon {
namespace {

constexpr std::string_view kBlank = " \t\f\v";

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kBlank) == std::string_view::npos;
}

std::size_t indentation_of(std::string_view line) {
  return std::min(line.find_first_not_of(kBlank), line.size());
}

std::string_view line_before(std::string_view text, std::size_t cursor) {
  const std::string_view before = text.substr(0, cursor);
  return before.substr(before.find_last_of("\r\n") + 1);  // npos + 1 is 0
}

std::string_view line_after(std::string_view text, std::size_t cursor) {
  const std::string_view after = text.substr(cursor);
  return after.substr(0, after.find_first_of("\r\n"));
}

std::string_view without_blanks(std::string_view text) {
  text.remove_prefix(indentation_of(text));
  return text.substr(0, text.find_last_not_of(kBlank) + 1);
}

// A cheap look before anything is parsed.
bool may_have_several_lines(std::string_view before, std::string_view after) {
  if (is_blank(before) && is_blank(after)) return true;
  return without_blanks(before).ends_with("{") && without_blanks(after).starts_with("}");
}

}  // namespace

CursorPlace place_at_cursor(const grammar::Grammar* grammar, std::string_view text,
                            std::size_t cursor) {
  CursorPlace place;
  if (grammar == nullptr) return place;
  if (!may_have_several_lines(line_before(text, cursor), line_after(text, cursor))) return place;
  const auto tree = grammar::parse(*grammar, text);
  if (!tree) return place;
  const grammar::PickedHole hole = grammar::hole_at_cursor(text, *tree, cursor);
  place.several_lines =
      hole.kind == grammar::HoleKind::Body || hole.kind == grammar::HoleKind::Block;
  place.what = hole.why;
  return place;
}

std::string_view within_block(std::string_view text, std::size_t cursor, std::string_view fill) {
  const std::string_view before = line_before(text, cursor);
  const std::size_t margin = indentation_of(before);
  int depth = 0;
  for (std::size_t begin = 0; begin < fill.size();) {
    const std::size_t end = std::min(fill.find('\n', begin), fill.size());
    std::string_view line = fill.substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (begin > 0 && depth <= 0 && !is_blank(line) && indentation_of(line) < margin) {
      std::size_t cut = begin - 1;
      if (cut > 0 && fill[cut - 1] == '\r') --cut;
      return fill.substr(0, cut);
    }
    for (const char c : line) {
      if (c == '(' || c == '[' || c == '{') ++depth;
      if (c == ')' || c == ']' || c == '}') --depth;
    }
    begin = end + 1;
  }
  return fill;
}

}  // namespace lacuna::daemon
