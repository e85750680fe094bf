// Connections: what HTTP asks of a server, and clients that misbehave or go away.
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/daemon/http/http_server_fixture.h"

namespace lacuna::daemon::http {
namespace {

using nlohmann::json;

constexpr const char* kInfill = R"({"input_prefix":"a","input_suffix":"b","n_predict":8})";
constexpr const char* kStream =
    R"({"input_prefix":"a","input_suffix":"\nb","n_predict":8,"stream":true})";

std::string message_of(const Reply& reply) {
  return json::parse(reply.body).at("error").at("message").get<std::string>();
}

bool open_is(TestServer& server, std::size_t n) {
  return server.wait_until([&] { return server.fills.open().size() == n; });
}

TEST(ServerTest, AnswersRequestsOfAConnectionOneAfterTheOther) {
  TestServer server;
  server.answer_with("x");
  Client client(server.port);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.ask("/infill", kInfill).status, 200);
    EXPECT_EQ(client.ask("/health").status, 200);
  }
  EXPECT_EQ(server.on_loop([&] { return server.server->connections(); }), 1U);
}

TEST(ServerTest, AnswersPipelinedRequestsInOrder) {
  TestServer server;
  Client client(server.port);
  client.send(request_bytes("POST", "/infill", kInfill, {}) +
              request_bytes("GET", "/v1/models", "", {}) +
              request_bytes("GET", "/nothing", "", {}));
  const FillId id = server.next_order();
  server.on_loop([&] { server.fills.finish(id, answer_of({"x"})); });
  EXPECT_EQ(json::parse(client.receive().body).at("content"), "x");
  EXPECT_EQ(json::parse(client.receive().body).at("object"), "list");
  EXPECT_EQ(client.receive().status, 404);
}

TEST(ServerTest, TakesARequestInAnyPieces) {
  TestServer server;
  server.answer_with("x");
  Client client(server.port);
  for (const char c : request_bytes("POST", "/infill", kInfill, {})) {
    client.send(std::string(1, c));
  }
  EXPECT_EQ(client.receive().status, 200);
}

TEST(ServerTest, TakesChunkedBodies) {
  TestServer server;
  server.answer_with("x");
  Client client(server.port);
  client.send(
      "POST /infill HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
      "1c\r\n{\"input_prefix\":\"a\",\"input_s\r\nd\r\nuffix\":\"b\"  }\r\n0\r\n\r\n");
  EXPECT_EQ(client.receive().status, 200);
}

TEST(ServerTest, TellsAClientThatWaitsToSendItsBody) {  // curl, with long bodies
  TestServer server;
  server.answer_with("x");
  Client client(server.port);
  client.send(
      "POST /infill HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: " +
      std::to_string(std::string(kInfill).size()) + "\r\n\r\n");
  EXPECT_EQ(client.receive().status, 100);
  client.send(kInfill);
  EXPECT_EQ(client.receive().status, 200);
}

TEST(ServerTest, HeadHasNoBody) {
  TestServer server;
  Client client(server.port);
  client.send(request_bytes("HEAD", "/", "", {}));
  const Reply head = client.receive(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_NE(head.header("content-length"), "0");
  EXPECT_EQ(client.ask("/health").status, 200);  // not disturbed by a body
}

TEST(ServerTest, ClosesWhenTheClientWantsItAndForHttp10) {
  TestServer server;
  for (const char* request :
       {"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n"}) {
    Client client(server.port);
    client.send(request);
    EXPECT_EQ(client.receive().status, 200);
    EXPECT_TRUE(client.ended());
  }
}

TEST(ServerTest, AClientThatHasFinishedSendingGetsWhatIsReady) {
  TestServer server;
  Client client(server.port);
  client.send(request_bytes("GET", "/health", "", {}));
  client.finish_sending();
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_TRUE(client.ended());
}

TEST(ServerTest, RefusesWhatIsNotHttp) {
  TestServer server;
  for (
      const char* bytes :
      {"\x16\x03\x01\x02\x01\r\n\r\n", "hello\r\n\r\n", "GET / HTTP/3.7\r\n\r\n",
       "POST /infill HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
       "POST /infill HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
       "POST /infill HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
       "GET / HTTP/1.1\r\nHo st: localhost\r\n\r\n"}) {
    Client client(server.port);
    client.send(bytes);
    EXPECT_EQ(client.receive().status, 400) << bytes;
    EXPECT_TRUE(client.ended());
  }
}

TEST(ServerTest, BoundsHeadersAndBodies) {
  Options options;
  options.limits.max_header_bytes = 4096;
  options.limits.max_body_bytes = 1000;
  TestServer server(options);
  Client header(server.port);
  header.send(request_bytes("GET", "/health", "", {"X-Long: " + std::string(5000, 'x')}));
  EXPECT_EQ(header.receive().status, 431);
  Client announced(server.port);
  announced.send("POST /infill HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2147483648\r\n\r\n");
  EXPECT_EQ(announced.receive().status, 413);
  Client chunked(server.port);
  chunked.send(
      "POST /infill HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" +
      std::string(2000, 'x') + "\r\n0\r\n\r\n");
  EXPECT_EQ(chunked.receive().status, 413);
  Client chunk_header(server.port);
  chunk_header.send(
      "POST /infill HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1;" +
      std::string(30'000, 'x'));
  EXPECT_EQ(chunk_header.receive().status, 400);
}

TEST(ServerTest, AnswersBeforeABodyThatIsRefusedHasCome) {
  TestServer server;
  Client client(server.port);
  client.send(
      "POST /infill HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1000000\r\n\r\nbegin");
  EXPECT_EQ(client.receive().status, 403);
  EXPECT_TRUE(client.ended());
}

TEST(ServerTest, ChecksHostOriginAndToken) {
  Options options;
  options.token = "s3cret";
  TestServer server(options);
  const auto status = [&](std::vector<std::string> headers, const char* path = "/props") {
    Client client(server.port);
    return client.ask(path, "", headers).status;
  };
  EXPECT_EQ(status({}), 401);
  EXPECT_EQ(status({"Authorization: Bearer s3cret"}), 200);
  EXPECT_EQ(status({"Authorization: Bearer s3cret", "Origin: https://evil.example"}), 403);
  EXPECT_EQ(status({"Host: evil.example", "Authorization: Bearer s3cret"}), 403);
  for (const char* path : {"/", "/health", "/v1/health", "/models", "/v1/models"}) {
    EXPECT_EQ(status({}, path), 200) << path;
  }
  EXPECT_EQ(status({"Host: evil.example"}, "/health"), 403);
}

TEST(ServerTest, NeedsATokenForAnAddressThatOthersCanReach) {
  boost::asio::io_context loop;
  ScriptedFillService fills([](std::function<void()>) {});
  Options options;
  options.host = "0.0.0.0";
  const auto log = [](const std::string&) {};
  const auto refused = Server::listen(loop, fills, options, log);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::InvalidInput);
  EXPECT_NE(refused.error().message.find("token"), std::string::npos);
  options.token = "s3cret";
  EXPECT_TRUE(Server::listen(loop, fills, options, log));
  options.host = "not an address";
  EXPECT_FALSE(Server::listen(loop, fills, options, log));
}

TEST(ServerTest, SaysWhenThePortIsTaken) {
  TestServer server;
  boost::asio::io_context loop;
  ScriptedFillService fills([](std::function<void()>) {});
  Options options;
  options.port = server.port;
  const auto second = Server::listen(loop, fills, options, [](const std::string&) {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::Unavailable);
}

TEST(ServerTest, WrongPathsAndMethodsAreNamed) {
  TestServer server;
  Client client(server.port);
  EXPECT_EQ(client.ask("/nothing").status, 404);
  const Reply wrong_method = client.ask("/infill");
  EXPECT_EQ(wrong_method.status, 405);
  EXPECT_EQ(wrong_method.header("allow"), "POST");
  EXPECT_EQ(client.ask("/v1/chat/completions", "{}").status, 501);
  const Reply ollama = client.ask("/api/generate", "{");
  EXPECT_EQ(ollama.status, 400);
  EXPECT_TRUE(json::parse(ollama.body).at("error").is_string());
}

TEST(ServerTest, WrongBodiesGet400AndTheConnectionGoesOn) {
  TestServer server;
  Client client(server.port);
  EXPECT_EQ(message_of(client.ask("/infill", "{\"input_prefix\":1}")),
            "\"input_prefix\" must be a string");
  EXPECT_EQ(client.ask("/infill", "no json").status, 400);
  EXPECT_EQ(client.ask("/v1/completions", "[]").status, 400);
  EXPECT_EQ(client.ask("/lacuna/fill", R"({"text":"no hole"})").status, 400);
  EXPECT_EQ(client.ask("/health").status, 200);
}

TEST(ServerTest, AClientThatClosesStopsTheWork) {
  TestServer server;
  for (const bool reset : {false, true}) {
    Client client(server.port);
    client.send(request_bytes("POST", "/infill", kInfill, {}));
    const FillId id = server.next_order();
    if (reset) {
      client.abort();
    } else {
      client.close();
    }
    EXPECT_TRUE(open_is(server, 0)) << id;  // cancelled: without a script nothing else ends it
  }
  EXPECT_TRUE(server.wait_until([&] { return server.server->connections() == 0; }));
}

TEST(ServerTest, AClientThatClosesAStreamStopsTheWork) {
  TestServer server;
  Client client(server.port);
  client.send(request_bytes("POST", "/infill", kStream, {}));
  const FillId id = server.next_order();
  server.on_loop([&] { server.fills.step(id, step_of(0, {"x", "?"})); });
  client.receive_until("\"content\":\"x\"");
  client.close();
  EXPECT_TRUE(open_is(server, 0));
}

TEST(ServerTest, RequestsThatComeAfterDoNotHideThatTheClientClosed) {
  TestServer server;
  Client client(server.port);
  client.send(request_bytes("POST", "/infill", kInfill, {}) +
              request_bytes("GET", "/health", "", {}));
  server.next_order();
  client.close();
  EXPECT_TRUE(open_is(server, 0));
}

TEST(ServerTest, AServerThatEndsCancelsWhatItWaitsFor) {
  TestServer server;
  Client client(server.port);
  client.send(request_bytes("POST", "/infill", kInfill, {}));
  server.next_order();
  server.on_loop([&] { server.server.reset(); });
  EXPECT_TRUE(open_is(server, 0));
  EXPECT_TRUE(client.ended());
}

TEST(ServerTest, FailuresOfTheEngineBecomeStatusCodes) {
  const struct {
    ErrorCode code;
    int status;
  } cases[] = {{ErrorCode::InvalidInput, 400},
               {ErrorCode::Unavailable, 503},
               {ErrorCode::Cancelled, 503},
               {ErrorCode::Corrupt, 500},
               {ErrorCode::Internal, 500}};
  TestServer server;
  Client client(server.port);
  for (const auto& it : cases) {
    server.on_loop([&] {
      server.fills.set_script(
          [it](const FillOrder&) -> Result<FillAnswer> { return fail(it.code, "because"); });
    });
    const Reply reply = client.ask("/infill", kInfill);
    EXPECT_EQ(reply.status, it.status);
    EXPECT_EQ(message_of(reply), "because");
    EXPECT_EQ(reply.header("retry-after"), it.status == 503 ? "1" : "");
  }
}

TEST(ServerTest, AFailureWithinAStreamIsItsLastEvent) {
  TestServer server;
  Client client(server.port);
  client.send(request_bytes("POST", "/infill", kStream, {}));
  const FillId id = server.next_order();
  server.on_loop([&] {
    server.fills.step(id, step_of(0, {"x", "?"}));
    server.fills.finish(id, fail(ErrorCode::Unavailable, "out of memory"));
  });
  const Reply reply = client.receive();
  EXPECT_EQ(reply.status, 200);
  EXPECT_NE(reply.body.find("out of memory"), std::string::npos);
}

TEST(ServerTest, AStreamTellsTextAsSoonAsItIsDecided) {
  TestServer server;
  Client client(server.port);
  client.send(request_bytes("POST", "/infill", kStream, {}));
  const FillId id = server.next_order();
  server.on_loop([&] { server.fills.step(id, step_of(0, {"?", "y"})); });
  server.on_loop([&] { server.fills.step(id, step_of(1, {"x", "y"})); });
  EXPECT_NE(client.receive_until("\n\n").find("\"content\":\"xy\""), std::string::npos);
  server.on_loop([&] { server.fills.finish(id, answer_of({"xyz"})); });
  EXPECT_NE(client.receive_until("\n\n").find("\"content\":\"z\""), std::string::npos);
  EXPECT_NE(client.receive_until("\n\n").find("\"stop\":true"), std::string::npos);
}

TEST(ServerTest, AStopWordEndsTheWorkAsSoonAsItIsDecided) {
  TestServer server;
  Client client(server.port);
  client.send(
      request_bytes("POST", "/infill",
                    R"({"input_prefix":"a","input_suffix":"\nb","stop":["!"],"n_predict":8})", {}));
  const FillId id = server.next_order();
  server.on_loop([&] { server.fills.step(id, step_of(0, {"x", "!", "?", "?"})); });
  const json body = json::parse(client.receive().body);
  EXPECT_EQ(body.at("content"), "x");
  EXPECT_EQ(body.at("stop_type"), "word");
  EXPECT_EQ(body.at("stopping_word"), "!");
  EXPECT_TRUE(open_is(server, 0));
}

TEST(ServerTest, ASlowReaderOfStepsMissesSomeAndGetsTheResult) {
  Options options;
  options.limits.lossy_queue_bytes = 100'000;
  TestServer server(options);
  Client client(server.port);
  client.send(request_bytes("POST", "/lacuna/fill", "{\"text\":\"a\u27E6?\u27E7b\"}", {}));
  const FillId id = server.next_order();
  const std::string token(10'000, 'x');
  constexpr int kSteps = 2000;  // 20 MB, more than the sockets hold
  for (int i = 0; i < kSteps; ++i) {
    server.on_loop([&] { server.fills.step(id, step_of(i, {token, "?"})); });
  }
  server.on_loop([&] { server.fills.finish(id, answer_of({"done"})); });
  const Reply reply = client.receive();
  EXPECT_EQ(reply.status, 200);
  EXPECT_LT(reply.body.size(), std::size_t{kSteps} * token.size());
  EXPECT_NE(reply.body.find("event: done"), std::string::npos);
}

TEST(ServerTest, AClientThatNeverReadsIsCutOff) {
  Options options;
  options.limits.write_seconds = 0.05;
  TestServer server(options);
  Client client(server.port);
  client.send(request_bytes("POST", "/lacuna/fill", "{\"text\":\"a\u27E6?\u27E7b\"}", {}));
  const FillId id = server.next_order();
  const std::string token(1'000'000, 'x');
  EXPECT_TRUE(server.wait_until([&] {
    server.fills.step(id, step_of(0, {token, "?"}));
    return server.fills.open().empty();
  }));
  EXPECT_TRUE(server.wait_until([&] { return server.server->connections() == 0; }));
  EXPECT_FALSE(server.on_loop([&] { return server.log.empty(); }));
}

TEST(ServerTest, ARequestThatNeverEndsIsCutOff) {
  Options options;
  options.limits.request_seconds = 0.05;
  TestServer server(options);
  Client header(server.port);
  header.send("POST /infill HT");
  EXPECT_TRUE(header.ended());
  Client body(server.port);
  body.send("POST /infill HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{");
  EXPECT_TRUE(body.ended());
}

TEST(ServerTest, AnIdleConnectionIsClosed) {
  Options options;
  options.limits.idle_seconds = 0.05;
  TestServer server(options);
  Client client(server.port);
  EXPECT_EQ(client.ask("/health").status, 200);
  EXPECT_TRUE(client.ended());
}

TEST(ServerTest, AWorkingConnectionIsNotIdle) {
  Options options;
  options.limits.idle_seconds = 0.01;
  options.limits.request_seconds = 0.05;
  TestServer server(options);
  Client client(server.port);
  client.send(request_bytes("POST", "/infill", kInfill, {}));
  const FillId id = server.next_order();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  server.on_loop([&] { server.fills.finish(id, answer_of({"x"})); });
  EXPECT_EQ(client.receive().status, 200);
}

TEST(ServerTest, OneHundredClientsAtOnceAreAnswered) {
  TestServer server;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<Client>(server.port));
    clients.back()->send(request_bytes("POST", "/infill", kInfill, {}));
  }
  EXPECT_TRUE(open_is(server, 100));
  server.on_loop([&] {
    while (!server.fills.open().empty()) {
      const FillId id = server.fills.open().begin()->first;
      server.fills.finish(id, answer_of({"fill " + std::to_string(id)}));
    }
  });
  for (const auto& client : clients) {
    EXPECT_EQ(json::parse(client->receive().body).at("content").get<std::string>().substr(0, 5),
              "fill ");
  }
}

TEST(ServerTest, TooManyConnectionsAreToldToComeBack) {
  Options options;
  options.limits.max_connections = 4;
  TestServer server(options);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<Client>(server.port));
    EXPECT_EQ(clients.back()->ask("/health").status, 200);
  }
  Client fifth(server.port);
  EXPECT_EQ(fifth.receive().status, 503);
  clients.clear();
  EXPECT_TRUE(server.wait_until([&] { return server.server->connections() < 4; }));
  Client sixth(server.port);
  EXPECT_EQ(sixth.ask("/health").status, 200);
}

TEST(ServerTest, AFailedModelShowsInHealth) {
  TestServer server;
  Client client(server.port);
  EXPECT_EQ(json::parse(client.ask("/health").body).at("status"), "ok");
  server.on_loop([&] { server.fills.set_phase(ModelPhase::Failed, "the model file is gone"); });
  const Reply reply = client.ask("/health");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(message_of(reply), "the model file is gone");
  server.on_loop([&] { server.fills.set_phase(ModelPhase::Unloaded); });
  EXPECT_EQ(client.ask("/health").status, 200);  // loaded for the first request
}

TEST(ServerTest, MetricsCountRequestsFillsAndClientsThatLeft) {
  TestServer server;
  {
    Client gone(server.port);
    gone.send(request_bytes("POST", "/infill", kInfill, {}));
    server.next_order();
  }
  EXPECT_TRUE(open_is(server, 0));
  server.answer_with("x");
  Client client(server.port);
  client.ask("/infill", kInfill);
  client.ask("/infill", "{}");
  client.ask("/some/path?with=query");
  const Reply reply = client.ask("/metrics");
  EXPECT_EQ(reply.header("content-type").find("text/plain; version=0.0.4"), 0U);
  for (const char* line : {"lacuna_http_requests_total{route=\"/infill\",status=\"200\"} 1\n",
                           "lacuna_http_requests_total{route=\"/infill\",status=\"400\"} 1\n",
                           "lacuna_http_requests_total{route=\"other\",status=\"404\"} 1\n",
                           "lacuna_http_clients_gone_total 1\n", "lacuna_http_connections 1\n",
                           "llamacpp:tokens_predicted_total 1\n", "lacuna_model_ready 1\n"}) {
    EXPECT_NE(reply.body.find(line), std::string::npos) << line << reply.body;
  }
}

TEST(ServerTest, ThePageMayLoadNothingFromElsewhere) {
  TestServer server;
  Client client(server.port);
  const Reply page = client.ask("/");
  EXPECT_EQ(page.header("content-type"), "text/html; charset=utf-8");
  const std::string policy = page.header("content-security-policy");
  EXPECT_NE(policy.find("default-src 'none'"), std::string::npos);
  const std::size_t at = policy.find("script-src 'nonce-") + 18;
  const std::string nonce = policy.substr(at, policy.find('\'', at) - at);
  EXPECT_EQ(nonce.size(), 32U);
  EXPECT_NE(page.body.find("<script nonce=\"" + nonce + "\">"), std::string::npos);
  EXPECT_NE(page.body.find("<style nonce=\"" + nonce + "\">"), std::string::npos);
  EXPECT_EQ(page.body.find("{{nonce}}"), std::string::npos);
  for (const char* outside : {"src=\"http", "href=\"http", "@import", "url(http", "//cdn"}) {
    EXPECT_EQ(page.body.find(outside), std::string::npos) << outside;
  }
  EXPECT_EQ(client.ask("/").body.find(nonce), std::string::npos);  // a new one each time
}

}  // namespace
}  // namespace lacuna::daemon::http
