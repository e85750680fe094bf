// Untrusted text inside error messages. Internal to engine/checkpoint.
#pragma once

#include <string>
#include <string_view>

namespace lacuna::engine {

// `text` in single quotes, fit for a terminal and a log line: control characters (of ASCII and of
// U+0080..U+009F, which some terminals obey too) and bytes that are not UTF-8 become '?', and
// what is longer than 120 bytes is cut with "...". A hostile file chooses this text.
std::string quote(std::string_view text);

}  // namespace lacuna::engine
