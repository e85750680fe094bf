#include "grammar/grammar.h"

#include <cassert>
#include <vector>

#include <tree_sitter/api.h>

#include "grammar/parsers.h"

namespace lacuna::grammar {

Grammar::Grammar(const ParserEntry& entry, const Language& language)
    : entry_(entry), language_(language), parser_(entry.parser()) {}

Grammar::~Grammar() { ts_query_delete(query_); }

const TSQuery* Grammar::query() const {
  std::call_once(compiled_, [this] {
    std::uint32_t offset = 0;
    TSQueryError error = TSQueryErrorNone;
    query_ = ts_query_new(parser_, entry_.query.data(),
                          static_cast<std::uint32_t>(entry_.query.size()), &offset, &error);
    assert(query_ != nullptr && "a query of this build does not fit its parser");
  });
  return query_;
}

std::span<const std::unique_ptr<const Grammar>> grammars() {
  static const std::vector<std::unique_ptr<const Grammar>> all = [] {
    std::vector<std::unique_ptr<const Grammar>> made;
    for (const ParserEntry& entry : parsers()) {
      const Language* language = language_named(entry.language);
      assert(language != nullptr && "a parser for a language that has no row in language.cpp");
      made.push_back(std::make_unique<const Grammar>(entry, *language));
    }
    return made;
  }();
  return all;
}

const Grammar* grammar_of(const Language* language) {
  for (const auto& grammar : grammars()) {
    if (&grammar->language() == language) return grammar.get();
  }
  return nullptr;
}

}  // namespace lacuna::grammar
