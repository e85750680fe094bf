// A blocking HTTP client that can also misbehave: raw bytes out, parsed answers in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lacuna::daemon::http {

struct Reply {
  int status = 0;  // 0: the connection ended before a whole answer came
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;                                          // chunks joined

  std::string header(std::string_view name) const;  // lower case; empty when it is not there
};

class Client {
 public:
  explicit Client(std::uint16_t port);  // connects to 127.0.0.1
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view bytes);
  // The next answer of the connection. Waits for at most 20 s.
  Reply receive(bool head_only = false);
  // Everything up to `end`, included, that comes next; shorter when the connection ends.
  std::string receive_until(std::string_view end);
  // Whether the server has ended the connection, and nothing more came. Waits for it.
  bool ended();
  void finish_sending();  // half a close: FIN
  void close();
  void abort();  // RST

  // GET, or POST when there is a body.
  Reply ask(std::string_view path, std::string_view body = "",
            const std::vector<std::string>& headers = {});

 private:
  bool fill();  // more bytes into pending_; false at the end

  int socket_ = -1;
  std::string pending_;
};

std::string request_bytes(std::string_view method, std::string_view path, std::string_view body,
                          const std::vector<std::string>& headers);

}  // namespace lacuna::daemon::http
