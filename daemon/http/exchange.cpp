#include "daemon/http/exchange.h"

#include <algorithm>

#include "daemon/http/ascii.h"

namespace lacuna::daemon::http {

const std::string* Request::header(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(), [name](const Header& header) {
    return equal_ignoring_case(header.first, name);
  });
  return found == headers.end() ? nullptr : &found->second;
}

}  // namespace lacuna::daemon::http
