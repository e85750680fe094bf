#include "daemon/replay.h"

#include <set>

#include "lsp/json_rpc.h"
#include "lsp/protocol.h"
#include "lsp/text_document.h"

namespace lacuna::daemon {

using lsp::Json;
using lsp::Message;

struct Replay::State {
  struct Document {
    std::string language;
    std::int64_t version = 0;
    lsp::TextDocument content;
  };
  struct Waiting {
    Json id;
    std::string method;
    Json params;
    int deaths = 0;  // daemons that died while it waited
  };

  void notification(const Message& message);
  void change(const Message& message);

  Json initialize;  // params; null before
  Json initialize_id;
  bool initialized = false;  // the notification came
  bool answered = false;     // the client has its answer to initialize
  lsp::PositionEncoding encoding = lsp::PositionEncoding::Utf16;
  std::map<std::string, Document> documents;
  std::map<std::string, Waiting> waiting;  // by id
  Json configuration;                      // params of the last didChangeConfiguration
  std::vector<Json> folder_events;
  std::set<std::string> progress;  // tokens of work-done progress that has begun, as JSON
  std::string replay_id;           // of the initialize that was sent last
  int restarts = 0;
  // Since the last restart. A daemon that was connected to while it died has worked on nothing.
  bool heard = false;
  std::optional<std::int64_t> process_id;
  std::string version;
  bool shut_down = false;
  bool ended_daemon = false;  // by lacuna.shutdownDaemon, which was answered
  bool exit = false;
};

Replay::Replay() : state_(std::make_unique<State>()) {}
Replay::Replay(Replay&& other) noexcept = default;
Replay& Replay::operator=(Replay&& other) noexcept = default;
Replay::~Replay() = default;

void Replay::State::change(const Message& message) {
  const auto did_change = lsp::read_did_change(message.params);
  const auto found = did_change ? documents.find(did_change->uri) : documents.end();
  if (found == documents.end()) return;
  for (const lsp::ContentChange& one : did_change->changes) {
    if (one.range) {
      (void)found->second.content.replace(*one.range, encoding, one.text);
    } else {
      found->second.content = lsp::TextDocument(one.text);
    }
  }
  found->second.version = did_change->version;
}

void Replay::State::notification(const Message& message) {
  if (message.method == "initialized") initialized = true;
  if (message.method == "exit") exit = true;
  if (message.method == "workspace/didChangeConfiguration") configuration = message.params;
  if (message.method == "workspace/didChangeWorkspaceFolders") {
    folder_events.push_back(message.params);
  }
  if (message.method == "textDocument/didChange") change(message);
  if (message.method == "textDocument/didOpen") {
    if (auto item = lsp::read_did_open(message.params)) {
      documents[item->uri] = {.language = item->language,
                              .version = item->version,
                              .content = lsp::TextDocument(std::move(item->text))};
    }
  }
  if (message.method == "textDocument/didClose") {
    if (const auto uri = lsp::read_document_uri(message.params)) documents.erase(*uri);
  }
}

void Replay::from_client(std::string_view body) {
  lsp::BadMessage bad{};
  std::optional<Message> message = lsp::parse_message(body, bad);
  if (!message) return;  // the daemon will say so
  if (message->kind == Message::Kind::Notification) return state_->notification(*message);
  if (message->kind != Message::Kind::Request) return;
  if (message->method == "initialize" && state_->initialize.is_null()) {
    state_->initialize = message->params;
    state_->initialize_id = message->id;
    state_->process_id = lsp::read_initialize(message->params).process_id;
  }
  if (message->method == "shutdown") state_->shut_down = true;
  state_->waiting.try_emplace(
      message->id.dump(),
      State::Waiting{
          .id = message->id, .method = message->method, .params = message->params, .deaths = 0});
}

bool Replay::from_daemon(std::string_view body) {
  lsp::BadMessage bad{};
  const std::optional<Message> message = lsp::parse_message(body, bad);
  state_->heard = true;
  if (!message) return true;
  if (message->kind == Message::Kind::Response) {
    const std::string id = message->id.dump();
    if (const auto node = state_->waiting.extract(id); !node.empty() && message->error.is_null()) {
      const State::Waiting& request = node.mapped();
      if (request.method == "workspace/executeCommand" &&
          lsp::string_or(request.params, "command", "") == "lacuna.shutdownDaemon") {
        state_->ended_daemon = true;
      }
    }
    if (!state_->replay_id.empty() && id == Json(state_->replay_id).dump()) return false;
    if (message->id == state_->initialize_id && !state_->answered) {
      state_->answered = true;
      if (const Json* capabilities = lsp::member(message->result, "capabilities")) {
        const std::string name = lsp::string_or(*capabilities, "positionEncoding", "utf-16");
        state_->encoding = lsp::parse_position_encoding(name).value_or(state_->encoding);
      }
      if (const Json* info = lsp::member(message->result, "serverInfo")) {
        state_->version = lsp::string_or(*info, "version", "");
      }
    }
    return true;
  }
  if (message->method == "$/progress") {
    const Json* token = lsp::member(message->params, "token");
    const Json* value = lsp::member(message->params, "value");
    if (token == nullptr || value == nullptr) return true;
    const std::string kind = lsp::string_or(*value, "kind", "");
    if (kind == "begin") state_->progress.insert(token->dump());
    if (kind == "end") state_->progress.erase(token->dump());
  }
  return true;
}

Replay::Restart Replay::restart() {
  State& state = *state_;
  Restart restart;
  const int death = state.heard ? 1 : 0;
  state.heard = false;
  state.ended_daemon = false;
  for (const std::string& token : state.progress) {
    restart.to_client.push_back(lsp::notification(
        "$/progress", {{"token", Json::parse(token)}, {"value", {{"kind", "end"}}}}));
  }
  state.progress.clear();
  if (state.initialize.is_null()) return restart;
  if (state.answered) {
    state.replay_id = "lacuna-replay-" + std::to_string(++state.restarts);
    restart.to_daemon.push_back(lsp::request(state.replay_id, "initialize", state.initialize));
  } else {  // the client still waits for it
    restart.to_daemon.push_back(lsp::request(state.initialize_id, "initialize", state.initialize));
  }
  if (state.initialized) {
    restart.to_daemon.push_back(lsp::notification("initialized", Json::object()));
  }
  for (const Json& event : state.folder_events) {
    restart.to_daemon.push_back(lsp::notification("workspace/didChangeWorkspaceFolders", event));
  }
  if (!state.configuration.is_null()) {
    restart.to_daemon.push_back(
        lsp::notification("workspace/didChangeConfiguration", state.configuration));
  }
  for (const auto& [uri, document] : state.documents) {
    restart.to_daemon.push_back(
        lsp::notification("textDocument/didOpen", {{"textDocument",
                                                    {{"uri", uri},
                                                     {"languageId", document.language},
                                                     {"version", document.version},
                                                     {"text", document.content.text()}}}}));
  }
  for (auto it = state.waiting.begin(); it != state.waiting.end();) {
    State::Waiting& request = it->second;
    if (request.method == "initialize") {
      ++it;
      continue;
    }
    request.deaths += death;
    if (request.deaths < 2) {
      restart.to_daemon.push_back(lsp::request(request.id, request.method, request.params));
      ++it;
      continue;
    }
    const bool suggestion = request.method == "textDocument/inlineCompletion" ||
                            request.method == "textDocument/completion";
    restart.to_client.push_back(
        suggestion ? lsp::response(request.id, nullptr)
                   : lsp::error_response(request.id, lsp::RpcError::RequestFailed,
                                         "the daemon ended twice while it worked on this"));
    it = state.waiting.erase(it);
  }
  return restart;
}

bool Replay::needs_no_daemon() const {
  return state_->shut_down || (state_->ended_daemon && state_->waiting.empty());
}

std::vector<std::string> Replay::answer_without_daemon() {
  std::vector<std::string> answers;
  std::erase_if(state_->waiting, [&](const auto& entry) {
    const State::Waiting& request = entry.second;
    if (!state_->shut_down) return false;
    answers.push_back(request.method == "shutdown"
                          ? lsp::response(request.id, nullptr)
                          : lsp::error_response(request.id, lsp::RpcError::InvalidRequest,
                                                "the session is shut down"));
    return true;
  });
  return answers;
}

std::optional<std::int64_t> Replay::client_process_id() const { return state_->process_id; }
std::string Replay::daemon_version() const { return state_->version; }
bool Replay::saw_exit() const { return state_->exit; }
int Replay::exit_code() const { return state_->exit && state_->shut_down ? 0 : 1; }

}  // namespace lacuna::daemon
