// A session and its client in one process.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/session.h"
#include "lsp/json_rpc.h"
#include "tests/daemon/scripted_fill_service.h"

namespace lacuna::daemon {

using lsp::Json;

// A client without transport: what it sends is handled at once, what the session posts when run().
class SessionTest : public testing::Test {
 protected:
  SessionTest() { session_ = make("s"); }

  std::unique_ptr<Session> make(std::string name) {
    return std::make_unique<Session>(
        std::move(name),
        SessionHost{.fills = &fills_,
                    .settings = &settings_,
                    .send = [this](std::string body) { sent_.push_back(Json::parse(body)); },
                    .log = [](LogLevel, const std::string&) {},
                    .sessions = [this] { return std::vector<SessionFacts>{session_->facts()}; },
                    .end_daemon = {},
                    .in_background =
                        [this](const std::function<void()>& work, std::function<void()> done) {
                          work();
                          posted_.push_back(std::move(done));
                          return true;
                        },
                    .version = "test"});
  }

  void run() {
    while (!posted_.empty()) {
      const auto call = std::move(posted_.front());
      posted_.pop_front();
      call();
    }
  }

  void notify(std::string_view method, Json params) {
    session_->receive(lsp::notification(method, std::move(params)));
  }
  int request(std::string_view method, Json params) {
    session_->receive(lsp::request(++last_id_, method, std::move(params)));
    return last_id_;
  }
  // The answer to a request; null JSON when there is none. Fails when there are two.
  Json answer(int id) {
    Json found;
    for (const Json& message : sent_) {
      if (message.contains("method") || message["id"] != id) continue;
      EXPECT_TRUE(found.is_null()) << "two answers to " << id;
      found = message;
    }
    return found;
  }
  Json result(int id) { return answer(id).value("result", Json("no result")); }
  int error(int id) {
    const Json found = answer(id);
    return found.contains("error") ? found["error"]["code"].get<int>() : 0;
  }
  std::vector<Json> sent(std::string_view method) {
    std::vector<Json> all;
    for (const Json& message : sent_) {
      if (message.value("method", "") == method) all.push_back(message["params"]);
    }
    return all;
  }

  void initialize(Json extra = Json::object()) {
    Json params = {{"processId", nullptr}, {"rootUri", nullptr}, {"capabilities", Json::object()}};
    params.update(extra);
    request("initialize", params);
    notify("initialized", Json::object());
  }
  void open(std::string uri, std::string text, std::string language = "python") {
    notify("textDocument/didOpen",
           {{"textDocument",
             {{"uri", uri}, {"languageId", language}, {"version", 1}, {"text", text}}}});
  }
  void type(std::string uri, int line, int character, std::string text) {
    const Json at = {{"line", line}, {"character", character}};
    notify("textDocument/didChange",
           {{"textDocument", {{"uri", uri}, {"version", ++version_}}},
            {"contentChanges", {{{"range", {{"start", at}, {"end", at}}}, {"text", text}}}}});
  }
  int complete(std::string uri, int line, int character, int kind = 2) {
    return request("textDocument/inlineCompletion",
                   {{"textDocument", {{"uri", uri}}},
                    {"position", {{"line", line}, {"character", character}}},
                    {"context", {{"triggerKind", kind}}}});
  }
  std::string outcome() {
    return result(
        request("workspace/executeCommand", {{"command", "lacuna.explainLast"}}))["outcome"];
  }
  // Ends the newest order that is open.
  void finish(Result<FillAnswer> filled) {
    fills_.finish(fills_.open().rbegin()->first, std::move(filled));
  }

  std::deque<std::function<void()>> posted_;
  ScriptedFillService fills_{
      [this](std::function<void()> call) { posted_.push_back(std::move(call)); }};
  SettingsState settings_;
  std::vector<Json> sent_;
  int last_id_ = 0;
  int version_ = 1;
  std::unique_ptr<Session> session_;
};

inline constexpr const char* kUri = "file:///w/a.py";

}  // namespace lacuna::daemon
