#include "grammar/syntax_tree.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include <tree_sitter/api.h>

#include "support/processor_time.h"

namespace lacuna::grammar {
namespace {

// Line and column of a byte, where a line ends after "\n" and columns are bytes: tree-sitter's.
TSPoint advanced(TSPoint point, std::string_view text) {
  for (const char c : text) {
    if (c == '\n') {
      ++point.row;
      point.column = 0;
    } else {
      ++point.column;
    }
  }
  return point;
}

// A parse takes about one operation a byte; lost in errors it follows several versions at once.
// The callback comes every 100 operations.
struct Watch {
  const ParseLimits& limits;
  std::size_t calls_left;
};

bool ends_here(TSParseState* state) {
  auto& watch = *static_cast<Watch*>(state->payload);
  if (watch.calls_left == 0 || watch.limits.stop.stop_requested()) return true;
  --watch.calls_left;
  if (thread_seconds() > watch.limits.until) return true;
  // Every version of the tree that the parser still follows has an error.
  return watch.limits.only_without_error && state->has_error;
}

struct Source {
  std::string_view text;
};

const char* read_source(void* payload, std::uint32_t byte, TSPoint /*point*/, std::uint32_t* size) {
  const std::string_view text = static_cast<const Source*>(payload)->text;
  const std::string_view rest = text.substr(std::min<std::size_t>(byte, text.size()));
  *size = static_cast<std::uint32_t>(rest.size());
  return rest.data();
}

// The first node of a walk over all nodes with errors in them, from the outside in.
bool next(TSTreeCursor& cursor, bool into) {
  if (into && ts_tree_cursor_goto_first_child(&cursor)) return true;
  while (!ts_tree_cursor_goto_next_sibling(&cursor)) {
    if (!ts_tree_cursor_goto_parent(&cursor)) return false;
  }
  return true;
}

}  // namespace

SyntaxTree::SyntaxTree(const Grammar& grammar, TSTree* tree) : grammar_(&grammar), tree_(tree) {
  assert(tree != nullptr);
}

SyntaxTree::SyntaxTree(const SyntaxTree& other)
    : grammar_(other.grammar_), tree_(ts_tree_copy(other.tree_)) {}

SyntaxTree& SyntaxTree::operator=(const SyntaxTree& other) {
  SyntaxTree copy(other);
  *this = std::move(copy);
  return *this;
}

SyntaxTree::SyntaxTree(SyntaxTree&& other) noexcept
    : grammar_(other.grammar_), tree_(std::exchange(other.tree_, nullptr)) {}

SyntaxTree& SyntaxTree::operator=(SyntaxTree&& other) noexcept {
  std::swap(grammar_, other.grammar_);
  std::swap(tree_, other.tree_);
  return *this;
}

SyntaxTree::~SyntaxTree() {
  if (tree_ != nullptr) ts_tree_delete(tree_);
}

bool SyntaxTree::has_error() const { return ts_node_has_error(ts_tree_root_node(tree_)); }

void SyntaxTree::edit(std::string_view text, std::size_t begin, std::size_t end,
                      std::string_view replacement) {
  const TSPoint start = advanced({0, 0}, text.substr(0, begin));
  const TSInputEdit edit = {.start_byte = static_cast<std::uint32_t>(begin),
                            .old_end_byte = static_cast<std::uint32_t>(end),
                            .new_end_byte = static_cast<std::uint32_t>(begin + replacement.size()),
                            .start_point = start,
                            .old_end_point = advanced(start, text.substr(begin, end - begin)),
                            .new_end_point = advanced(start, replacement)};
  ts_tree_edit(tree_, &edit);
}

void Parser::Delete::operator()(TSParser* parser) const { ts_parser_delete(parser); }

Parser::Parser(const Grammar& grammar) : grammar_(grammar), parser_(ts_parser_new()) {
  const bool fits = ts_parser_set_language(parser_.get(), grammar.parser());
  assert(fits && "tree-sitter's core does not know the format of this parser");
  (void)fits;
}

std::optional<SyntaxTree> Parser::parse(std::string_view text, const SyntaxTree* edited,
                                        const ParseLimits& limits) {
  if (text.size() > kMaxParsedBytes) return std::nullopt;
  Source source{text};
  Watch watch{limits, 2000 + text.size() / 4};
  const TSInput input = {
      .payload = &source, .read = read_source, .encoding = TSInputEncodingUTF8, .decode = nullptr};
  const TSParseOptions options = {.payload = &watch, .progress_callback = ends_here};
  TSTree* tree = ts_parser_parse_with_options(
      parser_.get(), edited == nullptr ? nullptr : edited->get(), input, options);
  if (tree == nullptr) {
    ts_parser_reset(parser_.get());
    return std::nullopt;
  }
  return SyntaxTree(grammar_, tree);
}

std::optional<SyntaxTree> parse(const Grammar& grammar, std::string_view text) {
  return Parser(grammar).parse(text);
}

std::vector<SyntaxError> syntax_errors(const SyntaxTree& tree) {
  std::vector<SyntaxError> errors;
  TSTreeCursor cursor = ts_tree_cursor_new(ts_tree_root_node(tree.get()));
  bool more = true;
  while (more && errors.size() < kMaxErrors) {
    const TSNode node = ts_tree_cursor_current_node(&cursor);
    const bool missing = ts_node_is_missing(node);
    const bool error = ts_node_is_error(node);
    if (missing || error) {
      errors.push_back({.begin = ts_node_start_byte(node),
                        .end = ts_node_end_byte(node),
                        .missing = missing ? ts_node_type(node) : ""});
    }
    more = next(cursor, ts_node_has_error(node) && !missing && !error);
  }
  ts_tree_cursor_delete(&cursor);
  return errors;
}

}  // namespace lacuna::grammar
