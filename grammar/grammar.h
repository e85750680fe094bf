// Languages that can be parsed.
#pragma once

#include <memory>
#include <mutex>
#include <span>

#include "support/language.h"

struct TSLanguage;
struct TSQuery;

namespace lacuna::grammar {

struct ParserEntry;

// A language with a tree-sitter parser. There is one object for each, which lives as long as the
// program; it may be used from any thread.
class Grammar {
 public:
  Grammar(const ParserEntry& entry, const Language& language);
  Grammar(const Grammar&) = delete;
  Grammar& operator=(const Grammar&) = delete;
  ~Grammar();

  const Language& language() const { return language_; }
  const TSLanguage* parser() const { return parser_; }
  // The roles of nodes (queries/README.md), compiled when first asked for.
  const TSQuery* query() const;

 private:
  const ParserEntry& entry_;
  const Language& language_;
  const TSLanguage* parser_;
  mutable std::once_flag compiled_;
  mutable TSQuery* query_ = nullptr;
};

// Null when `language` is null or has no parser.
const Grammar* grammar_of(const Language* language);

// All of them, in the order of grammar/CMakeLists.txt.
std::span<const std::unique_ptr<const Grammar>> grammars();

}  // namespace lacuna::grammar
