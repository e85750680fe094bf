// How the HTTP side listens, whom it answers, and what it bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/infill.h"
#include "support/result.h"

namespace lacuna::daemon::http {

struct Limits {
  std::size_t max_connections = 256;
  std::size_t max_header_bytes = std::size_t{16} << 10;
  std::size_t max_body_bytes = std::size_t{8} << 20;
  // What a connection may have waiting for a slow client: parts of a stream that may be lost are
  // left out above the first, the connection is cut above the second.
  std::size_t lossy_queue_bytes = std::size_t{256} << 10;
  std::size_t max_queue_bytes = std::size_t{16} << 20;
  double idle_seconds = 75;     // between requests of a connection
  double request_seconds = 30;  // from a request's first byte to its last
  double write_seconds = 30;    // without a byte read by the client
};

inline engine::InfillOptions probing() {
  engine::InfillOptions options;
  options.length = engine::LengthMode::Probe;
  return options;
}

struct Options {
  std::string host = "127.0.0.1";  // an address, or "localhost"
  std::uint16_t port = 0;          // 0: any that is free
  // Needed from every client when not empty. Must not be empty for a host that is not loopback.
  std::string token;
  // Names, besides localhost and addresses, under which clients may call this server.
  std::vector<std::string> allowed_hosts;
  // Origins of web pages, besides our own, that may call it: "https://example.org".
  std::vector<std::string> allowed_origins;
  Limits limits;
  // Where a request says nothing. Lengths are found by the engine, up to what a request allows.
  engine::InfillOptions infill = probing();
  int max_hole_tokens = 256;  // whatever a request asks for
  bool syntax = true;         // FillOrder::syntax, where the language is told
};

// "HOST:PORT", "[ADDRESS]:PORT" or "PORT" (then on 127.0.0.1) into host and port. InvalidInput for
// anything else.
Result<Options> parse_address(std::string_view address);

// Whether only this machine can reach an address or name.
bool is_loopback(std::string_view host);

}  // namespace lacuna::daemon::http
