// Which language a file is written in, as far as its name and first line tell.
#pragma once

#include <span>
#include <string_view>

namespace lacuna::engine {

struct Language {
  std::string_view name;          // "python", "cpp", ...: what InfillRequest::language wants
  std::string_view line_comment;  // what opens a comment that runs to the line's end; may be empty
};

// All languages that have a name, in the order of the table.
std::span<const Language> languages();

// By name or common alias ("c++", "js", "py"), upper or lower case. Null when there is none.
const Language* language_named(std::string_view name);

// By the file's name, then its extension, then a `#!` in the first line of the text. A header
// `.h` counts as C. Null when none of them tells.
const Language* language_of_file(std::string_view path, std::string_view text);

}  // namespace lacuna::engine
