// What a file consists of: its functions and classes, blocks and argument lists.
#pragma once

#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/syntax_tree.h"

namespace lacuna::grammar {

// Bytes [begin, end) of a text.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;

  bool contains(Span other) const { return begin <= other.begin && other.end <= end; }
  std::size_t size() const { return end - begin; }
  bool operator==(const Span&) const = default;
};

// A function, method, class, or the like.
struct Item {
  Span span;
  std::string kind;  // the node's, as in "function_definition"
  std::string name;  // as it stands in the text
  Span body;         // with its brackets, if it has any
};

struct Outline {
  std::vector<Item> items;  // by begin, an outer one before those in it
  std::vector<Span> blocks;
  std::vector<Span> arguments;  // lists between brackets
};

// Ends early once `stop` is requested.
Outline outline_of(std::string_view text, const SyntaxTree& tree, const std::stop_token& stop = {});

// The innermost item around a span. Null when there is none.
const Item* item_around(const Outline& outline, Span span);

// A token of the text.
struct Leaf {
  std::size_t begin;
  std::size_t end;
  const char* type;  // "identifier", "(", ...
  bool in_text;      // part of a string or a comment
  bool comment;
};

// All leaves of the tree that are not empty, in the order of the text. In a text with errors, what
// the parser skipped may be missing. Ends early once `stop` is requested.
std::vector<Leaf> leaves_of(const SyntaxTree& tree, const std::stop_token& stop = {});

// The smallest node around a span that has another kind of parent or another extent: outermost of
// those that cover the same bytes.
struct NodeView {
  Span span;
  std::string kind;
  bool has_error;
};

NodeView node_around(const SyntaxTree& tree, Span span);

// The smallest child of a block, or of the file, that contains the span: a statement or member.
// None when the span reaches over several.
std::optional<NodeView> statement_around(const SyntaxTree& tree, const Outline& outline, Span span);

// Whether a string or comment that begins in the span goes on after its end.
bool text_goes_on_after(const SyntaxTree& tree, Span span);

// The top-level nodes that a span touches, as whole lines: what a parser may look at instead of the
// whole text.
Span top_level_around(std::string_view text, const SyntaxTree& tree, Span span);

// The outermost nodes of a kind, in the order of the text.
std::vector<Span> nodes_of_kind(const SyntaxTree& tree, std::string_view kind);

}  // namespace lacuna::grammar
