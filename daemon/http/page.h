// The page at `/`: paste code, mark holes, watch them denoise.
#pragma once

#include <string_view>

#include "daemon/http/exchange.h"

namespace lacuna::daemon::http {

// page.html, put into the program when it is built.
extern const std::string_view kPage;

// The page under a policy that lets it load nothing from elsewhere and run only its own script.
Response page();

}  // namespace lacuna::daemon::http
