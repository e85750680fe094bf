#include "daemon/certainty.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/helpers/small_model.h"

namespace lacuna::daemon {
namespace {

const engine::Model& small() {
  static const engine::SmallModel kModel;
  return kModel.model;
}

engine::InfillRequest request_of(std::string_view text) {
  engine::InfillRequest request;
  request.text = text;
  request.language = "python";
  request.line_comment = "#";
  return request;
}

const std::string kText =
    "def area(width, height):\n    result = width * height\n    zqx = wvut\n    return result\n";
const std::size_t kBody = kText.find("result");

double probability_of(const std::vector<float>& certainty, const std::string& text,
                      const char* part) {
  const auto begin = certainty.begin() + static_cast<std::ptrdiff_t>(text.find(part));
  const auto size = static_cast<std::ptrdiff_t>(std::string_view(part).size());
  return std::accumulate(begin, begin + size, 1.0, std::multiplies<>());
}

TEST(CertaintyTest, IsLowForWhatNobodyWouldWriteThere) {
  const auto certainty = certainty_of(small(), request_of(kText), {kBody, kText.size()});
  ASSERT_TRUE(certainty);
  ASSERT_EQ(certainty->size(), kText.size());
  EXPECT_LT(probability_of(*certainty, kText, "zqx = wvut"),
            probability_of(*certainty, kText, "return result"));
  EXPECT_LT(probability_of(*certainty, kText, "wvut"), 1e-4);
  EXPECT_GT(probability_of(*certainty, kText, "return"), 0.5);
}

TEST(CertaintyTest, IsOneOutsideOfThePart) {
  const auto certainty = certainty_of(small(), request_of(kText), {kBody, kBody + 23});
  ASSERT_TRUE(certainty);
  for (std::size_t i = 0; i < kText.size(); ++i) {
    const bool inside = i >= kBody && i < kBody + 23;
    EXPECT_EQ((*certainty)[i] < 1, inside) << i;
  }
}

TEST(CertaintyTest, DoesNotDependOnTheLineEnds) {
  std::string windows;
  for (const char c : kText) windows += c == '\n' ? std::string("\r\n") : std::string(1, c);
  const auto unix = certainty_of(small(), request_of(kText), {kBody, kText.size()});
  const auto with_cr =
      certainty_of(small(), request_of(windows), {windows.find("result"), windows.size()});
  ASSERT_TRUE(unix && with_cr);
  for (const char* part : {"result = width", "zqx", "return result"}) {
    EXPECT_EQ(probability_of(*unix, kText, part), probability_of(*with_cr, windows, part)) << part;
  }
}

TEST(CertaintyTest, APartThatFillsTheCanvasIsScoredInPieces) {
  std::string text = "def f(x0):\n";
  for (int i = 0; i < 60; ++i) {
    text += "    x" + std::to_string(i + 1) + " = x" + std::to_string(i) + " + 1\n";
  }
  engine::InfillRequest request = request_of(text);
  request.options.max_canvas = 128;
  const auto certainty = certainty_of(small(), request, {11, text.size()});
  ASSERT_TRUE(certainty);
  EXPECT_TRUE(std::all_of(certainty->begin() + 11, certainty->end(),
                          [](float it) { return it >= 0 && it <= 1; }));
  EXPECT_LT(certainty->back(), 1);
  EXPECT_LT((*certainty)[15], 1);
}

TEST(CertaintyTest, ALineThatDoesNotFitIsAnError) {
  std::string text = "x = [";
  for (int i = 0; i < 200; ++i) text += std::to_string(i * 7919) + ", ";
  engine::InfillRequest request = request_of(text);
  request.options.max_canvas = 64;
  const auto certainty = certainty_of(small(), request, {4, text.size()});
  ASSERT_FALSE(certainty);
  EXPECT_EQ(certainty.error().code, ErrorCode::InvalidInput);
}

TEST(CertaintyTest, IsCancelledWhenStopped) {
  engine::InfillRequest request = request_of(kText);
  std::stop_source source;
  source.request_stop();
  request.stop = source.get_token();
  const auto certainty = certainty_of(small(), request, {kBody, kText.size()});
  ASSERT_FALSE(certainty);
  EXPECT_EQ(certainty.error().code, ErrorCode::Cancelled);
}

}  // namespace
}  // namespace lacuna::daemon
