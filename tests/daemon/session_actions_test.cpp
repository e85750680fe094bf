// Code actions of `Session` that read the grammar: fix a syntax error, rewrite a part.
#include <gtest/gtest.h>

#include "tests/daemon/session_fixture.h"

namespace lacuna::daemon {
namespace {

// Titles of the actions at a place of the document, where the client can resolve them.
class CodeActionTest : public SessionTest {
 protected:
  CodeActionTest() {
    initialize({{"capabilities",
                 {{"workspace", {{"workspaceEdit", {{"documentChanges", true}}}}},
                  {"textDocument",
                   {{"codeAction",
                     {{"dataSupport", true}, {"resolveSupport", {{"properties", {"edit"}}}}}}}}}}});
  }
  Json actions_at(int line, int character, Json diagnostics = Json::array()) {
    const Json at = {{"line", line}, {"character", character}};
    return result(request("textDocument/codeAction",
                          {{"textDocument", {{"uri", kUri}}},
                           {"range", {{"start", at}, {"end", at}}},
                           {"context", {{"diagnostics", std::move(diagnostics)}}}}));
  }
  static Json titled(const Json& actions, std::string_view title) {
    for (const Json& action : actions) {
      if (action["title"] == title) return action;
    }
    return {};
  }
  // As the engine answers: the fill, and how it fits.
  static FillAnswer answer_with(const std::string& text, SyntaxState state, std::string reason) {
    FillAnswer answer = answer_of({text});
    HoleSyntax& syntax = answer.syntax.emplace_back().emplace_back();
    syntax.state = state;
    syntax.reason = std::move(reason);
    return answer;
  }
};

TEST_F(CodeActionTest, ASyntaxErrorIsFixedByAVersionedEditThatParses) {
  open(kUri, "total = 1\nx = f(1 +)\ny = 2\n");
  EXPECT_TRUE(titled(actions_at(0, 3), "Fix this syntax error").is_null());
  EXPECT_TRUE(titled(actions_at(2, 0), "Fix this syntax error").is_null());
  const Json diagnostic = {{"message", "invalid syntax"}};
  const Json fix = titled(actions_at(1, 0, {diagnostic}), "Fix this syntax error");
  ASSERT_FALSE(fix.is_null());
  EXPECT_EQ(fix["kind"], "quickfix");
  EXPECT_EQ(fix["diagnostics"][0], diagnostic);
  const int resolved = request("codeAction/resolve", fix);
  const FillOrder& order = fills_.history().back();
  ASSERT_EQ(order.holes.size(), 1U);
  EXPECT_EQ(order.text.substr(order.holes[0].begin, order.holes[0].end - order.holes[0].begin),
            "x = f(1 +)");
  finish(answer_with("x = f(1 + 2)", SyntaxState::Parses, ""));
  const Json change = result(resolved)["edit"]["documentChanges"][0];
  EXPECT_EQ(change["textDocument"]["version"], 1);
  EXPECT_EQ(change["edits"][0]["newText"], "x = f(1 + 2)");
}

TEST_F(CodeActionTest, AFixThatLeavesAnErrorIsRefusedWithTheReason) {
  open(kUri, "x = f(1 +)\n");
  notify("workspace/didChangeConfiguration", {{"settings", {{"lacuna", {{"syntax", false}}}}}});
  const Json fix = titled(actions_at(0, 9), "Fix this syntax error");
  ASSERT_FALSE(fix.is_null());
  const auto told = [&](FillAnswer filled) {
    const int id = request("codeAction/resolve", fix);
    EXPECT_TRUE(fills_.history().back().syntax) << "a fix is checked whatever the setting says";
    finish(std::move(filled));
    return answer(id).value("error", Json::object()).value("message", "");
  };
  EXPECT_NE(told(answer_with("x = f(1 -)", SyntaxState::NoWorse, "")).find("around it parses"),
            std::string::npos);
  EXPECT_NE(told(answer_with("x", SyntaxState::Withheld, "unexpected `)`")).find("unexpected `)`"),
            std::string::npos);
  EXPECT_NE(told(answer_with("x", SyntaxState::Unchecked, "the parser is lost")).find("is lost"),
            std::string::npos);
}

TEST_F(CodeActionTest, ARewriteBelowStrengthOneFillsWhatTheModelIsLeastSureOf) {
  const std::string text = "def f(a):\n    b = a + 1\n    return b\n";
  open(kUri, text);
  EXPECT_FALSE(titled(actions_at(1, 0), "Rewrite f").is_null());
  const Json part = titled(actions_at(1, 0), "Rewrite the least certain part of f");
  ASSERT_FALSE(part.is_null());
  const int resolved = request("codeAction/resolve", part);
  ASSERT_TRUE(fills_.history().back().least_certain.has_value());
  EXPECT_GT(*fills_.history().back().least_certain, 0);
  EXPECT_LT(*fills_.history().back().least_certain, 1);
  FillAnswer chosen;
  const std::size_t at = text.find("a + 1");
  chosen.least_certain.push_back({.begin = at, .end = at + 5, .tokens = {}, .hint = {}});
  finish(std::move(chosen));
  EXPECT_TRUE(answer(resolved).is_null());
  const FillOrder& order = fills_.history().back();
  EXPECT_FALSE(order.least_certain.has_value());
  ASSERT_EQ(order.holes.size(), 1U);
  EXPECT_EQ(order.holes[0].begin, at);
  finish(answer_of({"a - 1"}));
  const Json edits = result(resolved)["edit"]["documentChanges"][0]["edits"];
  ASSERT_EQ(edits.size(), 1U);
  EXPECT_EQ(edits[0]["newText"], "a - 1");
  EXPECT_EQ(edits[0]["range"]["start"]["character"], 8);
}

TEST_F(CodeActionTest, AStrengthIsAShareAndOnlyOfARewrite) {
  open(kUri, "def f(a):\n    return a\n");
  const auto refused = [&](std::string what, Json strength) {
    const Json at = {{"line", 1}, {"character", 0}};
    return error(request("lacuna/fill", {{"textDocument", {{"uri", kUri}}},
                                         {"what", what},
                                         {"range", {{"start", at}, {"end", at}}},
                                         {"strength", strength}}));
  };
  EXPECT_EQ(refused("rewrite", 1.5), -32602);
  EXPECT_EQ(refused("rewrite", "half"), -32602);
  EXPECT_EQ(refused("implement", 0.5), -32602);
  EXPECT_EQ(refused("rewrite", 0.5), 0);
  type(kUri, 0, 0, "#");
  run();
  EXPECT_EQ(fills_.history().size(), 1U);
}

}  // namespace
}  // namespace lacuna::daemon
