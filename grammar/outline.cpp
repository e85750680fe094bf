#include "grammar/outline.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <tree_sitter/api.h>

namespace lacuna::grammar {
namespace {

Span span_of(TSNode node) { return {ts_node_start_byte(node), ts_node_end_byte(node)}; }

bool has(const char* type, const char* part) { return std::strstr(type, part) != nullptr; }

bool is_comment(const char* type) { return has(type, "comment"); }

// Nodes whose leaves are text, not tokens. An interpolation in a string is code again.
bool begins_text(const char* type) {
  return is_comment(type) || (has(type, "string") && !has(type, "concatenated")) ||
         has(type, "char_literal") || has(type, "character_literal") || has(type, "heredoc_body") ||
         has(type, "regex");
}

bool begins_code(const char* type) {
  return has(type, "interpolation") || has(type, "substitution") || has(type, "expansion");
}

// What leaves_of() asks of a node's type, looked up once for each kind of node.
class TypeRoles {
 public:
  struct Roles {
    bool text, code, comment;
  };

  explicit TypeRoles(const SyntaxTree& tree)
      : known_(ts_language_symbol_count(ts_tree_language(tree.get()))) {}

  Roles of(TSNode node) {
    const TSSymbol symbol = ts_node_symbol(node);
    const char* type = ts_node_type(node);
    if (symbol >= known_.size()) return roles_of(type);  // an error
    if (!known_[symbol]) known_[symbol] = roles_of(type);
    return *known_[symbol];
  }

 private:
  static Roles roles_of(const char* type) {
    return {begins_text(type), begins_code(type), is_comment(type)};
  }

  std::vector<std::optional<Roles>> known_;
};

// Calls visit(node) for every node in the order of the text; it says whether to go into the node.
// Once `stop` is requested it ends.
template <class Visit>
void walk(const SyntaxTree& tree, const std::stop_token& stop, Visit visit) {
  TSTreeCursor cursor = ts_tree_cursor_new(ts_tree_root_node(tree.get()));
  for (bool done = false; !done && !stop.stop_requested();) {
    const bool into = visit(ts_tree_cursor_current_node(&cursor));
    if (into && ts_tree_cursor_goto_first_child(&cursor)) continue;
    while (!ts_tree_cursor_goto_next_sibling(&cursor)) {
      if (!ts_tree_cursor_goto_parent(&cursor)) {
        done = true;
        break;
      }
    }
  }
  ts_tree_cursor_delete(&cursor);
}

std::string_view capture_name(const TSQuery* query, std::uint32_t id) {
  std::uint32_t size = 0;
  const char* name = ts_query_capture_name_for_id(query, id, &size);
  return {name, size};
}

Item& item_of(std::vector<Item>& items, TSNode node) {
  const Span span = span_of(node);
  const auto found = std::find_if(items.begin(), items.end(), [&](const Item& it) {
    return it.span == span && it.kind == ts_node_type(node);
  });
  if (found != items.end()) return *found;
  return items.emplace_back(Item{.span = span, .kind = ts_node_type(node), .name = {}, .body = {}});
}

// A body that the grammar leaves out when it is empty: what stands before the last token.
Span missing_body(const std::vector<Leaf>& leaves, Span item) {
  const auto last = std::find_if(leaves.rbegin(), leaves.rend(),
                                 [&](const Leaf& it) { return it.end <= item.end; });
  if (last == leaves.rend() || last->begin <= item.begin) return {item.end, item.end};
  const auto before = last + 1;
  return {before == leaves.rend() ? last->begin : before->end, last->begin};
}

TSNode smallest_node(const SyntaxTree& tree, Span span) {
  return ts_node_descendant_for_byte_range(ts_tree_root_node(tree.get()),
                                           static_cast<std::uint32_t>(span.begin),
                                           static_cast<std::uint32_t>(span.end));
}

NodeView view(TSNode node) {
  return {.span = span_of(node),
          .kind = ts_node_type(node),
          .has_error = ts_node_has_error(node) || ts_node_is_error(node)};
}

}  // namespace

Outline outline_of(std::string_view text, const SyntaxTree& tree, const std::stop_token& stop) {
  Outline outline;
  const TSQuery* query = tree.grammar().query();
  TSQueryCursor* cursor = ts_query_cursor_new();
  ts_query_cursor_exec(cursor, query, ts_tree_root_node(tree.get()));
  for (TSQueryMatch match; !stop.stop_requested() && ts_query_cursor_next_match(cursor, &match);) {
    Item* item = nullptr;
    for (std::uint16_t i = 0; i < match.capture_count; ++i) {
      const TSNode node = match.captures[i].node;
      const std::string_view role = capture_name(query, match.captures[i].index);
      const Span span = span_of(node);
      if (role == "item") item = &item_of(outline.items, node);
      if (role == "name" && item != nullptr) item->name = text.substr(span.begin, span.size());
      if (role == "body" && item != nullptr) item->body = span;
      if (role == "block") outline.blocks.push_back(span);
      if (role == "arguments") outline.arguments.push_back(span);
    }
  }
  ts_query_cursor_delete(cursor);
  std::optional<std::vector<Leaf>> leaves;
  for (Item& item : outline.items) {
    if (item.body != Span{}) continue;
    if (!leaves) leaves = leaves_of(tree, stop);
    item.body = missing_body(*leaves, item.span);
  }
  std::stable_sort(outline.items.begin(), outline.items.end(), [](const Item& a, const Item& b) {
    return a.span.begin != b.span.begin ? a.span.begin < b.span.begin : a.span.end > b.span.end;
  });
  return outline;
}

const Item* item_around(const Outline& outline, Span span) {
  const Item* innermost = nullptr;
  for (const Item& item : outline.items) {
    if (item.span.contains(span)) innermost = &item;
  }
  return innermost;
}

std::vector<Leaf> leaves_of(const SyntaxTree& tree, const std::stop_token& stop) {
  std::vector<Leaf> leaves;
  Span string{};
  Span code{};
  TypeRoles types(tree);
  walk(tree, stop, [&](TSNode node) {
    const Span span = span_of(node);
    const TypeRoles::Roles type = types.of(node);
    if (type.text && ts_node_is_named(node) && span.end > string.end) string = span;
    if (type.code) code = span;
    if (ts_node_child_count(node) > 0) return true;
    if (span.size() == 0) return false;
    const bool in_code = code.contains(span) && string.contains(code) && !type.text;
    leaves.push_back({.begin = span.begin,
                      .end = span.end,
                      .type = ts_node_type(node),
                      .in_text = string.contains(span) && !in_code,
                      .comment = type.comment});
    return false;
  });
  return leaves;
}

NodeView node_around(const SyntaxTree& tree, Span span) {
  TSNode node = smallest_node(tree, span);
  for (;;) {
    const TSNode parent = ts_node_parent(node);
    if (ts_node_is_null(parent) || span_of(parent) != span_of(node)) return view(node);
    node = parent;
  }
}

std::optional<NodeView> statement_around(const SyntaxTree& tree, const Outline& outline,
                                         Span span) {
  TSNode node = smallest_node(tree, span);
  for (;;) {
    const TSNode parent = ts_node_parent(node);
    if (ts_node_is_null(parent)) return std::nullopt;
    const TSNode beyond = ts_node_parent(parent);
    const Span around = span_of(parent);
    // A block without brackets covers the same bytes as its only statement: the outermost is it.
    const bool is_block =
        ts_node_is_null(beyond) ||
        (span_of(beyond) != around &&
         std::find(outline.blocks.begin(), outline.blocks.end(), around) != outline.blocks.end());
    if (is_block && ts_node_is_named(node)) return view(node);
    node = parent;
  }
}

bool text_goes_on_after(const SyntaxTree& tree, Span span) {
  if (span.size() == 0) return false;
  TSNode node = smallest_node(tree, {span.end - 1, span.end + 1});
  for (; !ts_node_is_null(node); node = ts_node_parent(node)) {
    const Span around = span_of(node);
    if (around.begin < span.begin) return false;
    if (around.end > span.end && ts_node_is_named(node) && begins_text(ts_node_type(node))) {
      return true;
    }
  }
  return false;
}

Span top_level_around(std::string_view text, const SyntaxTree& tree, Span span) {
  const TSNode root = ts_tree_root_node(tree.get());
  if (ts_node_is_error(root) || text.empty()) return {0, text.size()};
  Span result = span;
  TSTreeCursor cursor = ts_tree_cursor_new(root);
  for (bool more = ts_tree_cursor_goto_first_child(&cursor); more;
       more = ts_tree_cursor_goto_next_sibling(&cursor)) {
    const Span child = span_of(ts_tree_cursor_current_node(&cursor));
    if (child.end < span.begin) continue;
    if (child.begin > span.end) break;
    result = {std::min(result.begin, child.begin), std::max(result.end, child.end)};
  }
  ts_tree_cursor_delete(&cursor);
  const std::size_t before =
      result.begin == 0 ? std::string_view::npos : text.rfind('\n', result.begin - 1);
  result.begin = before == std::string_view::npos ? 0 : before + 1;
  result.end = std::min(text.find('\n', result.end), text.size() - 1) + 1;
  return result;
}

std::vector<Span> nodes_of_kind(const SyntaxTree& tree, std::string_view kind) {
  std::vector<Span> spans;
  walk(tree, {}, [&](TSNode node) {
    if (ts_node_type(node) != kind || !ts_node_is_named(node)) return true;
    spans.push_back(span_of(node));
    return false;
  });
  return spans;
}

}  // namespace lacuna::grammar
