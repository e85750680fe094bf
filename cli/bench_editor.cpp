#include "cli/bench_editor.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace lacuna::cli {

using lsp::Json;

Result<ChildProcess> ChildProcess::start(const std::vector<std::string>& arguments) {
  std::error_code ignored;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe", ignored).string();
  std::vector<char*> words = {const_cast<char*>(self.c_str())};
  for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  std::array<int, 2> to{};
  std::array<int, 2> from{};
  if (pipe2(to.data(), O_CLOEXEC) != 0 || pipe2(from.data(), O_CLOEXEC) != 0) {
    return fail(ErrorCode::Unavailable, "no pipe can be made");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  // Interrupts has blocked the signals that must end this process.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  ChildProcess child;
  const int error =
      posix_spawn(&child.id, self.c_str(), &actions, &attributes, words.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(to[0]);
  close(from[1]);
  child.in = to[1];
  child.out = from[0];
  if (error != 0) {
    child.id = -1;
    return fail(ErrorCode::Unavailable, self + " cannot be started");
  }
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : in(std::exchange(other.in, -1)),
      out(std::exchange(other.out, -1)),
      id(std::exchange(other.id, -1)) {}

ChildProcess::~ChildProcess() {
  if (in >= 0) close(in);
  if (out >= 0) close(out);
  if (id < 0) return;
  kill(id, SIGTERM);
  waitpid(id, nullptr, 0);
}

Result<BenchEditor> BenchEditor::start(const std::string& socket) {
  Result<ChildProcess> process = ChildProcess::start({"lsp", "--socket", socket});
  if (!process) return process.error();
  BenchEditor editor(std::move(*process));
  const Result<lsp::Message> answer =
      editor.call("initialize", {{"processId", getpid()},
                                 {"rootUri", nullptr},
                                 {"capabilities", Json::object()},
                                 {"clientInfo", {{"name", "lacuna bench"}}}});
  if (!answer) return answer.error();
  editor.notify("initialized", Json::object());
  return editor;
}

void BenchEditor::send(std::string_view body) {
  const std::string frame = lsp::frame(body);
  for (std::size_t sent = 0; sent < frame.size();) {
    const ssize_t n = write(process_.in, frame.data() + sent, frame.size() - sent);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // the process is gone, which is noticed where it is read
    sent += static_cast<std::size_t>(n);
  }
}

void BenchEditor::notify(std::string_view method, Json params) {
  send(lsp::notification(method, std::move(params)));
}

int BenchEditor::request(std::string_view method, Json params) {
  send(lsp::request(++last_id_, method, std::move(params)));
  return last_id_;
}

void BenchEditor::open(const std::string& uri, const std::string& text, std::string_view language) {
  notify(
      "textDocument/didOpen",
      {{"textDocument", {{"uri", uri}, {"languageId", language}, {"version", 1}, {"text", text}}}});
}

int BenchEditor::complete(const std::string& uri, int line, int character) {
  return request("textDocument/inlineCompletion",
                 {{"textDocument", {{"uri", uri}}},
                  {"position", {{"line", line}, {"character", character}}},
                  {"context", {{"triggerKind", 2}}}});
}

Result<std::vector<int>> BenchEditor::read() {
  std::array<char, 1 << 16> buffer{};
  const ssize_t n = ::read(process_.out, buffer.data(), buffer.size());
  if (n < 0 && errno == EINTR) return std::vector<int>();
  if (n <= 0) return fail(ErrorCode::Unavailable, "`lacuna lsp` has ended; see `lacuna doctor`");
  frames_.push({buffer.data(), static_cast<std::size_t>(n)});
  std::vector<int> ids;
  for (;;) {
    Result<std::optional<std::string>> body = frames_.next();
    if (!body) return body.error();
    if (!*body) return ids;
    lsp::BadMessage bad{};
    std::optional<lsp::Message> message = lsp::parse_message(**body, bad);
    if (!message || message->kind != lsp::Message::Kind::Response) continue;
    if (!message->id.is_number_integer()) continue;
    ids.push_back(message->id.get<int>());
    answers_.insert_or_assign(ids.back(), std::move(*message));
  }
}

Result<lsp::Message> BenchEditor::answer(int id) {
  while (!answers_.contains(id)) {
    if (const auto got = read(); !got) return got.error();
  }
  return std::move(answers_.extract(id).mapped());
}

Result<lsp::Message> BenchEditor::call(std::string_view method, Json params) {
  return answer(request(method, std::move(params)));
}

}  // namespace lacuna::cli
