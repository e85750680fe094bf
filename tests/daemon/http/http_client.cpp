#include "tests/daemon/http/http_client.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "daemon/http/ascii.h"

namespace lacuna::daemon::http {

std::string Reply::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return "";
}

Client::Client(std::uint16_t port) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval timeout = {.tv_sec = 20, .tv_usec = 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    throw std::runtime_error("cannot connect");
  }
}

Client::~Client() { close(); }

void Client::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

void Client::abort() {
  const linger hard = {.l_onoff = 1, .l_linger = 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  close();
}

void Client::finish_sending() { shutdown(socket_, SHUT_WR); }

void Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;  // the server has gone: the test sees it when it reads
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

bool Client::fill() {
  std::array<char, 16384> bytes = {};
  const ssize_t n = recv(socket_, bytes.data(), bytes.size(), 0);
  if (n <= 0) return false;
  pending_.append(bytes.data(), static_cast<std::size_t>(n));
  return true;
}

std::string Client::receive_until(std::string_view end) {
  std::size_t at = pending_.find(end);
  while (at == std::string::npos) {
    if (!fill()) return std::exchange(pending_, "");
    at = pending_.find(end);
  }
  std::string taken = pending_.substr(0, at + end.size());
  pending_.erase(0, taken.size());
  return taken;
}

bool Client::ended() { return pending_.empty() && !fill(); }

Reply Client::receive(bool head_only) {
  Reply reply;
  const std::string head = receive_until("\r\n\r\n");
  if (head.size() < 13 || head.substr(head.size() - 4) != "\r\n\r\n") return reply;
  std::size_t at = head.find("\r\n") + 2;
  while (at + 2 < head.size()) {
    const std::size_t end = head.find("\r\n", at);
    const std::size_t colon = head.find(": ", at);
    std::string name = head.substr(at, colon - at);
    std::transform(name.begin(), name.end(), name.begin(), lower);
    reply.headers.emplace_back(std::move(name), head.substr(colon + 2, end - colon - 2));
    at = end + 2;
  }
  const int status = std::stoi(head.substr(9, 3));
  if (head_only || status == 100) {
    reply.status = status;
    return reply;
  }
  if (reply.header("transfer-encoding") == "chunked") {
    while (true) {
      const std::string line = receive_until("\r\n");
      if (line.size() < 3) return reply;
      const std::size_t size = std::stoul(line, nullptr, 16);
      while (pending_.size() < size + 2) {
        if (!fill()) return reply;
      }
      reply.body += pending_.substr(0, size);
      pending_.erase(0, size + 2);
      if (size == 0) break;
    }
  } else if (const std::string length = reply.header("content-length"); !length.empty()) {
    const std::size_t size = std::stoul(length);
    while (pending_.size() < size) {
      if (!fill()) return reply;
    }
    reply.body = pending_.substr(0, size);
    pending_.erase(0, size);
  } else {
    while (fill()) {
    }
    reply.body = std::exchange(pending_, "");
  }
  reply.status = status;
  return reply;
}

std::string request_bytes(std::string_view method, std::string_view path, std::string_view body,
                          const std::vector<std::string>& headers) {
  std::string bytes = std::string(method) + " " + std::string(path) + " HTTP/1.1\r\n";
  const auto is_host = [](const std::string& header) { return header.compare(0, 5, "Host:") == 0; };
  if (std::none_of(headers.begin(), headers.end(), is_host)) bytes += "Host: localhost\r\n";
  for (const std::string& header : headers) bytes += header + "\r\n";
  if (!body.empty()) bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return bytes + "\r\n" + std::string(body);
}

Reply Client::ask(std::string_view path, std::string_view body,
                  const std::vector<std::string>& headers) {
  send(request_bytes(body.empty() ? "GET" : "POST", path, body, headers));
  return receive();
}

}  // namespace lacuna::daemon::http
