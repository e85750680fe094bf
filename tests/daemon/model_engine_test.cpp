// The FillEngine with the model that ships with Lacuna.
#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "daemon/fill_engine.h"
#include "support/language.h"
#include "tests/helpers/small_model.h"

namespace lacuna::daemon {
namespace {

class ModelEngineTest : public testing::Test {
 protected:
  static FillEngine& engine() {
    static const std::unique_ptr<FillEngine> loaded = [] {
      auto made = make_model_engine(
          [](const engine::LoadProgress&) -> Result<std::unique_ptr<LoadedModel>> {
            auto context = std::make_unique<kernels::CpuContext>(kernels::best_isa(), 2);
            engine::Model model = engine::SmallModel::load(*context);
            ModelFacts facts;
            facts.name = "small";
            facts.max_canvas = 1024;
            return std::unique_ptr<LoadedModel>(new LoadedModel{
                .context = std::move(context), .model = std::move(model), .facts = facts});
          });
      EXPECT_TRUE(made->load({}));
      return made;
    }();
    return *loaded;
  }

  // The hole replaces `replaced`, which stands once in the text.
  static FillOrder order_for(std::string text, std::string_view replaced) {
    FillOrder order;
    const std::size_t at = text.find(replaced);
    order.holes = {{.begin = at, .end = at + replaced.size(), .tokens = {}, .hint = {}}};
    order.text = std::move(text);
    order.language = "python";
    order.options.length = engine::LengthMode::Probe;
    order.options.max_hole_tokens = 16;
    return order;
  }

  static bool parses(const FillOrder& order, const engine::InfillResult& result) {
    const std::string text = engine::splice(order.text, order.holes, result.fills);
    const auto tree = grammar::parse(*grammar::grammar_of(language_named("python")), text);
    return tree && !tree->has_error();
  }
};

TEST_F(ModelEngineTest, AlternativesDifferAndParseAndTheFirstIsTheOneThatIsMadeAlone) {
  FillOrder order = order_for("def area(width, height):\n    return ???\n", "???");
  const Result<FillAnswer> alone = engine().fill(order, [](FillStep) {}, {});
  ASSERT_TRUE(alone);
  int steps = 0;
  order.alternatives = 4;
  const Result<FillAnswer> several = engine().fill(order, [&](FillStep) { ++steps; }, {});
  ASSERT_TRUE(several);
  EXPECT_GT(several->alternatives.size(), 1U);
  EXPECT_LE(several->alternatives.size(), 4U);
  EXPECT_GT(steps, 0);
  EXPECT_EQ(several->alternatives[0].fills[0].text, alone->alternatives[0].fills[0].text);
  std::set<std::string> texts;
  float last = 1;
  for (std::size_t i = 0; i < several->alternatives.size(); ++i) {
    const engine::InfillResult& result = several->alternatives[i];
    EXPECT_TRUE(texts.insert(result.fills[0].text).second) << result.fills[0].text;
    EXPECT_TRUE(parses(order, result)) << result.fills[0].text;
    EXPECT_EQ(several->syntax_of(i, 0).state, SyntaxState::Parses);
    if (i == 0) continue;
    EXPECT_LE(result.fills[0].mean_probability, last) << "the surest first";
    last = result.fills[0].mean_probability;
  }
}

TEST_F(ModelEngineTest, TheLeastCertainPartsLieInTheBodyAndHaveItsShare) {
  const std::string body =
      "result = width * height\n    zqx = wvut + qqq\n    total = result + 1\n    return total";
  FillOrder order = order_for("def area(width, height):\n    " + body + "\n", body);
  order.least_certain = 0.4;
  const Result<FillAnswer> answer = engine().fill(order, [](FillStep) {}, {});
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->alternatives.empty());
  ASSERT_FALSE(answer->least_certain.empty());
  std::size_t bytes = 0;
  std::string chosen;
  for (const engine::Hole& part : answer->least_certain) {
    EXPECT_GE(part.begin, order.holes[0].begin);
    EXPECT_LE(part.end, order.holes[0].end);
    bytes += part.end - part.begin;
    chosen += order.text.substr(part.begin, part.end - part.begin) + "|";
  }
  EXPECT_LT(bytes, body.size() / 2 + 10);
  EXPECT_NE(chosen.find("zqx"), std::string::npos) << chosen;
  order.language = "";
  EXPECT_FALSE(engine().fill(order, [](FillStep) {}, {}));
}

std::stop_token stopped() {
  static std::stop_source source;  // g++ 12 takes a local one for uninitialised under the sanitizer
  source.request_stop();
  return source.get_token();
}

TEST_F(ModelEngineTest, AStoppedOrderIsCancelledWhateverItAsksFor) {
  FillOrder order = order_for("def f(a):\n    return a + 1\n", "return a + 1");
  const auto code = [&] {
    const Result<FillAnswer> answer = engine().fill(order, [](FillStep) {}, stopped());
    return answer ? ErrorCode::Internal : answer.error().code;
  };
  EXPECT_EQ(code(), ErrorCode::Cancelled);
  order.alternatives = 3;
  EXPECT_EQ(code(), ErrorCode::Cancelled);
  order.least_certain = 0.5;
  EXPECT_EQ(code(), ErrorCode::Cancelled);
}

// About 150 tokens, a cursor behind `typed`, and no grammar.
FillOrder typing_order(std::string_view typed, std::string_view document) {
  FillOrder order;
  for (int i = 0; i < 8; ++i) {
    order.text += "limit_" + std::to_string(i) + " = read(config, " + std::to_string(i * 7) + ")\n";
  }
  order.text += "total = ";
  order.text += typed;
  order.holes = {{.begin = order.text.size(), .end = order.text.size(), .tokens = 4, .hint = {}}};
  order.text += "\nprint(total, limit_0, limit_1, limit_2)\n";
  order.session = "editor";
  order.document = document;
  order.options.reuse_edits = 8;
  return order;
}

// Rows that its first step computed, and those of the whole canvas.
std::pair<int, int> rows_of(FillEngine& engine, const FillOrder& order) {
  const Result<FillAnswer> answer = engine.fill(order, [](FillStep) {}, {});
  EXPECT_TRUE(answer);
  if (!answer) return {};
  return {answer->alternatives[0].first_rows, answer->alternatives[0].canvas_tokens};
}

TEST_F(ModelEngineTest, AKeystrokeUsesWhatTheOneBeforeHasLeftUntilTheModelIsUnloaded) {
  const auto expect_all = [](std::pair<int, int> rows) { EXPECT_EQ(rows.first, rows.second); };
  const auto expect_few = [](std::pair<int, int> rows) { EXPECT_LT(rows.first * 2, rows.second); };
  FillEngine& engine = ModelEngineTest::engine();
  expect_all(rows_of(engine, typing_order("", "a.py")));
  expect_few(rows_of(engine, typing_order("s", "a.py")));
  expect_all(rows_of(engine, typing_order("su", "b.py")));  // another document
  FillOrder other_editor = typing_order("su", "a.py");
  other_editor.session = "other";
  expect_all(rows_of(engine, other_editor));
  FillOrder anew = typing_order("su", "a.py");
  anew.options.reuse_edits = 0;
  expect_all(rows_of(engine, anew));
  FillOrder exact = typing_order("su", "a.py");
  exact.options.exact = true;
  expect_all(rows_of(engine, exact));
  // What is computed in advance begins anew, and is kept.
  FillOrder advance = typing_order("sum(", "a.py");
  advance.priority = Priority::Background;
  expect_all(rows_of(engine, advance));
  EXPECT_EQ(rows_of(engine, typing_order("sum(", "a.py")).first, 5) << "the hole, a row before it";
  engine.unload();
  ASSERT_TRUE(engine.load({}));
  expect_all(rows_of(engine, typing_order("sum(", "a.py")));
}

}  // namespace
}  // namespace lacuna::daemon
