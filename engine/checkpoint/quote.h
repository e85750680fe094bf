// Untrusted text inside error messages. Internal to engine/checkpoint.
#pragma once

#include <string>
#include <string_view>

namespace lacuna::engine {

// `text`, fit for a terminal and a log line: control characters (of ASCII, and U+0080..U+009F,
// which some terminals obey too) and bytes that are not UTF-8 become '?', and what is longer than
// 120 bytes is cut with "...". A hostile file chooses this text.
std::string printable(std::string_view text);

// The same in single quotes.
std::string quote(std::string_view text);

}  // namespace lacuna::engine
