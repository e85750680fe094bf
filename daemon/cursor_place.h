// What belongs at a cursor: whether a suggestion there may have several lines.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "grammar/grammar.h"

namespace lacuna::daemon {

struct CursorPlace {
  bool several_lines = false;
  std::string
      what;  // for a person, as in "the rest of the block"; empty where no grammar was asked
};

// Several lines belong only where the grammar finds an empty body or the end of a block, and
// nothing but the body's closing bracket follows the cursor on its line. Anywhere else it is the
// rest of the line: an editor draws suggestions as insertions, so what follows must stay.
// `grammar` may be null. Parses the text if its line may be such a place, so not for the loop.
CursorPlace place_at_cursor(const grammar::Grammar* grammar, std::string_view text,
                            std::size_t cursor);

// The part of a fill of several lines that belongs to the block at the cursor: up to a line that
// stands further to the left than the cursor's line begins, outside of brackets of the fill.
// Brackets in strings count as well.
std::string_view within_block(std::string_view text, std::size_t cursor, std::string_view fill);

}  // namespace lacuna::daemon
