#include "daemon/http/page.h"

#include <random>

namespace lacuna::daemon::http {
namespace {

std::string random_nonce() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::random_device random;
  std::string nonce;
  for (int i = 0; i < 4; ++i) {
    for (unsigned bits = random(), digit = 0; digit < 8; ++digit, bits >>= 4) {
      nonce += kDigits[bits & 15];
    }
  }
  return nonce;
}

}  // namespace

Response page() {
  constexpr std::string_view kPlace = "{{nonce}}";
  const std::string nonce = random_nonce();
  std::string html;
  std::size_t at = 0;
  for (std::size_t next = kPage.find(kPlace); next != std::string_view::npos;
       next = kPage.find(kPlace, at)) {
    html += kPage.substr(at, next - at);
    html += nonce;
    at = next + kPlace.size();
  }
  html += kPage.substr(at);
  return {.content_type = "text/html; charset=utf-8",
          .body = std::move(html),
          .headers = {
              {"Content-Security-Policy",
               "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'nonce-" + nonce +
                   "'; connect-src 'self'; img-src data:; base-uri 'none'; form-action "
                   "'none'; frame-ancestors 'none'"},
              {"Referrer-Policy", "no-referrer"}}};
}

}  // namespace lacuna::daemon::http
