#include "daemon/session.h"

#include <algorithm>
#include <filesystem>
#include <unistd.h>

#include "daemon/session_impl.h"
#include "support/file.h"
#include "support/language.h"

namespace lacuna::daemon {

using lsp::Message;
using lsp::RpcError;

namespace {

constexpr std::uint64_t kMaxIgnoreFile = 1 << 20;
constexpr int kLogError = 1;
constexpr int kLogWarning = 2;

// By the editor's name of the language, else by the file.
std::string language_of(const std::string& id, const std::string& path, std::string_view text) {
  const Language* language = language_named(id);
  if (language == nullptr) language = language_of_file(path, text);
  return language == nullptr ? std::string() : std::string(language->name);
}

std::string loading_message(const EngineState& engine) {
  if (engine.loaded_percent == 0) return "loading the model";
  return "loading the model, " + std::to_string(engine.loaded_percent) + " %";
}

lsp::PositionEncoding choose_encoding(const std::vector<std::string>& offered) {
  const auto has = [&](std::string_view name) {
    return std::find(offered.begin(), offered.end(), name) != offered.end();
  };
  if (offered.empty() || has("utf-16")) return lsp::PositionEncoding::Utf16;
  for (const std::string& name : offered) {
    if (const auto known = lsp::parse_position_encoding(name)) return *known;
  }
  return lsp::PositionEncoding::Utf16;
}

Json capabilities(lsp::PositionEncoding encoding, const Settings& settings) {
  Json all = {
      {"positionEncoding", lsp::name_of(encoding)},
      {"textDocumentSync",
       {{"openClose", true}, {"change", 2}, {"save", {{"includeText", false}}}}},
      {"inlineCompletionProvider", Json::object()},
      {"codeActionProvider",
       {{"codeActionKinds", {"refactor.rewrite", "quickfix"}}, {"resolveProvider", true}}},
      {"executeCommandProvider",
       {{"commands",
         {"lacuna.didAccept", "lacuna.fillHoles", "lacuna.cancel", "lacuna.explainLast",
          "lacuna.unloadModel", "lacuna.shutdownDaemon"}},
        {"workDoneProgress", true}}},
      {"workspace", {{"workspaceFolders", {{"supported", true}, {"changeNotifications", true}}}}},
      {"experimental",
       {{"lacuna",
         {{"protocol", 1},
          {"multiHole", true},
          {"didShowCompletion", true},
          {"didPartiallyAcceptCompletion", true},
          {"status", true}}}}}};
  // Not empty: ALE (vim) takes an empty object for none.
  if (settings.completion) all["completionProvider"] = {{"resolveProvider", false}};
  return all;
}

}  // namespace

Session::Impl::Impl(std::string session_name, SessionHost session_host)
    : name(std::move(session_name)), host(std::move(session_host)), settings(*host.settings) {
  settings.warnings.clear();  // whoever read them has told of them
}

void Session::Impl::receive(std::string_view body) {
  lsp::BadMessage bad{};
  const std::optional<Message> message = lsp::parse_message(body, bad);
  if (!message) {
    host.log(LogLevel::Error, name + ": " + bad.message);
    if (state != State::Exited) send(lsp::error_response(bad.id, bad.code, bad.message));
    return;
  }
  switch (message->kind) {
    case Message::Kind::Request:
      return handle_request(*message);
    case Message::Kind::Notification:
      return handle_notification(*message);
    case Message::Kind::Response:
      return handle_response(*message);
  }
}

void Session::Impl::handle_request(const Message& message) {
  static const std::map<std::string, Handler, std::less<>> handlers = {
      {"initialize", &Impl::on_initialize},
      {"shutdown", &Impl::on_shutdown},
      {"textDocument/inlineCompletion", &Impl::on_inline_completion},
      {"textDocument/completion", &Impl::on_completion},
      {"textDocument/codeAction", &Impl::on_code_action},
      {"codeAction/resolve", &Impl::on_resolve},
      {"workspace/executeCommand", &Impl::on_execute_command},
      {"lacuna/fill", &Impl::on_fill},
      {"lacuna/holes", &Impl::on_holes},
      {"lacuna/status", &Impl::on_status}};
  if (pending.contains(message.id.dump())) {
    // Two answers with one id could not be told apart: the first request keeps it.
    host.log(LogLevel::Error, name + ": the id of a request is in use");
    return;
  }
  begin_request(message);
  if (state == State::New && message.method != "initialize") {
    return answer_error(message.id, RpcError::ServerNotInitialized, "initialize must come first");
  }
  if (state == State::ShutDown || state == State::Exited) {
    return answer_error(message.id, RpcError::InvalidRequest, "the session is shut down");
  }
  const auto found = handlers.find(message.method);
  if (found == handlers.end()) {
    return answer_error(message.id, RpcError::MethodNotFound,
                        "there is no method " + message.method);
  }
  (this->*found->second)(message);
}

void Session::Impl::handle_notification(const Message& message) {
  static const std::map<std::string, Handler, std::less<>> handlers = {
      {"initialized", &Impl::on_initialized},
      {"$/cancelRequest", &Impl::on_cancel},
      {"$/setTrace", &Impl::on_set_trace},
      {"window/workDoneProgress/cancel", &Impl::on_work_done_cancel},
      {"textDocument/didOpen", &Impl::on_did_open},
      {"textDocument/didChange", &Impl::on_did_change},
      {"textDocument/didClose", &Impl::on_did_close},
      {"textDocument/didSave", &Impl::on_did_save},
      {"workspace/didChangeConfiguration", &Impl::on_configuration},
      {"workspace/didChangeWorkspaceFolders", &Impl::on_folders},
      {"textDocument/didShowCompletion", &Impl::on_seen},
      {"textDocument/didPartiallyAcceptCompletion", &Impl::on_seen},
      {"textDocument/didFocus", &Impl::on_focus}};
  if (message.method == "exit") {
    exit_code = state == State::ShutDown ? 0 : 1;
    state = State::Exited;
    return;
  }
  if (state != State::Initialized) return;
  const auto found = handlers.find(message.method);
  if (found != handlers.end()) return (this->*found->second)(message);
  if (!message.method.starts_with("$/")) {
    host.log(LogLevel::Debug, name + ": nothing is done about " + message.method);
  }
}

void Session::Impl::handle_response(const Message& message) {
  const auto node = asked.extract(message.id.dump());
  if (!node.empty()) node.mapped()(message);
}

void Session::Impl::notify(std::string_view method, Json params) const {
  send(lsp::notification(method, std::move(params)));
}

void Session::Impl::ask(std::string_view method, Json params,
                        std::function<void(const Message&)> on_answer) {
  // The process is part of the id: an answer to a daemon that has died must not reach its heir.
  const Json id = "lacuna-" + std::to_string(getpid()) + "-" + std::to_string(++last_ask);
  asked.emplace(id.dump(), std::move(on_answer));
  send(lsp::request(id, method, std::move(params)));
}

PendingRequest& Session::Impl::begin_request(const Message& message) {
  PendingRequest request;
  request.id = message.id;
  request.method = message.method;
  request.since = SteadyClock::now();
  return pending[message.id.dump()] = std::move(request);
}

PendingRequest* Session::Impl::pending_request(const Json& id) {
  const auto found = pending.find(id.dump());
  return found == pending.end() ? nullptr : &found->second;
}

void Session::Impl::answer(const Json& id, Json result) {
  const auto node = pending.extract(id.dump());
  if (node.empty()) return;
  if (!node.mapped().work_done_token.is_null()) {
    report_work(node.mapped().work_done_token, "end", "", {});
  }
  if (trace != "off") {
    const std::chrono::duration<double> seconds = SteadyClock::now() - node.mapped().since;
    notify("$/logTrace", {{"message", node.mapped().method + " took " +
                                          std::to_string(seconds.count() * 1000) + " ms"}});
  }
  send(lsp::response(id, std::move(result)));
  if (node.mapped().fill != 0) tell_status();
}

void Session::Impl::answer_error(const Json& id, RpcError code, std::string_view text) {
  const auto node = pending.extract(id.dump());
  if (node.empty()) return;
  if (!node.mapped().work_done_token.is_null()) {
    report_work(node.mapped().work_done_token, "end", "", {});
  }
  send(lsp::error_response(id, code, text));
  if (node.mapped().fill != 0) tell_status();
}

void Session::Impl::log_to_client(int type, const std::string& text) const {
  notify("window/logMessage", {{"type", type}, {"message", "Lacuna: " + text}});
}

void Session::Impl::on_initialize(const Message& message) {
  if (state != State::New) {
    return answer_error(message.id, RpcError::InvalidRequest, "the session is initialized already");
  }
  client = lsp::read_initialize(message.params);
  encoding = choose_encoding(client.position_encodings);
  trace = client.trace;
  for (const lsp::WorkspaceFolder& folder : client.folders) {
    rules.folders.push_back(
        {.uri = folder.uri, .path = lsp::path_of_uri(folder.uri), .ignored = {}});
  }
  read_ignore_files();
  use_settings(nullptr);
  listener = host.fills->listen([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->on_phase_change();
  });
  host.log(LogLevel::Info,
           name + ": " + (client.client_name.empty() ? "an editor" : client.client_name));
  answer(message.id, {{"capabilities", capabilities(encoding, settings.values)},
                      {"serverInfo", {{"name", "lacuna"}, {"version", host.version}}}});
  state = State::Initialized;
  tell_status();  // not before the answer: the standard forbids it
}

void Session::Impl::on_initialized(const Message& /*message*/) {
  if (client.configuration_registration) {
    ask("client/registerCapability",
        {{"registrations",
          {{{"id", "lacuna-configuration"},
            {"method", "workspace/didChangeConfiguration"},
            {"registerOptions", {{"section", "lacuna"}}}}}}},
        [](const Message&) {});
  }
  pull_configuration();
  for (const std::string& warning : settings.warnings) {
    if (warned.insert(warning).second) log_to_client(kLogWarning, warning);
  }
}

void Session::Impl::on_shutdown(const Message& message) {
  std::vector<Json> open;
  for (const auto& [key, request] : pending) {
    if (request.id != message.id) open.push_back(request.id);
  }
  for (const Json& id : open) {
    host.fills->cancel(pending_request(id)->fill);
    answer_error(id, RpcError::RequestCancelled, "the session is shut down");
  }
  state = State::ShutDown;
  documents.clear();
  answer(message.id, nullptr);
}

void Session::Impl::on_cancel(const Message& message) {
  const Json* id = lsp::member(message.params, "id");
  PendingRequest* request = id == nullptr ? nullptr : pending_request(*id);
  if (request == nullptr) return;
  host.fills->cancel(request->fill);
  answer_error(Json(*id), RpcError::RequestCancelled, "cancelled");
}

void Session::Impl::on_set_trace(const Message& message) {
  trace = lsp::string_or(message.params, "value", "off");
}

void Session::Impl::on_work_done_cancel(const Message& message) {
  const Json* token = lsp::member(message.params, "token");
  if (token == nullptr || token->is_null()) return;
  for (const auto& [key, request] : pending) {
    if (request.work_done_token != *token) continue;
    host.fills->cancel(request.fill);
    return answer_error(Json(request.id), RpcError::RequestCancelled, "cancelled");
  }
}

void Session::Impl::on_did_open(const Message& message) {
  Result<lsp::TextDocumentItem> item = lsp::read_did_open(message.params);
  if (!item) return host.log(LogLevel::Error, name + ": didOpen: " + item.error().message);
  document_changed(item->uri);
  Document& document = documents[item->uri];
  document = Document();
  document.uri = item->uri;
  document.path = lsp::path_of_uri(item->uri);
  document.language_id = item->language;
  document.language = language_of(item->language, document.path, item->text);
  document.version = item->version;
  document.content = lsp::TextDocument(std::move(item->text));
  document.last_edit = SteadyClock::now() - std::chrono::hours(1);
  exclude_where_needed(document);
  if (item->uri == focused) tell_status();
}

void Session::Impl::on_did_change(const Message& message) {
  const Result<std::string> uri = lsp::read_document_uri(message.params);
  Document* changed = uri ? document(*uri) : nullptr;
  if (changed == nullptr) {
    return host.log(LogLevel::Error, name + ": a document was changed that is not open");
  }
  document_changed(*uri);
  const Result<lsp::DidChange> change = lsp::read_did_change(message.params);
  if (!change) {
    changed->out_of_step = true;
    return host.log(LogLevel::Error, name + ": didChange: " + change.error().message);
  }
  for (const lsp::ContentChange& one : change->changes) apply_change(*changed, one);
  changed->version = change->version;
  changed->last_edit = SteadyClock::now();
}

void Session::Impl::on_did_close(const Message& message) {
  const Result<std::string> uri = lsp::read_document_uri(message.params);
  if (!uri) return;
  document_changed(*uri);
  documents.erase(*uri);
  if (*uri == focused) tell_status();
}

void Session::Impl::on_did_save(const Message& message) {
  const Result<std::string> uri = lsp::read_document_uri(message.params);
  if (uri && uri->ends_with(kIgnoreFile)) read_ignore_files();
}

void Session::Impl::on_configuration(const Message& message) {
  const Json* sent = lsp::member(message.params, "settings");
  const Json* ours = sent == nullptr ? nullptr : lsp::member(*sent, "lacuna");
  if (ours != nullptr && ours->is_object()) use_settings(ours);
  pull_configuration();
}

void Session::Impl::pull_configuration() {
  if (!client.configuration) return;
  ask("workspace/configuration", {{"items", {{{"section", "lacuna"}}}}},
      [this](const Message& got) {
        if (got.result.is_array() && !got.result.empty() && got.result[0].is_object()) {
          use_settings(&got.result[0]);
        }
      });
}

void Session::Impl::use_settings(const Json* editor_settings) {
  settings = *host.settings;
  settings.warnings.clear();
  if (client.options.is_object()) {
    merge(settings, client.options, SettingSource::Editor, "initializationOptions");
  }
  if (editor_settings != nullptr) {
    merge(settings, *editor_settings, SettingSource::Editor, "the editor's settings");
    for (const std::string& warning : settings.warnings) {
      if (warned.insert(warning).second) log_to_client(kLogWarning, warning);
    }
  }
  rules.excluded = {};
  for (const std::string& pattern : settings.values.exclude) rules.excluded.add_line(pattern);
  neighbours.clear();
  for (auto& [uri, document] : documents) {
    exclude_where_needed(document);
    document.cache.clear();
  }
  tell_status();
}

void Session::Impl::on_folders(const Message& message) {
  const Json* event = lsp::member(message.params, "event");
  if (event == nullptr) return;
  for (const char* list : {"removed", "added"}) {
    const Json* items = lsp::member(*event, list);
    if (items == nullptr || !items->is_array()) continue;
    for (const Json& item : *items) {
      const std::string uri = lsp::string_or(item, "uri", "");
      std::erase_if(rules.folders,
                    [&](const ReadRules::Folder& folder) { return folder.uri == uri; });
      if (list == std::string_view("added") && !uri.empty()) {
        rules.folders.push_back({.uri = uri, .path = lsp::path_of_uri(uri), .ignored = {}});
      }
    }
  }
  read_ignore_files();
}

void Session::Impl::read_ignore_files() {
  for (ReadRules::Folder& folder : rules.folders) {
    folder.ignored = {};
    if (folder.path.empty()) continue;
    const auto text = read_file(std::filesystem::path(folder.path) / kIgnoreFile, kMaxIgnoreFile);
    if (text) folder.ignored.add_text(*text);
  }
  for (auto& [uri, document] : documents) exclude_where_needed(document);
  neighbours.clear();
  tell_status();
}

void Session::Impl::exclude_where_needed(Document& document) const {
  document.excluded = document.path.empty() ? "" : why_never_read(rules, document.path);
}

Document* Session::Impl::document(const std::string& uri) {
  const auto found = documents.find(uri);
  return found == documents.end() ? nullptr : &found->second;
}

void Session::Impl::document_changed(const std::string& uri) {
  supersede_suggestions(uri);
  std::vector<Json> stale;
  for (const auto& [key, request] : pending) {
    if (request.uri == uri && request.needs_same_version) stale.push_back(request.id);
  }
  for (const Json& id : stale) {
    host.fills->cancel(pending_request(id)->fill);
    answer_error(id, RpcError::ContentModified, "the document has changed meanwhile");
  }
}

void Session::Impl::on_seen(const Message& message) {
  if (message.method == "textDocument/didShowCompletion") ++shown;
  if (message.method == "textDocument/didPartiallyAcceptCompletion") ++partly_accepted;
}

void Session::Impl::on_focus(const Message& message) {
  const Result<std::string> uri = lsp::read_document_uri(message.params);
  focused = uri ? *uri : std::string();  // the standard allows none
  tell_status();
}

void Session::Impl::on_status(const Message& message) {
  const EngineState engine = host.fills->state();
  const Result<std::string> uri = lsp::read_document_uri(message.params);
  const Document* open = uri ? document(*uri) : nullptr;
  Json editors = Json::array();
  for (const SessionFacts& facts : host.sessions()) {
    Json theirs = Json::object();
    const Json all = Json::parse(facts.settings);
    for (const auto& [setting, chosen] : all.items()) {
      if (chosen["source"] == name_of(SettingSource::Editor)) theirs[setting] = chosen["value"];
    }
    editors.push_back({{"session", facts.name}, {"name", facts.client}, {"settings", theirs}});
  }
  answer(message.id, {{"document", open == nullptr ? Json() : document_status(*open)},
                      {"lastSeconds", last_seconds},
                      {"version", host.version},
                      {"model",
                       {{"phase", name_of(engine.phase)},
                        {"problem", engine.problem},
                        {"name", engine.model.name},
                        {"device", engine.model.device},
                        {"numbers", engine.model.numbers},
                        {"bytes", engine.model.bytes},
                        {"parameters", engine.model.parameters},
                        {"loadSeconds", engine.model.load_seconds}}},
                      {"queue", {{"waiting", engine.queued}, {"running", engine.running}}},
                      {"idleSeconds", engine.idle_seconds},
                      {"sessions", editors.size()},
                      {"editors", editors},
                      {"settings", chosen_settings(settings)},
                      {"session",
                       {{"name", name},
                        {"enabled", settings.values.enable},
                        {"documents", documents.size()},
                        {"positionEncoding", lsp::name_of(encoding)},
                        {"shown", shown},
                        {"accepted", accepted},
                        {"partlyAccepted", partly_accepted}}},
                      {"counters",
                       {{"submitted", engine.counters.submitted},
                        {"answered", engine.counters.answered},
                        {"cancelled", engine.counters.cancelled},
                        {"refused", engine.counters.refused},
                        {"failed", engine.counters.failed},
                        {"loads", engine.counters.loads},
                        {"unloads", engine.counters.unloads},
                        {"steps", engine.counters.steps},
                        {"busySeconds", engine.counters.busy_seconds}}},
                      {"failures", engine.failures},
                      {"processId", getpid()}});
}

void Session::Impl::on_phase_change() {
  tell_status();
  const EngineState engine = host.fills->state();
  if (engine.phase == ModelPhase::Loading) {
    if (load_begun) {
      notify("$/progress",
             {{"token", load_token},
              {"value", {{"kind", "report"}, {"percentage", engine.loaded_percent}}}});
    }
    return begin_load_progress();
  }
  end_load_progress(engine.phase == ModelPhase::Ready ? "ready" : "failed");
  if (engine.phase == ModelPhase::Failed && engine.problem != last_problem) {
    log_to_client(kLogError, engine.problem);
  }
  last_problem = engine.problem;
}

void Session::Impl::tell_status() {
  if (!client.lacuna || state != State::Initialized) return;
  const EngineState engine = host.fills->state();
  const bool works = std::any_of(pending.begin(), pending.end(),
                                 [](const auto& it) { return it.second.fill != 0; });
  std::string kind = "Normal";
  std::string message;
  if (!settings.values.enable) {
    kind = "Inactive";
    message = "switched off";
  } else if (engine.phase == ModelPhase::Failed) {
    kind = "Error";
    message = engine.problem;
  } else if (const Document* open = document(focused); open != nullptr && !open->excluded.empty()) {
    kind = "Inactive";
    message = open->excluded;
  } else if (engine.phase == ModelPhase::Loading) {
    message = loading_message(engine);
  }
  Json status = {{"busy", works || engine.phase == ModelPhase::Loading},
                 {"kind", kind},
                 {"message", message},
                 {"phase", name_of(engine.phase)},
                 {"model", engine.model.name},
                 {"device", engine.model.device}};
  const std::string text = status.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text == told_status) return;
  told_status = text;
  status["lastSeconds"] = last_seconds;
  notify("didChangeStatus", std::move(status));
}

void Session::Impl::begin_load_progress() {
  const bool waits = std::any_of(pending.begin(), pending.end(),
                                 [](const auto& it) { return it.second.fill != 0; });
  if (!waits || !client.work_done_progress || !load_token.empty()) return;
  load_token = "lacuna-load-" + std::to_string(getpid()) + "-" + std::to_string(++last_token);
  ask("window/workDoneProgress/create", {{"token", load_token}},
      [this, token = load_token](const Message& got) {
        if (!got.error.is_null() || token != load_token) return;
        load_begun = true;
        notify("$/progress", {{"token", token},
                              {"value",
                               {{"kind", "begin"},
                                {"title", "Lacuna"},
                                {"message", "loading the model"},
                                {"percentage", host.fills->state().loaded_percent},
                                {"cancellable", false}}}});
      });
}

void Session::Impl::end_load_progress(const std::string& text) {
  if (load_begun) {
    notify("$/progress", {{"token", load_token}, {"value", {{"kind", "end"}, {"message", text}}}});
  }
  load_token.clear();
  load_begun = false;
}

Session::Session(std::string name, SessionHost host)
    : impl_(std::make_shared<Impl>(std::move(name), std::move(host))) {}

Session::~Session() {
  impl_->host.fills->unlisten(impl_->listener);
  impl_->host.send = [](const std::string&) {};
  for (const auto& [key, request] : impl_->pending) impl_->host.fills->cancel(request.fill);
}

void Session::receive(std::string_view body) { impl_->receive(body); }

bool Session::has_exited() const { return impl_->state == Impl::State::Exited; }

int Session::exit_code() const { return impl_->exit_code; }

SessionFacts Session::facts() const {
  return {
      .name = impl_->name,
      .client = impl_->client.client_name,
      .settings =
          chosen_settings(impl_->settings).dump(-1, ' ', false, Json::error_handler_t::replace)};
}

std::int64_t Session::client_process_id() const { return impl_->client.process_id.value_or(0); }

}  // namespace lacuna::daemon
