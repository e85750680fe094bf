// Indentation: what Python's compiler sees of it, and what a file uses.
#pragma once

#include <cstddef>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/syntax_tree.h"

namespace lacuna::grammar {

struct LayoutError {
  std::size_t at;    // first byte of the line that is wrong
  std::string what;  // as Python says it: "unexpected indent", ...

  bool operator==(const LayoutError&) const = default;
};

// The errors of indentation for which compile() would refuse a Python text, as its tokenizer finds
// them ("Indentation", Python language reference, 2.1.8), and blocks that are missing. Tree-sitter
// takes a line at any column. Where the text has syntax errors, later lines may be judged wrongly.
// Once `stop` is requested it ends early.
std::vector<LayoutError> python_layout_errors(std::string_view text, const SyntaxTree& tree,
                                              const std::stop_token& stop = {});

// How the lines of a file are indented.
struct IndentStyle {
  bool tabs = false;
  int unit = 4;       // columns, where it is blanks
  bool seen = false;  // some line of the file shows it

  bool operator==(const IndentStyle&) const = default;
};

// The most common step from one line to a deeper one; four blanks where there is none.
IndentStyle indent_style_of(std::string_view text);

}  // namespace lacuna::grammar
