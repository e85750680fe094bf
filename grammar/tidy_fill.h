// What a fill may look like without meaning anything else: indentation, and text after the hole that
// it repeats.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/outline.h"

namespace lacuna::grammar {

// The fill of bytes `hole` of `text` with the tabs or blanks of the file at the begin of its lines,
// and without blanks at its end where a line ends after it. Its lines must end as the file's do.
//
// A fill whose blocks are all indented by one other unit than the file's gets the file's; a line that
// only goes on keeps its place beside the one before. Not where text of several lines may be in it.
std::string tidy_fill(std::string_view text, Span hole, std::string_view fill);

// How many bytes at the end of the fill are what follows the hole anyway, longest first; those of
// blank space alone are left out.
std::vector<std::size_t> repeated_after(std::string_view text, Span hole, std::string_view fill);

// Whether so much text is repeated that it cannot be chance: a whole line of it.
bool is_whole_line(std::string_view repeated);

}  // namespace lacuna::grammar
