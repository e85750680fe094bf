// Deadlines, with a clock that the test moves.
#include "daemon/http/completion_run.h"

#include <deque>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "daemon/http/api.h"
#include "tests/daemon/http/http_server_fixture.h"

namespace lacuna::daemon::http {
namespace {

using nlohmann::json;

// An exchange without a connection.
class RecordedExchange : public Exchange {
 public:
  explicit RecordedExchange(std::string path, std::string body) {
    request_.method = "POST";
    request_.path = std::move(path);
    request_.body = std::move(body);
  }
  const Request& request() const override { return request_; }
  void respond(Response response) override { responses.push_back(std::move(response)); }
  void begin_stream(std::string) override {}
  void send(std::string part, Loss) override { stream += part; }
  void end_stream() override {}
  void on_gone(std::function<void()> callback) override { gone = std::move(callback); }

  std::vector<Response> responses;
  std::string stream;
  std::function<void()> gone;

 private:
  Request request_;
};

class DeadlineTest : public testing::Test {
 protected:
  DeadlineTest()
      : fills_([this](std::function<void()> job) { jobs_.push_back(std::move(job)); }),
        api_(std::make_shared<Api>(fills_, Options())) {
    api_->set_clock([this] { return now_; });
  }

  std::shared_ptr<RecordedExchange> ask(const std::string& fields) {
    auto exchange = std::make_shared<RecordedExchange>(
        "/infill", R"({"input_prefix":"a\n","input_suffix":"\n",)" + fields + "}");
    api_->handle(exchange);
    return exchange;
  }

  void pass(int milliseconds) { now_ += std::chrono::milliseconds(milliseconds); }

  void run_jobs() {
    while (!jobs_.empty()) {
      const auto job = std::move(jobs_.front());
      jobs_.pop_front();
      job();
    }
  }

  std::deque<std::function<void()>> jobs_;
  ScriptedFillService fills_;
  std::chrono::steady_clock::time_point now_{};
  std::shared_ptr<Api> api_;
};

TEST_F(DeadlineTest, WholeLinesAreTakenWhenTheTimeIsUp) {
  const auto exchange = ask(R"("t_max_predict_ms":250)");
  fills_.step(1, step_of(0, {"x", "\n", "y", "?"}));
  EXPECT_TRUE(exchange->responses.empty());  // there is time
  pass(251);
  fills_.step(1, step_of(1, {"x", "\n", "y", "?"}));
  ASSERT_EQ(exchange->responses.size(), 1U);
  const json body = json::parse(exchange->responses[0].body);
  EXPECT_EQ(body.at("content"), "x");
  EXPECT_EQ(body.at("stop_type"), "limit");
  EXPECT_TRUE(fills_.open().at(1).cancelled);
  run_jobs();
  EXPECT_EQ(exchange->responses.size(), 1U);  // the cancelled order does not answer again
}

TEST_F(DeadlineTest, ALineThatHasNotEndedIsWaitedFor) {  // as llama.cpp does
  const auto exchange = ask(R"("t_max_predict_ms":250)");
  pass(1000);
  fills_.step(1, step_of(0, {"x", "?", "\n"}));
  EXPECT_TRUE(exchange->responses.empty());
  fills_.finish(1, answer_of({"xy"}));
  ASSERT_EQ(exchange->responses.size(), 1U);
  EXPECT_EQ(json::parse(exchange->responses[0].body).at("content"), "xy");
}

TEST_F(DeadlineTest, AFileOfWindowsIsNeverCutByStepsThatHaveOtherLineEnds) {
  auto exchange = std::make_shared<RecordedExchange>(
      "/infill", R"({"input_prefix":"a\r\n","input_suffix":"\r\n","t_max_predict_ms":1})");
  api_->handle(exchange);
  pass(1000);
  fills_.step(1, step_of(0, {"x", "\n", "y", "?"}));
  EXPECT_TRUE(exchange->responses.empty());
}

TEST_F(DeadlineTest, AFillThatIsAsLongAsAllowedSaysSo) {
  const auto exchange = ask(R"("n_predict":4)");
  fills_.finish(1, answer_of({"wxyz"}));
  EXPECT_EQ(json::parse(exchange->responses.at(0).body).at("stop_type"), "limit");
}

TEST_F(DeadlineTest, AFillWithAGapInItIsNotShown) {
  const auto exchange = ask(R"("n_predict":8)");
  FillAnswer answer = answer_of({"xz"});
  answer.alternatives[0].fills[0].masks_left = 1;
  fills_.finish(1, answer);
  EXPECT_EQ(json::parse(exchange->responses.at(0).body).at("content"), "");
}

TEST_F(DeadlineTest, RequestsDoNotSupersedeEachOther) {
  ask(R"("n_predict":8)");
  ask(R"("n_predict":8)");
  EXPECT_NE(fills_.history()[0].document, fills_.history()[1].document);
}

TEST_F(DeadlineTest, ATextThatAGrammarChecksIsToldAsAWhole) {
  auto exchange = std::make_shared<RecordedExchange>(
      "/v1/completions",
      R"({"prompt":"# language: python\nx = ","suffix":"\n","max_tokens":8,"stream":true})");
  api_->handle(exchange);
  fills_.step(1, step_of(0, {"a", "b", "?"}));
  EXPECT_EQ(exchange->stream, "");
  fills_.finish(1, answer_of({"repaired"}));
  EXPECT_NE(exchange->stream.find("\"repaired\""), std::string::npos) << exchange->stream;
}

TEST_F(DeadlineTest, ATextOfNoLanguageIsToldAsItGrows) {
  auto exchange = std::make_shared<RecordedExchange>(
      "/v1/completions", R"({"prompt":"x = ","suffix":"\n","max_tokens":8,"stream":true})");
  api_->handle(exchange);
  fills_.step(1, step_of(0, {"a", "b", "?"}));
  EXPECT_NE(exchange->stream.find("\"ab\""), std::string::npos) << exchange->stream;
}

}  // namespace
}  // namespace lacuna::daemon::http
