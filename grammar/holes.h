// Which bytes of a text to mask: from a place to holes. Pure functions of text, tree and place.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/outline.h"
#include "support/result.h"

namespace lacuna::grammar {

enum class HoleKind : std::uint8_t {
  Expression,  // the rest of an expression
  Arguments,   // arguments between brackets
  Statement,
  Block,  // statements up to the end of a block
  Body,   // all of the body of a function or class
  Text,   // in a string or a comment
  Other,  // whatever was selected
};

std::string_view name_of(HoleKind kind);  // "expression", "arguments", ...

// A hole never begins or ends inside a UTF-8 sequence or between the bytes of a CRLF.
struct PickedHole {
  Span span;
  HoleKind kind = HoleKind::Other;
  std::string node;       // the kind of the node, where the hole is one or its body; may be empty
  std::string why;        // for a person, as in "the body of parse"
  Span item;              // the enclosing function or class; the whole text where there is none
  std::string item_name;  // empty where there is none
};

// What belongs at a cursor: the rest of the word, expression, argument, statement or block, or an
// empty body. What it masks begins at the cursor and ends on the cursor's line unless the code
// after it is a whole that goes on. Works from the tokens around the cursor, so the text may be
// broken there. `cursor` is a byte offset; past the end counts as the end.
PickedHole hole_at_cursor(std::string_view text, const SyntaxTree& tree, std::size_t cursor);

// The same for each of several cursors; the text is gone through once for all of them. Nothing is said
// of them once `stop` is requested.
std::vector<PickedHole> holes_at_cursors(std::string_view text, const SyntaxTree& tree,
                                         std::span<const std::size_t> cursors,
                                         const std::stop_token& stop = {});

// What was selected, exactly.
PickedHole hole_of_selection(std::string_view text, const SyntaxTree& tree, Span selection);

// What to replace to cure a diagnostic: the statement around its range if that is short, else the
// smallest node.
PickedHole hole_of_diagnostic(std::string_view text, const SyntaxTree& tree, Span range);

// The bodies of a function or class by its name ("f", "A.f", "A::f") or by a line in it (from 1); or
// else all nodes of a kind ("if_statement"). A docstring stays. NotFound when there is none.
Result<std::vector<PickedHole>> holes_of_node(std::string_view text, const SyntaxTree& tree,
                                              std::string_view name_line_or_kind);

// The bodies of all functions and classes, as holes_of_node() gives them.
std::vector<PickedHole> all_bodies(std::string_view text, const SyntaxTree& tree);

// Bodies that say that they are still to be written: `pass`, `...`, a TODO, unimplemented!(), an
// exception that says so.
std::vector<PickedHole> stub_bodies(std::string_view text, const SyntaxTree& tree);

// For holes that are given as they are, by markers or by the caller, in the order of the text: what
// would stand there. Looks at the text without them. Nothing is said of them, but for their spans, if
// that does not parse within `limits`; once limits.stop is requested it ends early.
std::vector<PickedHole> describe_holes(const Grammar& grammar, std::string_view text,
                                       std::span<const Span> holes, const ParseLimits& limits = {});

}  // namespace lacuna::grammar
