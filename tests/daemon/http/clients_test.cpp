// The requests of clients that we did not write, recorded or rebuilt from their sources (the first
// line of each file says from where), and the fields of the answer that they read.
#include <fstream>
#include <memory>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/daemon/http/http_server_fixture.h"

namespace lacuna::daemon::http {
namespace {

using nlohmann::json;

constexpr const char* kPrefix = "def add(a, b):\n    return ";
constexpr const char* kSuffix = "\n\nprint(add(1, 2))\n";

// A file of tests/data/http, with what a client's library adds: Host and the length.
std::string recorded(const std::string& name) {
  std::ifstream file(LACUNA_TEST_DATA "/http/" + name + ".http", std::ios::binary);
  EXPECT_TRUE(file) << name;
  std::string line;
  std::getline(file, line);  // the comment
  std::string head;
  while (std::getline(file, line) && !line.empty()) {
    head += line + "\r\n";
    if (head == line + "\r\n") head += "Host: 127.0.0.1:8012\r\n";
  }
  std::ostringstream body;
  body << file.rdbuf();
  const std::string text = body.str();
  if (!text.empty()) head += "Content-Length: " + std::to_string(text.size()) + "\r\n";
  return head + "\r\n" + text;
}

class ClientsTest : public testing::Test {
 protected:
  Reply send(const std::string& name) {
    Client client(server_.port);
    client.send(recorded(name));
    return client.receive();
  }

  FillOrder last_order() {
    return server_.on_loop([this] { return server_.fills.history().back(); });
  }

  void expect_the_hole_of_add(const FillOrder& order) {
    EXPECT_EQ(order.text, std::string(kPrefix) + kSuffix);
    ASSERT_EQ(order.holes.size(), 1U);
    EXPECT_EQ(order.holes[0].begin, std::string(kPrefix).size());
    EXPECT_EQ(order.holes[0].end, order.holes[0].begin);
  }

  TestServer server_;
};

// The data of each event.
std::vector<std::string> events(const std::string& stream) {
  std::vector<std::string> all;
  std::istringstream lines(stream);
  for (std::string line; std::getline(lines, line);) {
    if (line.compare(0, 6, "data: ") == 0) all.push_back(line.substr(6));
  }
  return all;
}

// The texts of a stream of completions, which ends as OpenAI's does.
std::string streamed_text(const std::string& stream) {
  const std::vector<std::string> all = events(stream);
  if (all.size() < 2 || all.back() != "[DONE]") return "no stream that ends: " + stream;
  std::string text;
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    text += json::parse(all[i]).at("choices").at(0).at("text").get<std::string>();
  }
  return text;
}

TEST_F(ClientsTest, LlamaVimGetsItsFieldsFlattenedOnOneLine) {
  server_.answer_with("a + b");
  const Reply reply = send("llama_vim_fim");
  EXPECT_EQ(reply.status, 200);
  // It looks for this text before it parses.
  EXPECT_EQ(reply.body.find("{\"content\":\"a + b\","), 0U);
  EXPECT_EQ(reply.body.find('\n'), std::string::npos);
  const json body = json::parse(reply.body);
  EXPECT_EQ(body.size(), 11U);
  for (const char* key :
       {"timings/prompt_n", "timings/prompt_ms", "timings/prompt_per_token_ms",
        "timings/prompt_per_second", "timings/predicted_n", "timings/predicted_ms",
        "timings/predicted_per_token_ms", "timings/predicted_per_second", "tokens_cached"}) {
    EXPECT_TRUE(body.at(key).is_number()) << key;
  }
  EXPECT_EQ(body.at("timings/predicted_ms"), 250);
  EXPECT_EQ(body.at("timings/predicted_n"), 5);
  EXPECT_EQ(body.at("truncated"), false);
  const FillOrder order = last_order();
  expect_the_hole_of_add(order);
  EXPECT_EQ(order.language, "python");  // by the names of its chunks
  ASSERT_EQ(order.context.size(), 2U);
  EXPECT_EQ(order.context[0].path, "shapes.py");
  EXPECT_EQ(order.context[0].text, "import math\n");
  EXPECT_EQ(order.options.max_hole_tokens, 64);  // it asked for 128: the server bounds that
}

// With the suggestion that it shows it asks for what comes next, as if it had been taken.
TEST_F(ClientsTest, LlamaVimAsksAheadOfItsSuggestion) {
  server_.answer_with("\n    # done");
  const json body = json::parse(send("llama_vim_speculative").body);
  EXPECT_EQ(body.at("content"), "\n    # done");
  const FillOrder order = last_order();
  EXPECT_EQ(order.text, std::string(kPrefix) + "a + b" + kSuffix);
  EXPECT_EQ(order.holes.at(0).begin, std::string(kPrefix).size() + 5);
}

TEST_F(ClientsTest, WarmUpsAreAnsweredAtOnceWithoutTheEngine) {
  // No script: an order would never be answered.
  EXPECT_EQ(send("llama_vim_warm_up").body, "{}");
  const json body = json::parse(send("llama_vscode_warm_up").body);
  EXPECT_EQ(body.at("content"), "");
  EXPECT_TRUE(server_.on_loop([this] { return server_.fills.history().empty(); }));
}

TEST_F(ClientsTest, LlamaVsCodeGetsAlternativesWithNestedTimings) {
  server_.answer_with("a + b;");
  const json body = json::parse(send("llama_vscode_fim").body);
  ASSERT_EQ(body.size(), 3U);
  EXPECT_EQ(body[0].at("content"), "a + b;");
  EXPECT_EQ(body[2].at("content"), "a + b;2");
  for (const json& it : body) {
    EXPECT_TRUE(it.at("tokens_cached").is_number());
    EXPECT_TRUE(it.at("truncated").is_boolean());
    EXPECT_EQ(it.at("generation_settings").at("n_ctx"), 2048);
    EXPECT_EQ(it.at("timings").at("predicted_ms"), 250);
    EXPECT_TRUE(it.at("timings").at("prompt_per_second").is_number());
  }
  EXPECT_EQ(last_order().alternatives, 3);
}

TEST_F(ClientsTest, LlamaVsCodesAdaptersAreIgnored) {
  server_.answer_with("a + b;");
  const Reply reply = send("llama_vscode_lora");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(json::parse(reply.body).at(0).at("content"), "a + b;");
}

TEST_F(ClientsTest, LlamaVsCodeReadsOpenAisAnswer) {
  server_.answer_with("a + b");
  const json body = json::parse(send("llama_vscode_openai").body);
  EXPECT_EQ(body.at("choices").at(0).at("text"), "a + b");
  EXPECT_EQ(body.at("choices").at(0).at("finish_reason"), "stop");
  EXPECT_EQ(body.at("usage").at("completion_tokens"), 5);
  EXPECT_TRUE(body.at("usage").at("prompt_tokens").is_number());
  EXPECT_TRUE(body.at("created").is_number());
  EXPECT_EQ(body.at("model"), "scripted");
  expect_the_hole_of_add(last_order());
}

TEST_F(ClientsTest, ContinueReadsAStreamOfTexts) {
  server_.answer_with("a + b");
  const Reply reply = send("continue_openai");
  EXPECT_EQ(reply.header("content-type"), "text/event-stream");
  EXPECT_EQ(streamed_text(reply.body), "a + b");
  const auto all = events(reply.body);
  EXPECT_EQ(json::parse(all[all.size() - 2]).at("choices").at(0).at("finish_reason"), "stop");
  expect_the_hole_of_add(last_order());
}

TEST_F(ClientsTest, ContinueReadsAStreamOfMistralsDeltas) {
  server_.answer_with("a + b");
  const auto all = events(send("continue_mistral").body);
  ASSERT_GE(all.size(), 2U);
  EXPECT_EQ(all.back(), "[DONE]");
  std::string text;
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    text += json::parse(all[i]).at("choices").at(0).at("delta").at("content").get<std::string>();
  }
  EXPECT_EQ(text, "a + b");
  const FillOrder order = last_order();
  expect_the_hole_of_add(order);
  EXPECT_EQ(order.language, "python");
  ASSERT_EQ(order.context.size(), 1U);
  EXPECT_EQ(order.context[0].path, "src/shapes.py");
}

TEST_F(ClientsTest, ContinueReadsAStreamOfLlamaCpps) {
  server_.answer_with("a + b");
  std::string text;
  json last;
  for (const std::string& event : events(send("continue_llama_cpp").body)) {
    last = json::parse(event);
    text += last.at("content").get<std::string>();
  }
  EXPECT_EQ(text, "a + b");
  EXPECT_EQ(last.at("stop"), true);
  expect_the_hole_of_add(last_order());
}

TEST_F(ClientsTest, ContinueSeesThatOllamasModelFillsGaps) {
  const json body = json::parse(send("continue_ollama_show").body);
  EXPECT_NE(body.at("template").get<std::string>().find(".Suffix"), std::string::npos);
  EXPECT_EQ(body.at("parameters"), "");
}

TEST_F(ClientsTest, ContinueReadsOllamasLines) {
  server_.answer_with("a + b");
  const Reply reply = send("continue_ollama");
  EXPECT_EQ(reply.header("content-type"), "application/x-ndjson");
  std::istringstream lines(reply.body);
  std::string text;
  json last;
  for (std::string line; std::getline(lines, line);) {
    last = json::parse(line);
    text += last.at("response").get<std::string>();
  }
  EXPECT_EQ(text, "a + b");
  EXPECT_EQ(last.at("done"), true);
  EXPECT_EQ(last.at("done_reason"), "stop");
  EXPECT_EQ(last.at("eval_duration"), 250'000'000);
  EXPECT_EQ(last.at("model"), "qwen2.5-coder:1.5b");
  expect_the_hole_of_add(last_order());
}

// It parses into a struct: an answer without one of these fields, or with one of another type, is an
// error to it.
TEST_F(ClientsTest, ZedFindsEveryFieldOfItsStruct) {
  server_.answer_with("a + b");
  const json body = json::parse(send("zed_openai").body);
  for (const char* key : {"id", "object", "model"}) EXPECT_TRUE(body.at(key).is_string()) << key;
  EXPECT_TRUE(body.at("created").is_number_unsigned());
  ASSERT_EQ(body.at("choices").size(), 1U);
  EXPECT_EQ(body.at("choices").at(0).at("text"), "a + b");
  EXPECT_TRUE(body.at("choices").at(0).at("finish_reason").is_string());
  for (const char* key : {"prompt_tokens", "completion_tokens", "total_tokens"}) {
    EXPECT_TRUE(body.at("usage").at(key).is_number_unsigned()) << key;
  }
  expect_the_hole_of_add(last_order());
}

TEST_F(ClientsTest, ZedReadsOllamasResponse) {
  server_.answer_with("a + b");
  const json body = json::parse(send("zed_ollama").body);
  EXPECT_EQ(body.at("response"), "a + b");
  EXPECT_TRUE(body.at("created_at").is_string());
  const FillOrder order = last_order();
  expect_the_hole_of_add(order);
  EXPECT_EQ(order.options.sampling.temperature, 0);  // it sends 0.2
}

TEST_F(ClientsTest, MinuetReadsAStreamThatItsStopWordEnds) {
  server_.answer_with("a + b\n\nprint(1)");
  std::string text;
  for (const std::string& event : events(send("minuet_fim").body)) {
    if (event != "[DONE]") text += json::parse(event).at("choices").at(0).at("text");
  }
  EXPECT_EQ(text, "a + b");
  const FillOrder order = last_order();
  EXPECT_EQ(order.language, "python");  // as its comment says
  EXPECT_NE(order.text.find(std::string(kPrefix) + kSuffix), std::string::npos);
}

TEST_F(ClientsTest, MinuetPutsTheHoleIntoThePromptForLlamaCpp) {
  server_.answer_with("a + b");
  const Reply reply = send("minuet_llama_cpp");
  EXPECT_EQ(reply.header("content-type"), "text/event-stream");
  EXPECT_EQ(streamed_text(reply.body), "a + b");
  const FillOrder order = last_order();
  expect_the_hole_of_add(order);
  EXPECT_EQ(order.options.max_hole_tokens, 56);
}

TEST_F(ClientsTest, MinuetReadsMistralsDeltas) {
  server_.answer_with("a + b\n\nprint(1)");
  const auto all = events(send("minuet_codestral").body);
  ASSERT_GE(all.size(), 2U);
  EXPECT_EQ(all.back(), "[DONE]");
  std::string text;
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    text += json::parse(all[i]).at("choices").at(0).at("delta").at("content").get<std::string>();
  }
  EXPECT_EQ(text, "a + b");
  EXPECT_EQ(last_order().language, "python");
}

// It sends one request for each of its n_completions, all at once and all alike.
TEST_F(ClientsTest, MinuetsEqualRequestsAreAllAnswered) {
  server_.answer_with("a + b");
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<Client>(server_.port));
    clients.back()->send(recorded("minuet_fim"));
  }
  for (const auto& client : clients) {
    const Reply reply = client->receive();
    EXPECT_EQ(reply.status, 200);
    EXPECT_NE(reply.body.find("a + b"), std::string::npos);
    EXPECT_NE(reply.body.find("[DONE]"), std::string::npos);
  }
}

TEST_F(ClientsTest, TabbyReadsChoicesAndHealth) {
  server_.answer_with("a + b");
  const json body = json::parse(send("tabby_agent").body);
  EXPECT_TRUE(body.at("id").is_string());
  EXPECT_EQ(body.at("choices").at(0).at("index"), 0);
  EXPECT_EQ(body.at("choices").at(0).at("text"), "a + b");
  const FillOrder order = last_order();
  expect_the_hole_of_add(order);
  EXPECT_EQ(order.language, "python");
  EXPECT_EQ(order.context.size(), 3U);
  const json health = json::parse(send("tabby_health").body);
  EXPECT_EQ(health.at("status"), "ok");
  for (const char* key :
       {"model", "device", "arch", "cpu_info", "cpu_count", "cuda_devices", "version"}) {
    EXPECT_TRUE(health.contains(key)) << key;
  }
}

}  // namespace
}  // namespace lacuna::daemon::http
