#include "daemon/http/live_fill.h"

#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/daemon/http/http_server_fixture.h"

namespace lacuna::daemon::http {
namespace {

using nlohmann::json;

Result<FillOrder> parsed(const char* body) { return parse_live_fill(json::parse(body), {}, "doc"); }

std::string problem(const char* body) {
  const auto order = parsed(body);
  return order ? "" : order.error().message;
}

TEST(LiveFillTest, MarkersOrOffsetsSayWhereTheHolesAre) {
  const auto marked = parsed("{\"text\":\"a\u27E6?\u27E7b\u27E6?7: h\u27E7\",\"path\":\"x.py\"}");
  ASSERT_TRUE(marked);
  ASSERT_EQ(marked->holes.size(), 2U);
  EXPECT_EQ(marked->holes[1].tokens, 7);
  EXPECT_EQ(marked->holes[1].hint, "h");
  EXPECT_EQ(marked->language, "python");
  const auto given =
      parsed(R"({"text":"abc","holes":[{"begin":2},{"begin":0,"end":1,"tokens":3,"hint":"h"}]})");
  ASSERT_TRUE(given);
  ASSERT_EQ(given->holes.size(), 2U);
  EXPECT_EQ(given->holes[0].end, 1U);
  EXPECT_EQ(given->holes[1].begin, 2U);
}

TEST(LiveFillTest, WrongRequestsGetOneClearError) {
  const struct {
    const char* body;
    const char* part;
  } cases[] = {
      {R"({})", "\"text\" is required"},
      {R"({"text":"x"})", "there is no hole"},
      {R"({"text":"x","holes":[]})", "there is no hole"},
      {R"({"text":"x","holes":[1]})", "\"holes\" must be an array"},
      {R"({"text":"x","holes":[{}]})", "needs \"begin\""},
      {R"({"text":"x","holes":[{"begin":2,"end":1}]})", "needs \"begin\""},
      {R"({"text":"x","holes":[{"begin":5,"end":6}]})", "only 1 bytes"},
      {R"({"text":"x","holes":[{"begin":0,"tokens":100000}]})", "\"tokens\""},
      {"{\"text\":\"\u27E6?\"}", "not closed"},
      {"{\"text\":\"\u27E6?\u27E7\",\"profile\":\"warp\"}", "profile"},
      {"{\"text\":\"\u27E6?\u27E7\",\"length\":\"long\"}", "length"},
  };
  for (const auto& it : cases) {
    EXPECT_NE(problem(it.body).find(it.part), std::string::npos)
        << it.body << ": " << problem(it.body);
  }
}

TEST(LiveFillTest, TheStartHasTheTextBetweenTheHoles) {
  const auto order = parsed(R"({"text":"abc","holes":[{"begin":1,"end":2},{"begin":3}]})");
  const json start = json::parse(live_start(*order, {}));
  EXPECT_EQ(start.at("around"), (json::array({"a", "c", ""})));
  EXPECT_EQ(start.at("holes").size(), 2U);
}

TEST(LiveFillTest, AStepHasEveryTokenOfItsHoles) {
  const json step = json::parse(live_step(step_of(3, {"x", "?", "\xff"})));
  EXPECT_EQ(step.at("step"), 3);
  EXPECT_EQ(step.at("masks_left"), 1);
  EXPECT_EQ(step.at("holes").at(0).at("tokens"),
            (json::array({json::array({"x", 0.5}), nullptr, json::array({"\uFFFD", 0.5})})));
}

// Positions 0 1 2 3 decided in the order given.
json done_after(const std::vector<std::pair<int, int>>& step_and_offset) {
  const auto order = parsed(R"({"text":"ab","holes":[{"begin":1}]})");
  FillAnswer answer = answer_of({"xyz"});
  for (const auto& [step, offset] : step_and_offset) {
    answer.alternatives[0].commits.push_back(
        {.step = step, .hole = 0, .offset_in_hole = offset, .text = "x", .probability = 0.5F});
  }
  return json::parse(live_done(*order, answer));
}

TEST(LiveFillTest, TheEndHasTheWholeTextAndTheArNess) {
  const json ordered = done_after({{0, 0}, {1, 1}, {2, 2}, {3, 3}});
  EXPECT_EQ(ordered.at("text"), "axyzb");
  EXPECT_EQ(ordered.at("ar_ness").at("local").at(0), 1);
  EXPECT_EQ(ordered.at("ar_ness").at("global").at(0), 1);
  const json reversed = done_after({{0, 3}, {1, 2}, {2, 1}, {3, 0}});
  EXPECT_EQ(reversed.at("ar_ness").at("local").at(0), 0);
  EXPECT_EQ(reversed.at("ar_ness").at("global").at(0), 0.25);
}

TEST(LiveFillTest, StepsOfALaterCanvasComeAfterThoseOfTheFirst) {
  const auto order = parsed(R"({"text":"ab","holes":[{"begin":0},{"begin":1}]})");
  FillAnswer answer = answer_of({"x", "y"});
  for (const auto& [step, hole] : {std::pair{0, 0}, {1, 0}, {0, 1}, {1, 1}}) {
    answer.alternatives[0].commits.push_back(
        {.step = step, .hole = hole, .offset_in_hole = step, .text = "x", .probability = 0.5F});
  }
  EXPECT_EQ(json::parse(live_done(*order, answer)).at("ar_ness").at("global").at(0), 1);
}

TEST(LiveFillTest, AnEmptyFillHasNoArNess) {
  EXPECT_TRUE(done_after({}).at("ar_ness").at("local").empty());
}

std::vector<std::string> event_names(const std::string& stream) {
  std::vector<std::string> names;
  std::istringstream lines(stream);
  for (std::string line; std::getline(lines, line);) {
    if (line.compare(0, 7, "event: ") == 0) names.push_back(line.substr(7));
  }
  return names;
}

TEST(LiveFillTest, EveryStepIsAnEventBetweenStartAndDone) {
  TestServer server;
  Client client(server.port);
  client.send(request_bytes("POST", "/lacuna/fill", "{\"text\":\"a\u27E6?\u27E7b\"}", {}));
  const FillId id = server.next_order();
  server.on_loop([&] {
    server.fills.step(id, step_of(0, {"x", "?"}));
    server.fills.step(id, step_of(1, {"x", "y"}));
    server.fills.finish(id, answer_of({"xy"}));
  });
  const Reply reply = client.receive();
  EXPECT_EQ(reply.header("content-type"), "text/event-stream");
  EXPECT_EQ(event_names(reply.body), (std::vector<std::string>{"start", "step", "step", "done"}));
}

TEST(LiveFillTest, AFailureIsTheLastEvent) {
  TestServer server;
  Client client(server.port);
  client.send(request_bytes("POST", "/lacuna/fill", "{\"text\":\"a\u27E6?\u27E7b\"}", {}));
  const FillId id = server.next_order();
  server.on_loop([&] { server.fills.finish(id, fail(ErrorCode::Unavailable, "queue full")); });
  const Reply reply = client.receive();
  EXPECT_EQ(event_names(reply.body), (std::vector<std::string>{"start", "error"}));
  EXPECT_NE(reply.body.find("queue full"), std::string::npos);
}

}  // namespace
}  // namespace lacuna::daemon::http
