#include "engine/canvas.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/helpers/small_model.h"

namespace lacuna::engine {
namespace {

// A text with markers and what the model would see of it.
class CanvasTest : public testing::Test {
 protected:
  CanvasSource source(std::string_view text, int max_tokens = 256) {
    text_ = text;
    auto holes = find_markers(text_, max_tokens);
    EXPECT_TRUE(holes.has_value());
    holes_ = *holes;
    return {.text = text_,
            .holes = holes_,
            .filled = {},
            .language = "python",
            .line_comment = "#",
            .default_hole_tokens = 4,
            .max_tokens = max_tokens};
  }

  // Tokens as text: masks as ░, the tokens of the frame by name.
  std::string show(const Canvas& canvas) {
    const DocumentFormat& format = *small_.model.config().document_format;
    std::string out;
    for (const std::int32_t token : canvas.tokens) {
      if (token == small_.model.mask_token()) {
        out += "░";
      } else if (token == format.begin) {
        out += "[begin]";
      } else if (token == format.end) {
        out += "[end]";
      } else if (token == format.languages.at("python")) {
        out += "[python]";
      } else if (token == format.any_language) {
        out += "[any]";
      } else {
        out += small_.model.tokenizer()->decode({&token, 1});
      }
    }
    return out;
  }

  std::string build(const CanvasSource& from) {
    const Result<Canvas> canvas = build_canvas(small_.model, from);
    return canvas ? show(*canvas) : "error: " + canvas.error().message;
  }

  SmallModel small_;
  std::string text_;
  std::vector<Hole> holes_;
};

TEST_F(CanvasTest, FramesAWholeFileAsTheModelWasTrained) {
  EXPECT_EQ(build(source("x = ⟦?2⟧\ny = 1\n")), "[begin][python]x = ░░\ny = 1\n[end]");
}

TEST_F(CanvasTest, PutsSeveralHolesIntoOneCanvas) {
  EXPECT_EQ(build(source("a = ⟦?1⟧ + ⟦?3⟧\nb = ⟦?⟧\n")),
            "[begin][python]a = ░ + ░░░\nb = ░░░░\n[end]");
}

TEST_F(CanvasTest, UsesTheTokenForAnyLanguageWhenItDoesNotKnowTheLanguage) {
  CanvasSource unknown = source("⟦?1⟧\n");
  unknown.language = "cobol";
  EXPECT_EQ(build(unknown), "[begin][any]░\n[end]");
}

TEST_F(CanvasTest, HidesWindowsLineEndsAndTheByteOrderMark) {
  EXPECT_EQ(build(source("\xEF\xBB\xBFx = 1\r\ny = ⟦?1⟧\r\n")),
            "[begin][python]x = 1\ny = ░\n[end]");
}

TEST_F(CanvasTest, ShowsAHintAsACommentAboveTheLineOfItsHole) {
  EXPECT_EQ(build(source("def f(x):\n    return ⟦?: twice x⟧\n")),
            "[begin][python]def f(x):\n    # twice x\n    return ░░░░\n[end]");
}

TEST_F(CanvasTest, ShowsTheHintsOfOneLineTogether) {
  EXPECT_EQ(build(source("k = 1\n  f(⟦?: first⟧, ⟦?: second⟧)\n")),
            "[begin][python]k = 1\n  # first\n  # second\n  f(░░░░, ░░░░)\n[end]");
}

TEST_F(CanvasTest, KeepsControlTokensOfTheUsersTextAsText) {
  const CanvasSource from = source("s = '<mask><pad><eof><bof>'\nx = ⟦?1⟧\n");
  const Result<Canvas> canvas = build_canvas(small_.model, from);
  ASSERT_TRUE(canvas.has_value());
  EXPECT_EQ(std::count(canvas->tokens.begin(), canvas->tokens.end(), small_.model.mask_token()), 1);
  EXPECT_EQ(show(*canvas), "[begin][python]s = '<mask><pad><eof><bof>'\nx = ░\n[end]");
}

TEST_F(CanvasTest, CutsTheContextToTheBudgetAroundTheHole) {
  std::string before;
  std::string after;
  for (int i = 0; i < 400; ++i) {
    before += "before_" + std::to_string(i) + " = " + std::to_string(i) + "\n";
    after += "after_" + std::to_string(i) + " = " + std::to_string(i) + "\n";
  }
  const CanvasSource from = source(before + "x = ⟦?8⟧\n" + after, 100);
  const Result<Canvas> canvas = build_canvas(small_.model, from);
  ASSERT_TRUE(canvas.has_value());
  EXPECT_LE(canvas->tokens.size(), 100U);
  EXPECT_GE(canvas->tokens.size(), 95U);
  const std::string shown = show(*canvas);
  EXPECT_TRUE(shown.starts_with("[python]")) << "a cut file has no beginning: " << shown;
  EXPECT_NE(shown.find("before_399 = 399\nx = ░░░░░░░░\nafter_0 = 0\n"), std::string::npos)
      << shown;
  EXPECT_FALSE(shown.ends_with("[end]"));
  // Three fifths of the context stand before the hole.
  EXPECT_NEAR(canvas->holes[0].begin, 1 + (97 - 8) * 3 / 5, 2);
}

TEST_F(CanvasTest, ShowsContextOfOtherFilesBeforeTheFile) {
  CanvasSource from = source("x = ⟦?1⟧\n");
  from.context = "# other.py\r\ny = 2\n";
  EXPECT_EQ(build(from), "[begin][python]# other.py\ny = 2\nx = ░\n[end]");
}

TEST_F(CanvasTest, KeepsTheEndOfTooMuchContextFromTheStartOfALine) {
  std::string context;
  for (int i = 0; i < 400; ++i) context += "line_" + std::to_string(i) + "\n";
  CanvasSource from = source("x = ⟦?8⟧\n", 200);
  from.context = context;
  const Result<Canvas> canvas = build_canvas(small_.model, from);
  ASSERT_TRUE(canvas.has_value());
  const std::string shown = show(*canvas);
  EXPECT_LE(canvas->tokens.size(), 200U / 4 + 20);
  EXPECT_NE(shown.find("line_399\nx = "), std::string::npos) << shown;
  EXPECT_TRUE(shown.starts_with("[begin][python]line_")) << shown;
}

TEST_F(CanvasTest, LeavesOutContextWhoseLastLineAloneIsTooLong) {
  const std::string context(100000, 'x');
  CanvasSource from = source("x = ⟦?1⟧\n", 100);
  from.context = context;
  EXPECT_EQ(build(from), "[begin][python]x = ░\n[end]");
}

TEST_F(CanvasTest, GivesOneSideWhatTheOtherDoesNotNeed) {
  std::string after;
  for (int i = 0; i < 400; ++i) after += "after_" + std::to_string(i) + "\n";
  const Result<Canvas> canvas = build_canvas(small_.model, source("⟦?8⟧\n" + after, 100));
  ASSERT_TRUE(canvas.has_value());
  EXPECT_GE(canvas->tokens.size(), 98U);
}

TEST_F(CanvasTest, LeavesFarHolesToTheNextCanvasWhichSeesTheFirstFill) {
  std::string middle;
  for (int i = 0; i < 200; ++i) middle += "line_" + std::to_string(i) + "()\n";
  CanvasSource from = source("a = ⟦?2⟧\n" + middle + "b = ⟦?2⟧\n", 120);
  const Result<Canvas> first = build_canvas(small_.model, from);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->holes.size(), 1U);

  const std::vector<std::string> filled = {"FILLED"};
  from.filled = filled;
  const Result<Canvas> second = build_canvas(small_.model, from);
  ASSERT_TRUE(second.has_value());
  ASSERT_EQ(second->holes.size(), 1U);
  EXPECT_EQ(second->holes[0].hole_idx, 1);

  CanvasSource near = source("a = ⟦?2⟧\nb = ⟦?60⟧\n", 80);
  near.filled = filled;
  EXPECT_TRUE(build(near).starts_with("[begin][python]a = FILLED\nb = ░"));
}

TEST_F(CanvasTest, RefusesAHoleThatDoesNotFit) {
  const std::string answer = build(source("x = ⟦?100⟧\n", 100));
  EXPECT_NE(answer.find("error: a hole of 100 tokens does not fit the canvas of 100 tokens"),
            std::string::npos)
      << answer;
}

TEST_F(CanvasTest, NeverCutsMoreThanTheTextHasWhateverTheBudget) {
  const std::string text = "def add(a, b):\n    return ⟦?3⟧\n\n\ndef sub(a, b):\n    ⟦?4⟧\n";
  for (int budget = 8; budget < 80; ++budget) {
    const CanvasSource from = source(text, budget);
    const Result<Canvas> canvas = build_canvas(small_.model, from);
    ASSERT_TRUE(canvas.has_value()) << budget;
    EXPECT_LE(static_cast<int>(canvas->tokens.size()), budget);
    EXPECT_NE(canvas->tokens[0], small_.model.mask_token()) << "no row predicts position 0";
    for (const CanvasHole& hole : canvas->holes) {
      for (int i = 0; i < hole.length; ++i) {
        EXPECT_EQ(canvas->tokens[static_cast<std::size_t>(hole.begin + i)],
                  small_.model.mask_token());
      }
    }
  }
}

}  // namespace
}  // namespace lacuna::engine
