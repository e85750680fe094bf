// Who may use the server: names that it is called by, web pages that call it, tokens.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/http/exchange.h"
#include "daemon/http/options.h"

namespace lacuna::daemon::http {

struct Refusal {
  int status;
  std::string message;
};

// Checked when the header is there, before a byte of the body is read.
//
// Host must be localhost, an address or an allowed name: a page of another site whose name was
// bound to 127.0.0.1 ("DNS rebinding") sends that name. Origin, which browsers add to what a page
// sends, must be this server's own or an allowed one. The token, where there is one, is wanted as
// `Authorization: Bearer TOKEN` or `x-api-key: TOKEN`, except for paths that are `open`.
std::optional<Refusal> check_access(const Request& request, const Options& options, bool open);

}  // namespace lacuna::daemon::http
