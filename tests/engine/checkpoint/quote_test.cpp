#include "engine/checkpoint/quote.h"

#include <gtest/gtest.h>

#include "support/text.h"

namespace lacuna::engine {
namespace {

TEST(QuoteTest, LeavesOrdinaryTextAlone) {
  EXPECT_EQ(quote("model.norm.weight"), "'model.norm.weight'");
  EXPECT_EQ(quote(""), "''");
  EXPECT_EQ(quote("\u00e9\u20ac\U0001F600"), "'\u00e9\u20ac\U0001F600'");
}

TEST(QuoteTest, NeutralisesWhatATerminalWouldObey) {
  EXPECT_EQ(printable("a\x1b[31m\n\x7f"), "a?[31m??");
  EXPECT_EQ(quote("\u009B31m"), "'?31m'");  // CSI as one C1 character
  EXPECT_EQ(printable(std::string_view("\0\xFF\xC3", 3)), "???");
}

TEST(QuoteTest, CutsLongTextBetweenCharacters) {
  for (std::size_t offset = 0; offset < 4; ++offset) {
    std::string text(offset, 'x');
    for (int i = 0; i < 100; ++i) text += "\u20ac";
    const std::string shown = quote(text);
    EXPECT_LE(shown.size(), 125U);
    EXPECT_TRUE(shown.ends_with("...'"));
    EXPECT_TRUE(is_valid_utf8(shown));
  }
}

}  // namespace
}  // namespace lacuna::engine
