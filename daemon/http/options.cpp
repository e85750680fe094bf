#include "daemon/http/options.h"

#include <arpa/inet.h>
#include <charconv>

#include "daemon/http/ascii.h"

namespace lacuna::daemon::http {

Result<Options> parse_address(std::string_view address) {
  const Error wrong = fail(ErrorCode::InvalidInput, "'" + std::string(address) +
                                                        "' is no address to listen on; give "
                                                        "HOST:PORT, as in 127.0.0.1:8012");
  Options options;
  std::string_view port = address;
  if (const std::size_t colon = address.rfind(':'); colon != std::string_view::npos) {
    std::string_view host = address.substr(0, colon);
    port = address.substr(colon + 1);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
      host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
      return wrong;  // an IPv6 address needs its brackets
    }
    if (host.empty() || host.find_first_of("[]") != std::string_view::npos) return wrong;
    options.host = host;
  }
  const std::string digits(port);
  const char* end = digits.data() + digits.size();
  const auto [at, problem] = std::from_chars(digits.data(), end, options.port);
  if (problem != std::errc() || at != end) return wrong;
  return options;
}

bool is_loopback(std::string_view host) {
  if (equal_ignoring_case(host, "localhost")) return true;
  const std::string name(host);
  in_addr v4 = {};
  if (inet_pton(AF_INET, name.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6 = {};
  return inet_pton(AF_INET6, name.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace lacuna::daemon::http
