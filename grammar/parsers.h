// The parsers that this build has, as grammar/CMakeLists.txt lists them. For grammar.cpp.
#pragma once

#include <span>
#include <string_view>

struct TSLanguage;

namespace lacuna::grammar {

struct ParserEntry {
  std::string_view language;  // Language::name
  const TSLanguage* (*parser)();
  std::string_view query;  // its files of queries/, joined
};

std::span<const ParserEntry> parsers();

}  // namespace lacuna::grammar
