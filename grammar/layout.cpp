#include "grammar/layout.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "grammar/outline.h"
#include "support/text.h"

namespace lacuna::grammar {
namespace {

// The column of a line's first byte that is not blank. Tabs go to the next multiple of `tab`.
struct Indent {
  std::size_t column = 0;  // tabs of 8, as the tokenizer counts
  std::size_t narrow = 0;  // tabs of 1: where the two disagree about deeper or not, it is an error
  std::size_t bytes = 0;
};

Indent indent_of(std::string_view line) {
  Indent indent;
  for (const char c : line) {
    if (c == ' ') {
      ++indent.column;
      ++indent.narrow;
    } else if (c == '\t') {
      indent.column = (indent.column / 8 + 1) * 8;
      ++indent.narrow;
    } else if (c == '\f') {
      indent.column = indent.narrow = 0;
    } else {
      break;
    }
    ++indent.bytes;
  }
  return indent;
}

class PythonLayout {
 public:
  PythonLayout(std::string_view text, const SyntaxTree& tree, const std::stop_token& stop)
      : text_(text), lines_(text), leaves_(leaves_of(tree, stop)), stop_(stop) {}

  std::vector<LayoutError> errors() {
    std::size_t leaf = 0;
    while (leaf < leaves_.size()) {
      if (stop_.stop_requested()) return {};
      if (leaves_[leaf].comment) {
        ++leaf;
        continue;
      }
      begin_line(leaves_[leaf].begin);
      leaf = end_of_logical_line(leaf);
    }
    if (expects_block_ && !leaves_.empty()) report(last_line_, "expected an indented block");
    return std::move(errors_);
  }

 private:
  void begin_line(std::size_t first) {
    const std::size_t line = lines_.line_of(first);
    std::size_t begin = lines_.line_begin(line);
    if (begin == 0 && text_.starts_with(kByteOrderMark)) begin = kByteOrderMark.size();
    const Indent indent = indent_of(text_.substr(begin, lines_.line_end(line) - begin));
    // After a `;` on the same line: no line begins here.
    if (begin + indent.bytes != first) return;
    last_line_ = begin;
    const Indent top = stack_.back();
    if (indent.column > top.column) {
      if (!expects_block_) report(begin, "unexpected indent");
      if (indent.narrow <= top.narrow) report(begin, "inconsistent use of tabs and spaces");
      stack_.push_back(indent);
    } else {
      if (expects_block_) report(begin, "expected an indented block");
      while (stack_.back().column > indent.column) stack_.pop_back();
      if (stack_.back().column != indent.column) {
        report(begin, "unindent does not match any outer indentation level");
        stack_.push_back(indent);
      } else if (stack_.back().narrow != indent.narrow) {
        report(begin, "inconsistent use of tabs and spaces");
      }
    }
    expects_block_ = false;
  }

  // The first leaf of the next logical line. Brackets, strings and backslashes join lines.
  std::size_t end_of_logical_line(std::size_t leaf) {
    int depth = 0;
    std::string_view last;
    for (; leaf < leaves_.size(); ++leaf) {
      const Leaf& it = leaves_[leaf];
      if (it.comment) {
        if (depth > 0) continue;
        ++leaf;  // it reaches to the end of its line
        break;
      }
      const std::string_view type = it.type;
      // Not all of a string is a leaf: where it has escapes only these are.
      if (type == "string_start") ++depth;
      if (type == "string_end") depth = std::max(0, depth - 1);
      if (!it.in_text) {
        if (type == "(" || type == "[" || type == "{") ++depth;
        if (type == ")" || type == "]" || type == "}") depth = std::max(0, depth - 1);
      }
      last = it.in_text ? std::string_view() : std::string_view(it.type);
      if (leaf + 1 == leaves_.size() || (depth == 0 && is_line_end_between(leaf))) {
        ++leaf;
        break;
      }
    }
    expects_block_ = last == ":";
    return leaf;
  }

  bool is_line_end_between(std::size_t leaf) const {
    const std::size_t next = leaves_[leaf + 1].begin;
    std::size_t end = leaves_[leaf].end;
    for (; end < next; ++end) {
      if (text_[end] != '\n' && text_[end] != '\r') continue;
      if (end > 0 && text_[end - 1] == '\\') {
        if (text_.substr(end, 2) == "\r\n") ++end;
        continue;
      }
      return true;
    }
    return false;
  }

  void report(std::size_t at, const char* what) { errors_.push_back({at, what}); }

  std::string_view text_;
  LineIndex lines_;
  std::vector<Leaf> leaves_;
  std::stop_token stop_;
  std::vector<Indent> stack_{Indent{}};
  std::vector<LayoutError> errors_;
  bool expects_block_ = false;
  std::size_t last_line_ = 0;
};

}  // namespace

std::vector<LayoutError> python_layout_errors(std::string_view text, const SyntaxTree& tree,
                                              const std::stop_token& stop) {
  return PythonLayout(text, tree, stop).errors();
}

IndentStyle indent_style_of(std::string_view text) {
  std::array<int, 9> steps{};
  int tabs = 0;
  int blanks = 0;
  std::size_t before = 0;
  const LineIndex lines(text);
  for (std::size_t i = 0; i < lines.line_count(); ++i) {
    const std::string_view line =
        text.substr(lines.line_begin(i), lines.line_end(i) - lines.line_begin(i));
    const std::size_t indent = std::min(line.find_first_not_of(" \t"), line.size());
    if (indent == line.size()) continue;
    if (indent > 0) ++(line[0] == '\t' ? tabs : blanks);
    if (line.substr(0, indent).find('\t') == std::string_view::npos) {
      if (indent > before && indent - before < steps.size()) ++steps[indent - before];
      before = indent;
    }
  }
  IndentStyle style;
  style.tabs = tabs > blanks;
  // A step of 1 is the star of a block comment.
  const auto best = std::max_element(steps.begin() + 2, steps.end());
  if (*best > 0) style.unit = static_cast<int>(best - steps.begin());
  style.seen = style.tabs || *best > 0;
  return style;
}

}  // namespace lacuna::grammar
