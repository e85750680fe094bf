#include "daemon/replay.h"

#include <gtest/gtest.h>

#include "lsp/json_rpc.h"

namespace lacuna::daemon {
namespace {

using lsp::Json;

class ReplayTest : public testing::Test {
 protected:
  ReplayTest() {
    replay_.from_client(lsp::request(1, "initialize", {{"processId", 42}}));
    replay_.from_daemon(lsp::response(1, {{"capabilities", {{"positionEncoding", "utf-16"}}},
                                          {"serverInfo", {{"version", "9"}}}}));
    replay_.from_client(lsp::notification("initialized", Json::object()));
  }
  void open(std::string uri, std::string text) {
    replay_.from_client(lsp::notification(
        "textDocument/didOpen",
        {{"textDocument", {{"uri", uri}, {"languageId", "c"}, {"version", 1}, {"text", text}}}}));
  }
  static std::vector<Json> parsed(const std::vector<std::string>& bodies) {
    std::vector<Json> all;
    for (const std::string& body : bodies) all.push_back(Json::parse(body));
    return all;
  }
  static std::vector<std::string> methods(const std::vector<std::string>& bodies) {
    std::vector<std::string> all;
    for (const Json& json : parsed(bodies)) all.push_back(json.value("method", ""));
    return all;
  }

  Replay replay_;
};

TEST_F(ReplayTest, ADaemonThatTheSessionHasEndedIsOnlyNeededForTheNextRequest) {
  EXPECT_FALSE(replay_.needs_no_daemon());
  const Json command = {{"command", "lacuna.shutdownDaemon"}};
  replay_.from_client(lsp::request(2, "workspace/executeCommand", command));
  EXPECT_FALSE(replay_.needs_no_daemon());
  replay_.from_daemon(lsp::response(2, nullptr));
  EXPECT_TRUE(replay_.needs_no_daemon());
  open("file:///a", "");
  EXPECT_TRUE(replay_.needs_no_daemon());
  replay_.from_client(lsp::request(3, "lacuna/status", nullptr));
  EXPECT_TRUE(replay_.answer_without_daemon().empty());
  EXPECT_FALSE(replay_.needs_no_daemon());
  EXPECT_EQ(methods(replay_.restart().to_daemon).back(), "lacuna/status");
  replay_.from_daemon(lsp::response(3, nullptr));
  EXPECT_FALSE(replay_.needs_no_daemon()) << "the new one was not ended by anybody";
}

TEST_F(ReplayTest, ARefusedEndOfTheDaemonIsNone) {
  const Json command = {{"command", "lacuna.shutdownDaemon"}};
  replay_.from_client(lsp::request(2, "workspace/executeCommand", command));
  replay_.from_daemon(lsp::error_response(2, lsp::RpcError::RequestFailed, "no"));
  EXPECT_FALSE(replay_.needs_no_daemon());
}

TEST_F(ReplayTest, AfterShutdownNoDaemonIsNeeded) {
  replay_.from_client(lsp::request(2, "shutdown", nullptr));
  replay_.from_client(lsp::request(3, "lacuna/status", nullptr));
  EXPECT_TRUE(replay_.needs_no_daemon());
  const std::vector<Json> answers = parsed(replay_.answer_without_daemon());
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_TRUE(answers[0]["result"].is_null());
  EXPECT_EQ(answers[1]["error"]["code"], -32600);
  EXPECT_TRUE(replay_.answer_without_daemon().empty());
}

TEST_F(ReplayTest, ANewDaemonGetsTheSessionAsItIs) {
  open("file:///a", "x\U0001F600y\n");
  open("file:///b", "");
  replay_.from_client(lsp::notification(
      "textDocument/didChange",
      {{"textDocument", {{"uri", "file:///a"}, {"version", 5}}},
       {"contentChanges",
        {{{"range",
           {{"start", {{"line", 0}, {"character", 3}}}, {"end", {{"line", 0}, {"character", 4}}}}},
          {"text", "z"}}}}}));
  replay_.from_client(
      lsp::notification("textDocument/didClose", {{"textDocument", {{"uri", "file:///b"}}}}));
  const auto restart = replay_.restart();
  EXPECT_EQ(methods(restart.to_daemon),
            (std::vector<std::string>{"initialize", "initialized", "textDocument/didOpen"}));
  const Json document = parsed(restart.to_daemon).back()["params"]["textDocument"];
  EXPECT_EQ(document["text"], "x\U0001F600z\n");
  EXPECT_EQ(document["version"], 5);
  EXPECT_TRUE(restart.to_client.empty());
}

TEST_F(ReplayTest, TheAnswerToTheReplaysOwnInitializeIsNotForTheClient) {
  const Json id = parsed(replay_.restart().to_daemon).front()["id"];
  EXPECT_FALSE(replay_.from_daemon(lsp::response(id, Json::object())));
  EXPECT_TRUE(replay_.from_daemon(lsp::response(2, nullptr)));
}

TEST_F(ReplayTest, ARequestThatWaitsIsSentAgainOnce) {
  replay_.from_client(lsp::request(7, "textDocument/inlineCompletion", Json::object()));
  replay_.from_client(lsp::request(8, "lacuna/fill", Json::object()));
  replay_.from_client(lsp::request(9, "lacuna/status", Json::object()));
  replay_.from_daemon(lsp::response(9, nullptr));
  const auto first = replay_.restart();
  EXPECT_EQ(methods(first.to_daemon),
            (std::vector<std::string>{"initialize", "initialized", "textDocument/inlineCompletion",
                                      "lacuna/fill"}));
  replay_.from_daemon(lsp::notification("window/logMessage", Json::object()));
  const auto second = replay_.restart();
  EXPECT_EQ(methods(second.to_daemon), (std::vector<std::string>{"initialize", "initialized"}));
  const std::vector<Json> answers = parsed(second.to_client);
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_TRUE(answers[0].contains("result") && answers[0]["result"].is_null());
  EXPECT_EQ(answers[1]["error"]["code"], -32803);
}

TEST_F(ReplayTest, ADaemonThatSaidNothingDiedOfNoRequest) {
  replay_.from_client(lsp::request(7, "lacuna/fill", Json::object()));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(replay_.restart().to_client.empty());
}

TEST_F(ReplayTest, ProgressThatTheDeadDaemonBeganEnds) {
  replay_.from_daemon(
      lsp::notification("$/progress", {{"token", "t"}, {"value", {{"kind", "begin"}}}}));
  replay_.from_daemon(
      lsp::notification("$/progress", {{"token", 5}, {"value", {{"kind", "begin"}}}}));
  replay_.from_daemon(
      lsp::notification("$/progress", {{"token", 5}, {"value", {{"kind", "end"}}}}));
  const auto restart = replay_.restart();
  ASSERT_EQ(restart.to_client.size(), 1U);
  EXPECT_EQ(Json::parse(restart.to_client[0])["params"]["token"], "t");
}

TEST_F(ReplayTest, TheExitCodeIsThatOfTheSpecification) {
  EXPECT_FALSE(replay_.saw_exit());
  EXPECT_EQ(replay_.exit_code(), 1);
  replay_.from_client(lsp::request(3, "shutdown", nullptr));
  EXPECT_EQ(replay_.exit_code(), 1);
  replay_.from_client(lsp::notification("exit", nullptr));
  EXPECT_TRUE(replay_.saw_exit());
  EXPECT_EQ(replay_.exit_code(), 0);
}

TEST_F(ReplayTest, KnowsWhoIsAtBothEnds) {
  EXPECT_EQ(replay_.client_process_id(), 42);
  EXPECT_EQ(replay_.daemon_version(), "9");
}

TEST(ReplayStartTest, AClientThatHasNoAnswerToInitializeYetGetsIt) {
  Replay replay;
  replay.from_client(lsp::request("first", "initialize", Json::object()));
  const auto restart = replay.restart();
  ASSERT_EQ(restart.to_daemon.size(), 1U);
  const Json id = Json::parse(restart.to_daemon[0])["id"];
  EXPECT_EQ(id, "first");
  EXPECT_TRUE(replay.from_daemon(lsp::response(id, Json::object())));
}

TEST(ReplayStartTest, NoisePassesThrough) {
  Replay replay;
  replay.from_client("nonsense");
  EXPECT_TRUE(replay.from_daemon("nonsense"));
  EXPECT_TRUE(replay.restart().to_daemon.empty());
}

}  // namespace
}  // namespace lacuna::daemon
