#include "daemon/engine_service.h"

#include <chrono>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "tests/daemon/scripted_engine.h"

namespace lacuna::daemon {
namespace {

using namespace std::chrono_literals;

// Far more than anything here takes; only a hang reaches it.
constexpr auto kDeadline = 60s;

class EngineServiceTest : public testing::Test {
 protected:
  EngineServiceTest() { start({}); }

  void start(EngineService::Options options) {
    service_.reset();
    auto engine = std::make_unique<ScriptedEngine>();
    engine_ = engine.get();
    service_ = std::make_unique<EngineService>(loop_, std::move(engine), options);
  }

  static FillOrder order(std::string script, std::string document = "d",
                         Priority priority = Priority::Interactive) {
    FillOrder order;
    order.session = "s";
    order.document = std::move(document);
    order.priority = priority;
    order.text = "# script: " + std::move(script) + "\n";
    order.holes = {{.begin = 0, .end = 0, .tokens = {}, .hint = {}}};
    return order;
  }

  FillId submit(FillOrder wanted, FillService::OnStep on_step = {}) {
    const auto slot = std::make_shared<FillId>(0);
    const FillId id = service_->submit(std::move(wanted), std::move(on_step),
                                       [this, slot](Result<FillAnswer> answer) {
                                         order_of_ends_.push_back(*slot);
                                         ends_.emplace(*slot, std::move(answer));
                                       });
    *slot = id;
    return id;
  }

  // Runs the loop until something is so; false when it never is.
  template <class Condition>
  bool run_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      loop_.restart();
      loop_.run_one_for(10ms);
    }
    return true;
  }
  bool run_until_ended(FillId id) {
    return run_until([&] { return ends_.contains(id); });
  }
  std::string text_of(FillId id) {
    const auto& end = ends_.at(id);
    return end ? end->alternatives.front().fills.front().text : "error: " + end.error().message;
  }
  ErrorCode code_of(FillId id) { return ends_.at(id).error().code; }

  boost::asio::io_context loop_{1};
  ScriptedEngine* engine_ = nullptr;  // only its counters may be looked at
  std::unique_ptr<EngineService> service_;
  std::map<FillId, Result<FillAnswer>> ends_;
  std::vector<FillId> order_of_ends_;
};

TEST_F(EngineServiceTest, AFillThatRunsOutOfMemoryFailsAlone) {
  const FillId hungry = submit(order("out_of_memory"));
  const FillId modest = submit(order("fill=works", "other"));
  ASSERT_TRUE(run_until_ended(modest));
  EXPECT_EQ(text_of(hungry), "error: there is not enough memory for this fill");
  EXPECT_EQ(code_of(hungry), ErrorCode::Unavailable);
  EXPECT_EQ(text_of(modest), "works");
}

TEST_F(EngineServiceTest, AtACursorTheGrammarSaysWhetherSeveralLinesBelong) {
  FillOrder wanted = order("fill=a");
  wanted.at_cursor = true;
  wanted.language = "python";
  wanted.text += "def f():\n    \n";
  wanted.holes[0].begin = wanted.holes[0].end = wanted.text.size() - 1;
  const FillId body = submit(wanted);
  ASSERT_TRUE(run_until_ended(body));
  EXPECT_TRUE(ends_.at(body)->several_lines);
  EXPECT_EQ(ends_.at(body)->place, "an empty body");
  wanted.language = "";
  const FillId unknown = submit(wanted);
  ASSERT_TRUE(run_until_ended(unknown));
  EXPECT_FALSE(ends_.at(unknown)->several_lines);
}

TEST_F(EngineServiceTest, TheFirstOrderLoadsTheModel) {
  std::vector<std::pair<ModelPhase, int>> told;
  service_->listen([&] {
    const EngineState state = service_->state();
    told.emplace_back(state.phase, state.loaded_percent);
  });
  EXPECT_EQ(service_->state().phase, ModelPhase::Unloaded);
  const FillId first = submit(order("fill=a"));
  EXPECT_TRUE(ends_.empty());
  ASSERT_TRUE(run_until_ended(first));
  EXPECT_EQ(text_of(first), "a");
  EXPECT_EQ(told, (std::vector<std::pair<ModelPhase, int>>{{ModelPhase::Loading, 0},
                                                           {ModelPhase::Loading, 25},
                                                           {ModelPhase::Loading, 50},
                                                           {ModelPhase::Loading, 75},
                                                           {ModelPhase::Loading, 100},
                                                           {ModelPhase::Ready, 0}}));
  EXPECT_EQ(service_->state().model.name, "scripted");
  ASSERT_TRUE(run_until_ended(submit(order("fill=b"))));
  EXPECT_EQ(engine_->loads, 1);
}

TEST_F(EngineServiceTest, PrepareLoadsWithoutAnOrder) {
  service_->prepare();
  service_->prepare();
  ASSERT_TRUE(run_until([&] { return service_->state().phase == ModelPhase::Ready; }));
  EXPECT_EQ(engine_->loads, 1);
}

TEST_F(EngineServiceTest, AFailedLoadFailsItsOrderAndTheNextOneTriesAgain) {
  engine_->fail_loads = 1;
  const FillId first = submit(order("fill=a"));
  ASSERT_TRUE(run_until_ended(first));
  EXPECT_EQ(code_of(first), ErrorCode::Unavailable);
  EXPECT_EQ(service_->state().phase, ModelPhase::Failed);
  EXPECT_EQ(service_->state().problem, "there is no model 'scripted'");
  const FillId second = submit(order("fill=b"));
  ASSERT_TRUE(run_until_ended(second));
  EXPECT_EQ(text_of(second), "b");
}

TEST_F(EngineServiceTest, StepsComeBeforeTheEnd) {
  std::vector<int> steps;
  const FillId id = submit(order("steps=3"), [&](const FillStep& step) {
    EXPECT_TRUE(ends_.empty());
    steps.push_back(step.step);
  });
  ASSERT_TRUE(run_until_ended(id));
  EXPECT_EQ(steps, (std::vector<int>{0, 1, 2}));
}

TEST_F(EngineServiceTest, ARunningOrderIsCancelledBetweenSteps) {
  bool running = false;
  const FillId id = submit(order("until_stopped"), [&](const FillStep&) { running = true; });
  ASSERT_TRUE(run_until([&] { return running; }));
  service_->cancel(id);
  EXPECT_TRUE(ends_.empty());
  ASSERT_TRUE(run_until_ended(id));
  EXPECT_EQ(code_of(id), ErrorCode::Cancelled);
  const FillId next = submit(order("fill=next"));
  ASSERT_TRUE(run_until_ended(next));
  EXPECT_EQ(text_of(next), "next");
}

TEST_F(EngineServiceTest, AWaitingOrderIsCancelledWithoutRunning) {
  bool running = false;
  const FillId runs = submit(order("until_stopped", "1"), [&](const FillStep&) { running = true; });
  ASSERT_TRUE(run_until([&] { return running; }));
  const FillId waits = submit(order("fill=x", "2"));
  service_->cancel(waits);
  ASSERT_TRUE(run_until_ended(waits));
  EXPECT_EQ(code_of(waits), ErrorCode::Cancelled);
  service_->cancel(runs);
  ASSERT_TRUE(run_until_ended(runs));
  EXPECT_EQ(engine_->fills, 1);
}

TEST_F(EngineServiceTest, ANewerOrderTakesThePlaceOfTheOlderOneOfItsDocument) {
  bool running = false;
  const FillId old = submit(order("until_stopped"), [&](const FillStep&) { running = true; });
  ASSERT_TRUE(run_until([&] { return running; }));
  const FillId fresh = submit(order("fill=fresh"));
  ASSERT_TRUE(run_until_ended(fresh));
  EXPECT_EQ(code_of(old), ErrorCode::Cancelled);
  EXPECT_EQ(text_of(fresh), "fresh");
}

TEST_F(EngineServiceTest, SpeculationGivesWayToAnotherSession) {
  bool running = false;
  const FillId idle = submit(order("until_stopped", "1", Priority::Background),
                             [&](const FillStep&) { running = true; });
  ASSERT_TRUE(run_until([&] { return running; }));
  FillOrder other = order("fill=other");
  other.session = "another";
  const FillId urgent = submit(std::move(other));
  ASSERT_TRUE(run_until_ended(urgent));
  EXPECT_EQ(code_of(idle), ErrorCode::Cancelled);
}

TEST_F(EngineServiceTest, AFillThatFailsFailsAlone) {
  const FillId bad = submit(order("fail=out\\_of\\_memory", "1"));
  const FillId good = submit(order("fill=fine", "2"));
  ASSERT_TRUE(run_until_ended(good));
  EXPECT_EQ(text_of(bad), "error: out of memory");
  EXPECT_EQ(text_of(good), "fine");
}

TEST_F(EngineServiceTest, HolesThatMakeNoSenseAreRefusedWithoutTheEngine) {
  FillOrder bad = order("fill=x");
  bad.holes = {{.begin = 0, .end = 999, .tokens = {}, .hint = {}}};
  const FillId id = submit(std::move(bad));
  FillOrder none = order("fill=x");
  none.holes.clear();
  const FillId without = submit(std::move(none));
  ASSERT_TRUE(run_until_ended(without));
  EXPECT_EQ(code_of(id), ErrorCode::InvalidInput);
  EXPECT_EQ(code_of(without), ErrorCode::InvalidInput);
  EXPECT_EQ(engine_->loads, 0);
}

TEST_F(EngineServiceTest, AFullQueueRefusesAndIsUsableAgain) {
  start({.max_queued = 4, .idle_unload_seconds = 0});
  bool running = false;
  const FillId runs = submit(order("until_stopped", "0"), [&](const FillStep&) { running = true; });
  ASSERT_TRUE(run_until([&] { return running; }));
  const FillId waits = submit(order("fill=x", "1"));
  const FillId refused = submit(order("fill=x", "2"));  // a session may have one of the four
  ASSERT_TRUE(run_until_ended(refused));
  EXPECT_EQ(code_of(refused), ErrorCode::Unavailable);
  EXPECT_EQ(service_->state().counters.refused, 1U);
  EXPECT_EQ(service_->state().counters.failed, 0U);
  service_->cancel(runs);
  ASSERT_TRUE(run_until_ended(waits));
  EXPECT_EQ(text_of(waits), "x");
}

TEST_F(EngineServiceTest, AnOrderPastItsTimeLimitEnds) {
  FillOrder slow = order("until_stopped");
  slow.timeout_seconds = 0.02;
  const FillId id = submit(std::move(slow));
  FillOrder behind = order("fill=x", "2");
  behind.timeout_seconds = 0.01;
  const FillId waits = submit(std::move(behind));
  ASSERT_TRUE(run_until_ended(id));
  ASSERT_TRUE(run_until_ended(waits));
  EXPECT_EQ(code_of(id), ErrorCode::Unavailable);
}

TEST_F(EngineServiceTest, AnIdleModelIsUnloadedAndComesBackForTheNextOrder) {
  start({.max_queued = 8, .idle_unload_seconds = 0.02});
  ASSERT_TRUE(run_until_ended(submit(order("fill=a"))));
  ASSERT_TRUE(run_until([&] { return service_->state().phase == ModelPhase::Unloaded; }));
  EXPECT_EQ(engine_->unloads, 1);
  const FillId next = submit(order("fill=b"));
  ASSERT_TRUE(run_until_ended(next));
  EXPECT_EQ(text_of(next), "b");
  EXPECT_EQ(engine_->loads, 2);
  EXPECT_EQ(service_->state().counters.loads, 2U);
}

TEST_F(EngineServiceTest, AReleasedModelIsUnloadedWhenTheOrderThatRunsHasEnded) {
  const FillId runs = submit(order("until_stopped"));
  const FillId waits = submit(order("fill=b", "other"));
  ASSERT_TRUE(run_until([&] { return service_->state().phase == ModelPhase::Ready; }));
  EXPECT_FALSE(service_->release());
  EXPECT_EQ(engine_->unloads, 0);
  service_->cancel(runs);
  ASSERT_TRUE(run_until_ended(waits));
  EXPECT_EQ(text_of(waits), "b");
  EXPECT_EQ(engine_->unloads, 1);
  EXPECT_EQ(engine_->loads, 2) << "the order that waited loads it again";
  ASSERT_TRUE(run_until([&] { return service_->state().idle_seconds > 0; }));
  EXPECT_TRUE(service_->release());
  ASSERT_TRUE(run_until([&] { return service_->state().phase == ModelPhase::Unloaded; }));
  EXPECT_EQ(engine_->unloads, 2);
}

// A session that always has more to ask for does not keep another one waiting.
TEST_F(EngineServiceTest, SessionsWithTheSamePriorityTakeTurns) {
  std::vector<std::string> ends;
  const auto ask = [&](std::string session, std::string document) {
    FillOrder wanted = order("steps=3", std::move(document));
    wanted.session = session;
    service_->submit(std::move(wanted), {},
                     [&ends, session](const Result<FillAnswer>&) { ends.push_back(session); });
  };
  for (int i = 0; i < 8; ++i) ask("busy", std::to_string(i));
  ask("modest", "a");
  ask("modest", "b");
  ASSERT_TRUE(run_until([&] { return ends.size() == 10; }));
  const auto place = [&](int nth) {
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (ends[i] == "modest" && nth-- == 0) return static_cast<int>(i);
    }
    return -1;
  };
  EXPECT_LE(place(0), 1);
  EXPECT_LE(place(1), 3);
}

TEST_F(EngineServiceTest, EveryOrderIsAnsweredOnce) {
  for (int i = 0; i < 200; ++i) {
    FillOrder one = order("steps=2", std::to_string(i % 3));
    one.session = "s" + std::to_string(i % 7);
    one.priority = static_cast<Priority>(i % 3);
    const FillId id = submit(std::move(one));
    if (i % 5 == 0) service_->cancel(id);
    if (i % 11 == 0) loop_.poll();
  }
  ASSERT_TRUE(run_until([&] { return order_of_ends_.size() == 200; }));
  EXPECT_EQ(ends_.size(), 200U);
  const FillCounters counters = service_->state().counters;
  EXPECT_EQ(counters.answered + counters.cancelled + counters.refused + counters.failed, 200U);
}

TEST_F(EngineServiceTest, FailuresAreCountedByTheirReason) {
  FillOrder nothing = order("fill=x", "none");
  nothing.holes.clear();
  FillOrder late = order("until_stopped", "late");
  late.timeout_seconds = 0.02;
  submit(std::move(nothing));
  submit(std::move(late));
  submit(order("fail=it\\_is_broken", "1"));
  submit(order("fail=it\\_is_broken", "2"));
  ASSERT_TRUE(run_until([&] { return ends_.size() == 4; }));
  const std::map<std::string, std::uint64_t> expected = {
      {"there is no hole to fill", 1},
      {"the fill took longer than its time limit", 1},
      {"it is_broken", 2}};
  EXPECT_EQ(service_->state().failures, expected);
  EXPECT_EQ(service_->state().counters.failed, 4U);
}

TEST_F(EngineServiceTest, ReasonsOfFailuresAreBounded) {
  for (int i = 0; i < 100; ++i) {
    submit(order("fail=reason" + std::to_string(i)));
    ASSERT_TRUE(run_until([&] { return ends_.size() == static_cast<std::size_t>(i) + 1; }));
  }
  const EngineState state = service_->state();
  EXPECT_LE(state.failures.size(), 33U);
  EXPECT_EQ(state.failures.at("other reasons"), 68U);
  EXPECT_EQ(state.counters.failed, 100U);
}

TEST_F(EngineServiceTest, DestructionStopsWhatRuns) {
  bool running = false;
  submit(order("until_stopped"), [&](const FillStep&) { running = true; });
  ASSERT_TRUE(run_until([&] { return running; }));
  service_.reset();
  loop_.restart();
  loop_.poll();
  EXPECT_TRUE(ends_.empty());
}

}  // namespace
}  // namespace lacuna::daemon
