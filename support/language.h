// The languages that have a name, and which one a file is written in as far as its name and first
// line tell.
#pragma once

#include <span>
#include <string_view>

namespace lacuna {

// To add a language: a row in language.cpp. To parse it as well: a line in grammar/CMakeLists.txt.
struct Language {
  std::string_view name;          // "python", "cpp", ...
  std::string_view line_comment;  // what opens a comment that runs to the line's end; may be empty
  // What a model is told, InfillRequest::language: a dialect has the name of its language ("tsx" is
  // "typescript").
  std::string_view model_name;
  // Words with one blank between them. Extensions have no dot and are in lower case.
  std::string_view extensions;
  // Other names, in lower case: LSP languageIds as editors spell them, file types of Vim, common
  // names. Extensions are names as well.
  std::string_view aliases;
  std::string_view file_names;    // whole names, as in "Makefile"
  std::string_view interpreters;  // of a `#!` line, without version
};

// All languages that have a name, in the order of the table.
std::span<const Language> languages();

// By name, alias or extension ("c++", "js", "shellscript"), upper or lower case. Null when there is
// none.
const Language* language_named(std::string_view name);

// By the file's name, then its extension, then a `#!` in the first line of the text. A header
// `.h` counts as C. Null when none of them tells.
const Language* language_of_file(std::string_view path, std::string_view text);

}  // namespace lacuna
