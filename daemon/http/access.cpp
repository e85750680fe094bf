#include "daemon/http/access.h"

#include <algorithm>
#include <arpa/inet.h>

#include "daemon/http/ascii.h"

namespace lacuna::daemon::http {
namespace {

// "name:port", "[::1]:port" or either without a port.
std::string_view name_of_host(std::string_view host) {
  if (!host.empty() && host.front() == '[') {
    const std::size_t end = host.find(']');
    return end == std::string_view::npos ? std::string_view() : host.substr(1, end - 1);
  }
  return host.substr(0, host.find(':'));
}

bool is_address(std::string_view host) {
  const std::string name(host);
  in6_addr address = {};
  return inet_pton(AF_INET, name.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, name.c_str(), &address) == 1;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [name](const std::string& it) { return equal_ignoring_case(it, name); });
}

// Takes as long wherever the first difference is.
bool same_secret(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char other = b.empty() ? '\0' : b[i % b.size()];
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(other);
  }
  return difference == 0;
}

bool has_token(const Request& request, std::string_view token) {
  constexpr std::string_view kBearer = "bearer ";
  if (const std::string* key = request.header("x-api-key"); key != nullptr) {
    if (same_secret(*key, token)) return true;
  }
  const std::string* authorization = request.header("authorization");
  if (authorization == nullptr || authorization->size() < kBearer.size()) return false;
  const std::string_view value = *authorization;
  return equal_ignoring_case(value.substr(0, kBearer.size()), kBearer) &&
         same_secret(value.substr(kBearer.size()), token);
}

std::ptrdiff_t count(const Request& request, std::string_view name) {
  return std::count_if(request.headers.begin(), request.headers.end(),
                       [name](const Header& it) { return equal_ignoring_case(it.first, name); });
}

}  // namespace

std::optional<Refusal> check_access(const Request& request, const Options& options, bool open) {
  const std::string* host = request.header("host");
  if (host == nullptr || count(request, "host") != 1) {
    return Refusal{400, "the request needs one Host header"};
  }
  const std::string_view name = name_of_host(*host);
  const bool known = equal_ignoring_case(name, "localhost") || is_address(name) ||
                     equal_ignoring_case(name, options.host) ||
                     contains(options.allowed_hosts, name);
  if (!known) {
    return Refusal{403, "this server is not called '" + std::string(name) +
                            "'; use its address, or add the name to the allowed hosts"};
  }
  if (const std::string* origin = request.header("origin"); origin != nullptr) {
    const bool own = equal_ignoring_case(*origin, "http://" + *host) ||
                     equal_ignoring_case(*origin, "https://" + *host);
    if ((!own && !contains(options.allowed_origins, *origin)) || count(request, "origin") != 1) {
      return Refusal{403, "web pages of '" + *origin + "' may not use this server"};
    }
  }
  if (!options.token.empty() && !open && !has_token(request, options.token)) {
    return Refusal{401, "Invalid API Key"};
  }
  return {};
}

}  // namespace lacuna::daemon::http
