// HTTP beside the sessions of the daemon.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "daemon/server.h"
#include "daemon/settings.h"
#include "support/result.h"

namespace lacuna::daemon::http {

// Listens where the settings say (http.address, which is not empty), with their token, profile and
// bounds. The daemon then does not end for want of sessions: nothing would start it for an HTTP
// client. InvalidInput for an address that is none or needs a token; Unavailable when it is taken.
Result<std::unique_ptr<Companion>> start_http(boost::asio::io_context& loop, FillService& fills,
                                              const Settings& settings,
                                              std::function<void(const std::string&)> log);

}  // namespace lacuna::daemon::http
