#include "cli/daemon_status.h"

#include <array>
#include <chrono>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/runtime_paths.h"
#include "lsp/framing.h"
#include "lsp/json_rpc.h"
#include "lsp/protocol.h"

namespace lacuna::cli {
namespace {

using lsp::Json;
using Clock = std::chrono::steady_clock;

constexpr const char* kClient = "lacuna doctor";
constexpr int kInitializeId = 1;
constexpr int kStatusId = 2;

Result<Json> ask(int socket, Clock::time_point deadline) {
  const std::string all = lsp::frame(lsp::request(kInitializeId, "initialize",
                                                  {{"processId", getpid()},
                                                   {"rootUri", nullptr},
                                                   {"capabilities", Json::object()},
                                                   {"clientInfo", {{"name", kClient}}}})) +
                          lsp::frame(lsp::notification("initialized", Json::object())) +
                          lsp::frame(lsp::request(kStatusId, "lacuna/status", Json::object()));
  // So few bytes that they always fit the socket's buffer.
  const ssize_t sent = send(socket, all.data(), all.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(all.size())) {
    return fail(ErrorCode::Unavailable, "it does not listen");
  }
  lsp::FrameReader frames;
  std::array<char, 1 << 16> buffer{};
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd wanted = {.fd = socket, .events = POLLIN, .revents = 0};
    if (left <= 0 || poll(&wanted, 1, static_cast<int>(left)) <= 0) {
      return fail(ErrorCode::Unavailable, "it does not answer");
    }
    const ssize_t got = read(socket, buffer.data(), buffer.size());
    if (got <= 0) return fail(ErrorCode::Unavailable, "it has ended the connection");
    frames.push({buffer.data(), static_cast<std::size_t>(got)});
    for (;;) {
      Result<std::optional<std::string>> body = frames.next();
      if (!body) return body.error();
      if (!*body) break;
      lsp::BadMessage bad{};
      const auto message = lsp::parse_message(**body, bad);
      if (message && message->kind == lsp::Message::Kind::Response && message->id == kStatusId) {
        return message->result;
      }
    }
  }
}

void append(std::string& text, const std::string& part) {
  if (!part.empty()) text += (text.empty() ? "" : "; ") + part;
}

}  // namespace

Result<Json> status_of_daemon(const std::filesystem::path& socket, double seconds) {
  const Result<int> connected = daemon::connect_to(socket);
  if (!connected) return fail(ErrorCode::NotFound, "there is none");
  const auto limit =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  Result<Json> status = ask(*connected, Clock::now() + limit);
  close(*connected);
  return status;
}

std::string settings_text(const Json& chosen) {
  std::string text;
  if (!chosen.is_object()) return text;
  for (const auto& [name, setting] : chosen.items()) {
    const Json* value = lsp::member(setting, "value");
    append(text, name + " = " + (value == nullptr ? "?" : value->dump()) + " (" +
                     lsp::string_or(setting, "source", "?") + ")");
  }
  return text;
}

std::string describe_daemon(const Json& status) {
  std::string text;
  if (const Json* chosen = lsp::member(status, "settings")) append(text, settings_text(*chosen));
  const Json* editors = lsp::member(status, "editors");
  if (editors == nullptr || !editors->is_array()) return text;
  int count = 0;
  std::string theirs;
  for (const Json& editor : *editors) {
    const std::string name = lsp::string_or(editor, "name", "");
    if (name == kClient) continue;  // this program, now
    ++count;
    const Json* settings = lsp::member(editor, "settings");
    if (settings == nullptr || !settings->is_object()) continue;
    for (const auto& [setting, value] : settings->items()) {
      append(theirs, setting + " = " + value.dump() + " (editor: " +
                         (name.empty() ? lsp::string_or(editor, "session", "") : name) + ")");
    }
  }
  append(text, std::to_string(count) + (count == 1 ? " editor" : " editors"));
  append(text, theirs);
  return text;
}

}  // namespace lacuna::cli
