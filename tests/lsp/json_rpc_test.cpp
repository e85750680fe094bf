#include "lsp/json_rpc.h"

#include <gtest/gtest.h>

namespace lacuna::lsp {
namespace {

Message message_of(std::string_view body) {
  BadMessage bad;
  std::optional<Message> message = parse_message(body, bad);
  EXPECT_TRUE(message) << bad.message;
  return message.value_or(Message{});
}

BadMessage problem_of(std::string_view body) {
  BadMessage bad;
  EXPECT_FALSE(parse_message(body, bad)) << body;
  return bad;
}

TEST(JsonRpcTest, TellsRequestsNotificationsAndResponsesApart) {
  EXPECT_EQ(message_of(R"({"jsonrpc":"2.0","id":1,"method":"a"})").kind, Message::Kind::Request);
  EXPECT_EQ(message_of(R"({"jsonrpc":"2.0","method":"a","params":[]})").kind,
            Message::Kind::Notification);
  EXPECT_EQ(message_of(R"({"jsonrpc":"2.0","id":1,"result":null})").kind, Message::Kind::Response);
}

TEST(JsonRpcTest, IdsAreNumbersOrStringsAndComeBackAsTheyWere) {
  EXPECT_EQ(message_of(R"({"jsonrpc":"2.0","id":"x7","method":"a"})").id, "x7");
  EXPECT_EQ(response(message_of(R"({"jsonrpc":"2.0","id":18446744073709551615,"method":"a"})").id,
                     nullptr),
            R"({"id":18446744073709551615,"jsonrpc":"2.0","result":null})");
}

TEST(JsonRpcTest, WhatIsNoJsonIsAParseError) {
  for (const char* body : {"", "{", "nul", "{\"a\":\"\xff\"}", "{} x"}) {
    EXPECT_EQ(problem_of(body).code, RpcError::ParseError) << body;
  }
}

TEST(JsonRpcTest, WhatIsNoMessageIsAnInvalidRequestWithItsId) {
  EXPECT_EQ(problem_of("[]").code, RpcError::InvalidRequest);
  EXPECT_EQ(problem_of(R"({"id":1,"method":"a"})").id, 1);
  EXPECT_EQ(problem_of(R"({"jsonrpc":"2.0","id":1,"method":5})").id, 1);
  EXPECT_EQ(problem_of(R"({"jsonrpc":"2.0","id":1,"method":"a","params":5})").id, 1);
  EXPECT_TRUE(problem_of(R"({"jsonrpc":"2.0","id":{},"method":"a"})").id.is_null());
  EXPECT_EQ(problem_of(R"({"jsonrpc":"2.0","id":3})").id, 3);
}

TEST(JsonRpcTest, DeepNestingIsRefusedWhateverItsBrackets) {
  for (const char* open : {"[", "{\"a\":"}) {
    std::string body;
    for (int i = 0; i < 100000; ++i) body += open;
    EXPECT_EQ(problem_of(body).code, RpcError::ParseError);
  }
  const std::string brackets_in_a_string =
      R"({"jsonrpc":"2.0","method":")" + std::string(1000, '[') + R"("})";
  EXPECT_EQ(message_of(brackets_in_a_string).method.size(), 1000U);
}

TEST(JsonRpcTest, BytesThatAreNoUtf8AreReplacedInWhatIsSent) {
  EXPECT_NE(notification("a", {{"text", "\xff"}}).find("\xEF\xBF\xBD"), std::string::npos);
}

}  // namespace
}  // namespace lacuna::lsp
