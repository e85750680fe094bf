// Holes in source files with what stood there: questions whose answer is known.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/eval/documents.h"
#include "engine/tokenizer/tokenizer.h"

namespace lacuna::cli {

// Chosen by rules over the text, the same for every model; only tokens are those of the model.
// No rule knows a grammar, and lines that begin as comments do are left out.
enum class HoleKind : std::uint8_t {
  Token,       // one token of the model's tokenizer that is not white space alone
  Identifier,  // a word of three letters, digits or _ or more that does not begin with a digit;
               // keywords count
  // What stands between a pair of brackets, or after `=`, `return` or `=>` up to the end of the line
  // or its `;`, `,`, `{` or `:`: 4 to 60 characters of one line with brackets and quotes in pairs,
  // and more than a word.
  Expression,
  Line,   // a line without its indentation, 4 to 90 characters with a letter or digit in them
  Lines,  // 2 to 6 of these, with or without empty lines between them, none indented less than the
          // first: 180 characters at most
};

inline constexpr std::array kHoleKinds = {HoleKind::Token, HoleKind::Identifier,
                                          HoleKind::Expression, HoleKind::Line, HoleKind::Lines};

std::string_view name_of(HoleKind kind);  // "token", "identifier", "expression", "line", "lines"
std::optional<HoleKind> hole_kind_named(std::string_view name);

struct ByteRange {
  std::size_t begin;
  std::size_t end;

  bool operator==(const ByteRange&) const = default;
};

// Every hole of a kind that a text has, by its beginning. `line_comment` is what opens a comment in
// its language; may be empty. `tokenizer` is asked for tokens only.
std::vector<ByteRange> holes_in(std::string_view text, HoleKind kind, std::string_view line_comment,
                                const engine::Tokenizer& tokenizer);

struct HoleCase {
  const SourceDocument* document;
  HoleKind kind;
  ByteRange place;
  std::string answer;
};

// `limit` holes of each kind and language, fewer where there are not so many. The files of a
// language are put in an order by the seed and asked in turn, each for one hole of its own; files of
// fewer than 12 lines are not asked. A smaller limit takes the first ones of a larger. The cases
// point into `documents`.
std::vector<HoleCase> choose_holes(std::span<const SourceDocument> documents,
                                   std::span<const HoleKind> kinds, int limit, std::uint64_t seed,
                                   const engine::Tokenizer& tokenizer);

}  // namespace lacuna::cli
