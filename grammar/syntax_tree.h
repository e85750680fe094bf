// Text to tree, and what is wrong with it. Syntax errors are data, never failures.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/grammar.h"

struct TSParser;
struct TSTree;

namespace lacuna::grammar {

// What tree-sitter made of a text. It does not keep the text: functions that look at both take
// both. Copies share the tree; different copies may be used from different threads.
class SyntaxTree {
 public:
  // Takes over `tree`.
  SyntaxTree(const Grammar& grammar, TSTree* tree);
  SyntaxTree(const SyntaxTree& other);
  SyntaxTree& operator=(const SyntaxTree& other);
  SyntaxTree(SyntaxTree&& other) noexcept;
  SyntaxTree& operator=(SyntaxTree&& other) noexcept;
  ~SyntaxTree();

  const Grammar& grammar() const { return *grammar_; }
  const TSTree* get() const { return tree_; }
  // Whether there is an error anywhere; costs nothing.
  bool has_error() const;

  // Tells the tree that bytes [begin, end) of the text that it was made from become `replacement`,
  // for Parser::parse() to start from.
  void edit(std::string_view text, std::size_t begin, std::size_t end,
            std::string_view replacement);

 private:
  const Grammar* grammar_;
  TSTree* tree_;
};

// When a parse ends before its end, without a tree.
struct ParseLimits {
  std::stop_token stop;             // once this is requested
  bool only_without_error = false;  // as soon as it is certain that the tree would have an error
  // Once the thread has used so much processor time, on the clock of thread_seconds().
  double until = std::numeric_limits<double>::infinity();
};

// Parses texts of one language one after the other. For one thread at a time.
class Parser {
 public:
  explicit Parser(const Grammar& grammar);

  // Any bytes. With `edited`, the edited tree of an earlier text, the time goes with what has
  // changed. None when the text is larger than kMaxParsedBytes, so far from the language that the
  // parser gets lost in it, or when a limit was met. A tree that was made within limits.only_without_error
  // may still have an error.
  std::optional<SyntaxTree> parse(std::string_view text, const SyntaxTree* edited = nullptr,
                                  const ParseLimits& limits = {});

 private:
  struct Delete {
    void operator()(TSParser* parser) const;
  };

  const Grammar& grammar_;
  std::unique_ptr<TSParser, Delete> parser_;
};

inline constexpr std::size_t kMaxParsedBytes = 16U << 20;

// Parser(grammar).parse(text).
std::optional<SyntaxTree> parse(const Grammar& grammar, std::string_view text);

struct SyntaxError {
  std::size_t begin;  // bytes that the parser could not fit in
  std::size_t end;
  // What it put there to go on, as in ")"; empty for an error of the other kind. begin == end then.
  std::string missing;

  bool operator==(const SyntaxError&) const = default;
};

// The outermost errors of a tree, in the order of the text. Where an error is and how far it reaches
// is the parser's cheapest way out, not the first wrong byte. At most kMaxErrors.
std::vector<SyntaxError> syntax_errors(const SyntaxTree& tree);

inline constexpr std::size_t kMaxErrors = 1000;

}  // namespace lacuna::grammar
