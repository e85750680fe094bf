// What the daemon of this user says of itself.
#pragma once

#include <filesystem>
#include <string>

#include "lsp/json.h"
#include "support/result.h"

namespace lacuna::cli {

// The answer to lacuna/status (docs/protocol.md). NotFound when no daemon listens there, Unavailable
// when it does not answer within `seconds`.
Result<lsp::Json> status_of_daemon(const std::filesystem::path& socket, double seconds);

// "name = value (source); ..." of what does not come from the defaults; its empty object gives "".
std::string settings_text(const lsp::Json& chosen);

// That, and what the editors of a daemon set, in one line.
std::string describe_daemon(const lsp::Json& status);

}  // namespace lacuna::cli
