#include "grammar/holes.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include "support/text.h"

namespace lacuna::grammar {
namespace {

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

// The nearest place at or before `offset` where a text may be cut.
std::size_t boundary_before(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  if (offset > 0 && offset < text.size() && text[offset - 1] == '\r' && text[offset] == '\n') {
    return offset - 1;
  }
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, offset); ++back) {
    if (offset < text.size() && utf8_sequence_length(text.substr(offset - back)) > back) {
      return offset - back;
    }
  }
  return offset;
}

std::size_t boundary_after(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  while (offset < text.size() && boundary_before(text, offset) != offset) ++offset;
  return offset;
}

// Nodes may end inside a character or a line end where the text is broken.
Span whole_characters(std::string_view text, Span span) {
  return {boundary_before(text, span.begin), boundary_after(text, span.end)};
}

Span line_around(std::string_view text, std::size_t offset) {
  const std::size_t before =
      offset == 0 ? std::string_view::npos : text.find_last_of("\r\n", offset - 1);
  return {before == std::string_view::npos ? 0 : before + 1,
          std::min(text.find_first_of("\r\n", offset), text.size())};
}

std::size_t indentation_of(std::string_view text, Span line) {
  const std::string_view content = text.substr(line.begin, line.size());
  return std::min(content.find_first_not_of(" \t"), content.size());
}

Span trimmed(std::string_view text, Span span) {
  while (span.begin < span.end && is_blank(text.substr(span.begin, 1))) ++span.begin;
  while (span.begin < span.end && is_blank(text.substr(span.end - 1, 1))) --span.end;
  return span;
}

template <std::size_t N>
bool is_one_of(std::string_view word, const std::string_view (&words)[N]) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

bool is_open(std::string_view type) { return is_one_of(type, {"(", "[", "{", "${", "$(", "#{"}); }
bool is_close(std::string_view type) { return is_one_of(type, {")", "]", "}"}); }

// What ends a statement or the head of one, apart from brackets and line ends.
bool ends_statement(std::string_view type) {
  return is_one_of(type, {";", "then", "do", "end", "fi", "done", "esac", ";;", "elif", "elseif",
                          "else", "until"});
}

// A quote that is a token of its own.
bool is_quote(const Leaf& leaf) {
  const std::string_view type = leaf.type;
  return type.find_first_of("\"'`") != std::string_view::npos || type == "string_start" ||
         type == "string_end";
}

// Words after which a `:` or `{` at the end of the line opens a block.
bool opens_block(std::string_view word) {
  return is_one_of(
      word, {"if",    "elif",   "else",      "for",       "while",   "with",     "def",    "class",
             "try",   "except", "match",     "case",      "finally", "async",    "switch", "fn",
             "func",  "struct", "enum",      "impl",      "loop",    "function", "do",     "trait",
             "catch", "pub",    "interface", "namespace", "public",  "private",  "}"});
}

void name_item(std::string_view text, const Outline& outline, PickedHole& hole) {
  const Item* item = item_around(outline, hole.span);
  hole.item = item == nullptr ? Span{0, text.size()} : item->span;
  hole.item_name = item == nullptr ? std::string() : item->name;
}

// Looks at the tokens around a cursor.
class CursorPlace {
 public:
  CursorPlace(std::string_view text, const SyntaxTree& tree, const Outline& outline,
              const std::vector<Leaf>& leaves, std::size_t cursor)
      : text_(text),
        tree_(tree),
        cursor_(cursor),
        outline_(outline),
        leaves_(leaves),
        line_(line_around(text, cursor)) {
    const auto before = [&](const Leaf& it) { return it.begin < cursor_; };
    next_ = std::partition_point(leaves_.begin(), leaves_.end(), before) - leaves_.begin();
    find_bracket();
  }

  PickedHole pick() {
    PickedHole hole;
    hole.span = {cursor_, cursor_};
    if (in_text()) {
      hole.kind = HoleKind::Text;
      hole.span.end = end_of_text();
      hole.why = leaves_[next_ - 1].comment ? "the rest of the comment" : "the rest of the string";
    } else if (is_blank(text_.substr(line_.begin, line_.size()))) {
      pick_on_blank_line(hole);
    } else {
      pick_in_line(hole);
    }
    hole.span.end = boundary_after(text_, hole.span.end);
    name_item(text_, outline_, hole);
    name_item_before(hole);
    return hole;
  }

 private:
  bool has_previous() const { return next_ > 0; }
  std::string_view type(std::size_t i) const { return leaves_[i].type; }
  // A keyword in a broken text may be taken for a name: the word itself tells.
  std::string_view word(std::size_t i) const {
    return text_.substr(leaves_[i].begin, leaves_[i].end - leaves_[i].begin);
  }

  // What somebody is still writing may not reach to the cursor in the tree: what stands before it,
  // if the cursor is indented deeper.
  void name_item_before(PickedHole& hole) const {
    if (!has_previous()) return;
    const std::size_t before = leaves_[next_ - 1].begin;
    for (const Item& item : outline_.items) {
      const Span line = line_around(text_, item.span.begin);
      const bool deeper = cursor_ - line_.begin > indentation_of(text_, line);
      if (!item.span.contains({before, before}) || item.span.end > cursor_ || !deeper) continue;
      hole.item = {item.span.begin, std::max(item.span.end, hole.span.end)};
      hole.item_name = item.name;
    }
  }

  // The innermost bracket that is open at the cursor. In a text with errors it may be one that
  // somebody forgot to close long ago: a blank line ends it unless it is a block's.
  void find_bracket() {
    int depth = 0;
    std::size_t after = cursor_;
    for (std::size_t i = next_; i-- > 0;) {
      if (leaves_[i].in_text || leaves_[i].end > cursor_) continue;
      const bool gap = has_blank_line({leaves_[i].end, std::min(after, cursor_)});
      if (is_close(type(i))) ++depth;
      if (is_open(type(i)) && depth-- == 0) {
        if (type(i) != "{" && gap && tree_.has_error()) continue;
        bracket_ = i;
        return;
      }
      after = leaves_[i].begin;
    }
  }

  bool has_blank_line(Span span) const {
    const std::string_view between = text_.substr(span.begin, span.size());
    const std::size_t first = between.find('\n');
    if (first == std::string_view::npos) return false;
    const std::size_t second = between.find('\n', first + 1);
    return second != std::string_view::npos && is_blank(between);
  }

  // A literal's brace counts like a bracket.
  bool in_list() const {
    if (!bracket_) return false;
    if (type(*bracket_) != "{") return true;
    const Span brace{leaves_[*bracket_].begin, leaves_[*bracket_].end};
    for (const Span& block : outline_.blocks) {
      if (block.begin == brace.begin) return false;
    }
    for (const Span& list : outline_.arguments) {
      if (list.begin == brace.begin) return true;
    }
    const std::string_view before = *bracket_ == 0 ? std::string_view() : type(*bracket_ - 1);
    return is_one_of(before, {"=", "(", ",", "[", ":", "return", ":="});
  }

  bool in_text() const {
    if (!has_previous()) return false;
    const Leaf& before = leaves_[next_ - 1];
    if (!before.in_text) return false;
    if (before.end > cursor_) return true;
    // Between two leaves of one string, or at the end of a line comment.
    if (next_ < leaves_.size() && leaves_[next_].in_text && leaves_[next_].begin == cursor_ &&
        !leaves_[next_].comment) {
      return opens_string(before);
    }
    return before.comment && before.end == cursor_ && !text_.substr(before.begin).starts_with("/*");
  }

  // Whether a leaf is not the last one of its string.
  bool opens_string(const Leaf& leaf) const {
    std::size_t quotes = 0;
    for (std::size_t i = next_; i > 0 && leaves_[i - 1].in_text; --i) {
      quotes += is_quote(leaves_[i - 1]) ? 1 : 0;
    }
    return !is_quote(leaf) || quotes % 2 == 1;
  }

  std::size_t end_of_text() const {
    const Leaf& before = leaves_[next_ - 1];
    if (before.end <= cursor_ && before.comment) return line_.end;
    std::size_t end = cursor_;
    if (before.end > cursor_) end = before.end;
    // Content ends at its closing quote, which is a leaf of its own; a comment has none.
    if (before.comment && text_.substr(before.begin, before.end - before.begin).ends_with("*/")) {
      end = std::max(cursor_, end - 2);
    }
    for (std::size_t i = next_; i < leaves_.size() && leaves_[i].in_text && !leaves_[i].comment;
         ++i) {
      if (is_quote(leaves_[i])) break;
      end = leaves_[i].end;
    }
    if (before.end > cursor_ && next_ - 1 < leaves_.size() && is_whole_string(before)) {
      end = std::max(cursor_, before.end - 1);
    }
    return trimmed(text_, {cursor_, std::min(end, line_.end)}).end;
  }

  // Some grammars have strings as one token, quotes and all.
  bool is_whole_string(const Leaf& leaf) const {
    if (leaf.comment || leaf.end - leaf.begin < 2) return false;
    const char first = text_[leaf.begin];
    return text_.find_first_of("\"'`", leaf.begin) == leaf.begin && text_[leaf.end - 1] == first;
  }

  void pick_on_blank_line(PickedHole& hole) const {
    hole.span.end = line_.end;
    if (in_list()) {
      hole.kind = HoleKind::Arguments;
      hole.why = "elements of the list";
      return;
    }
    if (opens_empty_body()) {
      hole.kind = HoleKind::Body;
      hole.why = "an empty body";
      return;
    }
    const bool last = next_ >= leaves_.size() || is_close(type(next_)) ||
                      ends_statement(type(next_)) || is_outside(leaves_[next_]);
    hole.kind = last ? HoleKind::Block : HoleKind::Statement;
    hole.why = last ? "the rest of the block" : "a statement";
  }

  // The next token stands further to the left than the cursor: the block ends before it.
  bool is_outside(const Leaf& leaf) const {
    const Span line = line_around(text_, leaf.begin);
    return indentation_of(text_, line) < cursor_ - line_.begin;
  }

  bool opens_empty_body() const {
    if (!has_previous()) return false;
    const std::string_view before = type(next_ - 1);
    if (before == "{") return next_ >= leaves_.size() || type(next_) == "}";
    if (before == ":" || before == "then" || before == "do" || before == ")") {
      const bool indented = indentation_of(text_, line_) >
                            indentation_of(text_, line_around(text_, leaves_[next_ - 1].begin));
      if (before == ")" && !is_head(next_ - 1)) return false;
      return indented &&
             (next_ >= leaves_.size() || is_outside(leaves_[next_]) || ends_statement(type(next_)));
    }
    return false;
  }

  // Whether the line of a token begins as the head of a block.
  bool is_head(std::size_t i) const {
    const std::size_t first = first_of_line(leaves_[i].begin);
    return opens_block(word(first));
  }

  std::size_t first_of_line(std::size_t offset) const {
    const Span line = line_around(text_, offset);
    const auto found = std::partition_point(leaves_.begin(), leaves_.end(),
                                            [&](const Leaf& it) { return it.begin < line.begin; });
    return static_cast<std::size_t>(found - leaves_.begin());
  }

  void pick_in_line(PickedHole& hole) const {
    const bool in_word = has_previous() && leaves_[next_ - 1].end > cursor_;
    if (in_word) hole.span.end = leaves_[next_ - 1].end;
    const bool list = in_list();
    const std::size_t first = first_of_line(cursor_);
    const bool at_start = !in_word && first == next_;
    hole.span.end = std::max(hole.span.end, end_of_rest(list));
    if (list) {
      const bool fresh =
          !in_word && has_previous() && (next_ - 1 == *bracket_ || type(next_ - 1) == ",");
      hole.kind = fresh && hole.span.end == cursor_ ? HoleKind::Arguments : HoleKind::Expression;
      hole.why = hole.kind == HoleKind::Arguments ? "arguments between the brackets"
                                                  : "the rest of the argument";
      return;
    }
    hole.kind = at_start ? HoleKind::Statement : HoleKind::Expression;
    hole.why = at_start ? "the statement" : "the rest of the statement";
    if (!at_start && has_previous() && next_ < leaves_.size() && type(next_ - 1) == "{" &&
        type(next_) == "}") {
      hole.kind = HoleKind::Body;
      hole.why = "an empty body";
    }
  }

  // The end of the last token that belongs to what goes on after the cursor.
  std::size_t end_of_rest(bool list) const {
    const std::size_t limit = list ? end_of_list() : end_of_statement();
    std::size_t end = cursor_;
    int depth = 0;
    for (std::size_t i = next_; i < leaves_.size() && leaves_[i].begin < limit; ++i) {
      const std::string_view token = type(i);
      if (leaves_[i].comment) break;
      if (!leaves_[i].in_text) {
        if (is_close(token) && depth-- == 0) break;
        if (depth == 0 && ends_rest(i, list)) break;
        if (is_open(token)) ++depth;
      }
      end = std::min(leaves_[i].end, limit);
    }
    return end;
  }

  bool ends_rest(std::size_t i, bool list) const {
    const std::string_view token = type(i);
    if (list) return token == ",";
    if (ends_statement(token)) return true;
    // What opens a block stands at the end of its line; a slice or a literal rather does not. So
    // does what parts the arms of a match.
    const bool at_line_end =
        i + 1 >= leaves_.size() || line_around(text_, leaves_[i].begin).end <= leaves_[i + 1].begin;
    if (token == "," && at_line_end) return true;
    return (token == ":" || token == "{") && at_line_end && is_head(i);
  }

  // Lists reach over lines where they are closed and what is between is indented; else to the end
  // of the line.
  std::size_t end_of_list() const {
    int depth = 0;
    const std::size_t margin = indentation_of(text_, line_around(text_, leaves_[*bracket_].begin));
    for (std::size_t i = next_; i < leaves_.size(); ++i) {
      if (leaves_[i].in_text) continue;
      const Span line = line_around(text_, leaves_[i].begin);
      const bool closes = is_close(type(i)) && depth == 0;
      const std::size_t indentation = indentation_of(text_, line);
      if (line.begin > cursor_ && indentation <= margin && !(closes && indentation == margin))
        break;
      if (closes) return leaves_[i].begin;
      depth += (is_open(type(i)) ? 1 : 0) - (is_close(type(i)) ? 1 : 0);
    }
    return line_.end;
  }

  std::size_t end_of_statement() const {
    const auto statement = statement_around(tree_, outline_, {cursor_, cursor_});
    const bool whole = statement && !statement->has_error && statement->span.begin < cursor_ &&
                       statement->span.end > line_.end && goes_on_below();
    return whole ? first_line_end_of_block(*statement) : line_.end;
  }

  // Whether the next line may belong to what stands before a cursor at the end of its line. Behind
  // `x =` a parser takes the next statement for the value.
  bool goes_on_below() const {
    std::size_t i = next_;
    while (i < leaves_.size() && leaves_[i].comment) ++i;
    if (i >= leaves_.size() || leaves_[i].begin < line_.end || leaves_[i].in_text) return true;
    if (is_close(type(i)) || is_one_of(type(i), {"{", ".", "?.", "->", "&&", "||", "?", ":"})) {
      return true;
    }
    const Span line = line_around(text_, leaves_[i].begin);
    return indentation_of(text_, line) > indentation_of(text_, line_);
  }

  // A statement with blocks in it is not masked as a whole.
  std::size_t first_line_end_of_block(const NodeView& statement) const {
    for (const Span& block : outline_.blocks) {
      if (statement.span.contains(block) && block.begin >= cursor_) {
        return std::max(line_.end, block.begin);
      }
    }
    return statement.span.end;
  }

  std::string_view text_;
  const SyntaxTree& tree_;
  std::size_t cursor_;
  const Outline& outline_;
  const std::vector<Leaf>& leaves_;
  Span line_;
  std::size_t next_ = 0;                // the first leaf at or after the cursor
  std::optional<std::size_t> bracket_;  // index of the leaf
};

// What stands between the brackets of a body, without a docstring and the blank space around; in an
// empty one that has a line of its own the place on that line.
Span inner_body(std::string_view text, const std::vector<Leaf>& leaves, Span body) {
  const auto first = std::partition_point(leaves.begin(), leaves.end(),
                                          [&](const Leaf& it) { return it.begin < body.begin; });
  Span inner = body;
  if (first != leaves.end() && first->begin == body.begin && first->end <= body.end &&
      std::string_view(first->type) == "{") {
    inner.begin = first->end;
    if (text.substr(body.begin, body.size()).ends_with("}")) --inner.end;
  }
  Span content = trimmed(text, inner);
  // Where no bracket opens a body, comments before its first statement do not count to it.
  for (auto leaf = first; inner == body && leaf != leaves.begin(); --leaf) {
    const Leaf& before = *(leaf - 1);
    const Span line = line_around(text, before.begin);
    if (!before.comment || !is_blank(text.substr(line.begin, before.begin - line.begin))) break;
    content.begin = before.begin;
  }
  if (content.size() > 0) return content;
  const std::size_t line_end = text.find('\n', inner.begin);
  if (line_end == std::string_view::npos || line_end >= inner.end) return inner;
  const Span line = line_around(text, line_end + 1);
  if (line.end >= inner.end) return inner;
  return {line.end, line.end};
}

// A string that stands first in a Python body.
Span without_docstring(std::string_view text, const SyntaxTree& tree, const Outline& outline,
                       Span body) {
  if (tree.grammar().language().name != "python") return body;
  const std::string_view start = text.substr(body.begin, std::min<std::size_t>(body.size(), 4));
  const std::size_t quote = start.find_first_of("\"'");
  if (quote == std::string_view::npos || quote > 1) return body;
  const auto first = statement_around(tree, outline, {body.begin, body.begin + 1});
  if (!first || first->span.end >= body.end) return body;
  return trimmed(text, {first->span.end, body.end});
}

PickedHole body_hole(std::string_view text, const SyntaxTree& tree, const Outline& outline,
                     const std::vector<Leaf>& leaves, const Item& item) {
  PickedHole hole;
  hole.span = whole_characters(
      text, without_docstring(text, tree, outline, inner_body(text, leaves, item.body)));
  hole.kind = HoleKind::Body;
  hole.node = item.kind;
  hole.why = "the body of " + item.name;
  hole.item = item.span;
  hole.item_name = item.name;
  return hole;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

// One statement, or a comment, that only holds a place.
bool is_stub_text(std::string_view text, bool comment) {
  constexpr std::size_t kLongest = 160;
  if (text.size() > kLongest && !comment) return false;
  const std::string low = lower(text);
  if (!comment && (low == "pass" || low == "..." || low == "pass;")) return true;
  for (const char* sign : {"todo", "fixme", "unimplemented", "not implemented", "notimplemented",
                           "your code", "implement me", "implement this"}) {
    if (low.find(sign) != std::string::npos) return true;
  }
  return false;
}

// Whether a body says of itself that it is still to be written, and nothing else. A class with
// such methods is none.
bool is_stub(std::string_view text, const SyntaxTree& tree, const Outline& outline,
             const std::vector<Leaf>& leaves, Span body) {
  for (const Item& item : outline.items) {
    if (body.contains(item.span)) return false;
  }
  bool any = false;
  std::size_t at = body.begin;
  while (at < body.end) {
    while (at < body.end && (is_blank(text.substr(at, 1)) || text[at] == ';')) ++at;
    if (at >= body.end) break;
    const auto leaf =
        std::find_if(leaves.begin(), leaves.end(), [&](const Leaf& it) { return it.end > at; });
    std::size_t end = body.end;
    bool comment = false;
    if (leaf != leaves.end() && leaf->begin <= at && leaf->comment) {
      end = std::min(leaf->end, body.end);
      comment = true;
    } else if (const auto statement = statement_around(tree, outline, {at, at + 1});
               statement && body.contains(statement->span)) {
      end = statement->span.end;
    }
    if (!is_stub_text(text.substr(at, end - at), comment)) return false;
    any = true;
    at = std::max(end, at + 1);
  }
  return any;
}

std::string with_dots(std::string_view name) {
  std::string result;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name.substr(i, 2) == "::") {
      result += '.';
      ++i;
    } else {
      result += name[i];
    }
  }
  return result;
}

// "A.f" for f in A.
std::string qualified_name(const Outline& outline, const Item& item) {
  std::string name = with_dots(item.name);
  for (auto outer = outline.items.rbegin(); outer != outline.items.rend(); ++outer) {
    if (&*outer != &item && outer->span.contains(item.span) && outer->span != item.span) {
      name = with_dots(outer->name) + "." + name;
    }
  }
  return name;
}

bool is_named(const Outline& outline, const Item& item, std::string_view name) {
  const std::string wanted = with_dots(name);
  const std::string full = qualified_name(outline, item);
  return full == wanted || item.name == name ||
         (full.size() > wanted.size() && full.ends_with("." + wanted));
}

}  // namespace

std::string_view name_of(HoleKind kind) {
  switch (kind) {
    case HoleKind::Expression:
      return "expression";
    case HoleKind::Arguments:
      return "arguments";
    case HoleKind::Statement:
      return "statement";
    case HoleKind::Block:
      return "block";
    case HoleKind::Body:
      return "body";
    case HoleKind::Text:
      return "text";
    case HoleKind::Other:
      return "other";
  }
  return "other";
}

PickedHole hole_at_cursor(std::string_view text, const SyntaxTree& tree, std::size_t cursor) {
  return holes_at_cursors(text, tree, {&cursor, 1}).front();
}

std::vector<PickedHole> holes_at_cursors(std::string_view text, const SyntaxTree& tree,
                                         std::span<const std::size_t> cursors,
                                         const std::stop_token& stop) {
  const Outline outline = outline_of(text, tree, stop);
  const std::vector<Leaf> leaves = leaves_of(tree, stop);
  std::vector<PickedHole> holes;
  holes.reserve(cursors.size());
  for (const std::size_t cursor : cursors) {
    if (stop.stop_requested()) return std::vector<PickedHole>(cursors.size());
    holes.push_back(CursorPlace(text, tree, outline, leaves, boundary_before(text, cursor)).pick());
  }
  return holes;
}

PickedHole hole_of_selection(std::string_view text, const SyntaxTree& tree, Span selection) {
  PickedHole hole;
  hole.span = whole_characters(text, selection);
  const Span inner = trimmed(text, hole.span);
  const NodeView node = node_around(tree, inner);
  hole.why = "the selection";
  if (inner.size() > 0 && node.span == inner) {
    hole.node = node.kind;
    hole.why = "the selected " + node.kind;
  }
  const Outline outline = outline_of(text, tree);
  const auto statement = statement_around(tree, outline, inner);
  if (inner.size() > 0 && statement) {
    hole.kind = statement->span == inner ? HoleKind::Statement : HoleKind::Expression;
  }
  name_item(text, outline, hole);
  return hole;
}

PickedHole hole_of_diagnostic(std::string_view text, const SyntaxTree& tree, Span range) {
  constexpr int kShortLines = 3;
  const Outline outline = outline_of(text, tree);
  const Span inner = trimmed(text, whole_characters(text, range));
  const auto statement = statement_around(tree, outline, inner);
  PickedHole hole;
  if (statement) {
    const std::string_view content = text.substr(statement->span.begin, statement->span.size());
    if (std::count(content.begin(), content.end(), '\n') < kShortLines) {
      hole.span = whole_characters(text, trimmed(text, statement->span));
      hole.kind = HoleKind::Statement;
      hole.node = statement->kind;
      hole.why = "the statement of the diagnostic";
      name_item(text, outline, hole);
      return hole;
    }
  }
  const NodeView node = node_around(tree, inner);
  const bool whole_file = node.span.size() > 2 * (inner.size() + 80);
  hole.span = whole_characters(text, whole_file ? inner : node.span);
  hole.kind = HoleKind::Expression;
  hole.node = whole_file ? std::string() : node.kind;
  hole.why = "the smallest node around the diagnostic";
  name_item(text, outline, hole);
  return hole;
}

Result<std::vector<PickedHole>> holes_of_node(std::string_view text, const SyntaxTree& tree,
                                              std::string_view name_line_or_kind) {
  const Outline outline = outline_of(text, tree);
  const std::vector<Leaf> leaves = leaves_of(tree);
  std::vector<PickedHole> holes;
  std::size_t line = 0;
  const auto [stop, error] =
      std::from_chars(name_line_or_kind.begin(), name_line_or_kind.end(), line);
  if (error == std::errc() && stop == name_line_or_kind.end()) {
    const LineIndex lines(text);
    if (line == 0 || line > lines.line_count()) {
      return fail(ErrorCode::NotFound, "there is no line " + std::string(name_line_or_kind));
    }
    const std::size_t begin = lines.line_begin(line - 1);
    const std::size_t first = begin + indentation_of(text, {begin, lines.line_end(line - 1)});
    const Item* item = item_around(outline, {first, first});
    if (item == nullptr) {
      return fail(ErrorCode::NotFound,
                  "line " + std::string(name_line_or_kind) + " is in no function or class");
    }
    holes.push_back(body_hole(text, tree, outline, leaves, *item));
    return holes;
  }
  std::size_t covered = 0;
  for (const Item& item : outline.items) {
    if (!is_named(outline, item, name_line_or_kind) || item.span.begin < covered) continue;
    holes.push_back(body_hole(text, tree, outline, leaves, item));
    covered = item.span.end;
  }
  if (!holes.empty()) return holes;
  for (const Span& span : nodes_of_kind(tree, name_line_or_kind)) {
    const auto item = std::find_if(outline.items.begin(), outline.items.end(), [&](const Item& it) {
      return it.span == span && it.kind == name_line_or_kind;
    });
    if (item != outline.items.end()) {
      holes.push_back(body_hole(text, tree, outline, leaves, *item));
      continue;
    }
    PickedHole hole = hole_of_selection(text, tree, trimmed(text, span));
    hole.node = name_line_or_kind;
    hole.why = "the " + std::string(name_line_or_kind);
    holes.push_back(std::move(hole));
  }
  if (holes.empty()) {
    return fail(ErrorCode::NotFound, "there is no function, class or kind of node named '" +
                                         std::string(name_line_or_kind) + "'");
  }
  return holes;
}

std::vector<PickedHole> all_bodies(std::string_view text, const SyntaxTree& tree) {
  const Outline outline = outline_of(text, tree);
  const std::vector<Leaf> leaves = leaves_of(tree);
  std::vector<PickedHole> holes;
  holes.reserve(outline.items.size());
  for (const Item& item : outline.items) {
    holes.push_back(body_hole(text, tree, outline, leaves, item));
  }
  return holes;
}

std::vector<PickedHole> stub_bodies(std::string_view text, const SyntaxTree& tree) {
  const Outline outline = outline_of(text, tree);
  const std::vector<Leaf> leaves = leaves_of(tree);
  std::vector<PickedHole> holes;
  for (const Item& item : outline.items) {
    PickedHole hole = body_hole(text, tree, outline, leaves, item);
    if (!is_stub(text, tree, outline, leaves, hole.span)) continue;
    hole.why = "the body of " + item.name + " is a stub";
    holes.push_back(std::move(hole));
  }
  return holes;
}

std::vector<PickedHole> describe_holes(const Grammar& grammar, std::string_view text,
                                       std::span<const Span> holes, const ParseLimits& limits) {
  std::string without;
  std::vector<std::size_t> places;
  std::size_t at = 0;
  for (const Span& hole : holes) {
    without += text.substr(at, hole.begin - at);
    places.push_back(without.size());
    at = hole.end;
  }
  without += text.substr(at);
  const auto tree = Parser(grammar).parse(without, nullptr, limits);
  std::vector<PickedHole> result(holes.size());
  if (tree) result = holes_at_cursors(without, *tree, places, limits.stop);
  // Offsets of the text without the holes, back in the one with them.
  const auto restored = [&](std::size_t offset, bool end) {
    std::size_t moved = offset;
    for (std::size_t i = 0; i < holes.size(); ++i) {
      if (places[i] < offset || (end && places[i] == offset)) moved += holes[i].size();
    }
    return moved;
  };
  for (std::size_t i = 0; i < holes.size(); ++i) {
    PickedHole& hole = result[i];
    hole.item = {restored(hole.item.begin, false), restored(hole.item.end, true)};
    hole.span = holes[i];
  }
  return result;
}

}  // namespace lacuna::grammar
