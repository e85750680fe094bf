#include "engine/tokenizer/splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/tokenizer/unicode.h"
#include "tests/engine/tokenizer/random_text.h"

namespace lacuna::engine {
namespace {

using testing::ElementsAreArray;

std::vector<std::string> pieces(const Splitter& splitter, const std::string& text) {
  std::vector<std::size_t> ends = {99};  // split() must not keep it
  splitter.split(text, ends);
  std::vector<std::string> result;
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    result.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  EXPECT_EQ(begin, text.size());
  return result;
}

std::unique_ptr<Splitter> regex(const std::vector<std::string>& patterns) {
  auto splitter = make_regex_splitter(patterns);
  EXPECT_TRUE(splitter.has_value()) << splitter.error().message;
  return std::move(*splitter);
}

void check_qwen2(const std::string& text, const std::vector<std::string>& expected) {
  EXPECT_THAT(pieces(*make_qwen2_splitter(), text), ElementsAreArray(expected)) << text;
  EXPECT_THAT(pieces(*regex({std::string(kQwen2Pattern)}), text), ElementsAreArray(expected))
      << text;
}

TEST(SplitterTest, CutsSourceCodeAsQwen2Does) {
  check_qwen2("", {});
  check_qwen2("def f(x):\n    return x+12",
              {"def", " f", "(x", "):\n", "   ", " return", " x", "+", "1", "2"});
  check_qwen2("a  b\tc", {"a", " ", " b", "\tc"});
  check_qwen2("x \n \n  y", {"x", " \n \n", " ", " y"});
  check_qwen2("{\r\n\r\n}", {"{\r\n\r\n", "}"});
  check_qwen2("  ", {"  "});
  check_qwen2("x = 1 ;  ", {"x", " =", " ", "1", " ;", "  "});
  check_qwen2("\nfoo", {"\n", "foo"});
}

TEST(SplitterTest, CutsContractionsOfEitherCase) {
  check_qwen2("I'm he'LL 'RE 'x 'lx", {"I", "'m", " he", "'LL", " '", "RE", " '", "x", " '", "lx"});
  check_qwen2("'s's''d", {"'s", "'s", "''", "d"});
  check_qwen2("'\u017fa'", {"'\u017f", "a", "'"});  // the long s is a case variant of s
  check_qwen2("'r", {"'r"});
  check_qwen2("'", {"'"});
}

TEST(SplitterTest, TakesUnicodeSpacesAndDigits) {
  check_qwen2("\u00a0\u3000x\u0663\u00bd", {"\u00a0", "\u3000x", "\u0663", "\u00bd"});
  check_qwen2("\u0085\n\u2028 7", {"\u0085\n", "\u2028", " ", "7"});
  check_qwen2("a\u180eb", {"a", "\u180eb"});  // Mongolian vowel separator: not a space
  check_qwen2("e\u0301a", {"e", "\u0301a"});
}

TEST(SplitterTest, HandWrittenEqualsRegex) {
  const auto by_hand = make_qwen2_splitter();
  const auto by_regex = regex({std::string(kQwen2Pattern)});
  RandomText random(2);
  for (int i = 0; i < 20000; ++i) {
    const std::string text = random.valid();
    ASSERT_EQ(pieces(*by_hand, text), pieces(*by_regex, text)) << "seed 2, string " << i;
  }
}

TEST(SplitterTest, TakesAMegabyteOfBlanksInOnePiece) {
  for (const char* blank : {" ", "\n", "\t", "\u3000", " \r"}) {
    std::string text;
    while (text.size() < 1 << 20) text += blank;
    EXPECT_EQ(pieces(*make_qwen2_splitter(), text).size(), 1U);
    EXPECT_EQ(pieces(*regex({std::string(kQwen2Pattern)}), text).size(), 1U);
  }
}

TEST(SplitterTest, EveryPatternCutsThePiecesOfTheOneBefore) {
  EXPECT_THAT(pieces(*regex({"[0-9]", "ab"}), "xab1abc"),
              ElementsAreArray({"x", "ab", "1", "ab", "c"}));
  EXPECT_THAT(pieces(*regex({R"(\s)", R"(b(?=\s))"}), "xb c"),
              ElementsAreArray({"xb", " ", "c"}));  // the lookahead ends at the piece
  EXPECT_THAT(pieces(*regex({}), "a b"), ElementsAreArray({"a b"}));
}

TEST(SplitterTest, EmptyMatchesCutNothing) {
  EXPECT_THAT(pieces(*regex({"x*"}), "axxb\u00e9"), ElementsAreArray({"a", "xx", "b\u00e9"}));
}

TEST(SplitterTest, SpaceIsNotWhatPcreCallsSpace) {
  EXPECT_THAT(pieces(*regex({R"(\s+)"}), "a\u180e\u0085\u00a0b"),
              ElementsAreArray({"a\u180e", "\u0085\u00a0", "b"}));
  EXPECT_THAT(pieces(*regex({R"([^\s]+)"}), "a\u180eb c"),
              ElementsAreArray({"a\u180eb", " ", "c"}));
  EXPECT_THAT(pieces(*regex({R"(\S+)"}), "a\u180eb c"), ElementsAreArray({"a\u180eb", " ", "c"}));
}

TEST(SplitterTest, RefusesWhatThePatternLibrariesReadDifferently) {
  for (const char* pattern :
       {R"(\w+)", R"(\bx)", R"(\h)", "[a[b]]", "[a&&b]", "^a", "a$", "a{1,2}+", "(?i)a", "(?R)",
        "(*FAIL)", "(?#x)a", R"(\k<a>)", R"(\1)", R"(\p{L)", "a\\", R"([\w])"}) {
    const auto splitter = make_regex_splitter({pattern});
    ASSERT_FALSE(splitter.has_value()) << pattern;
    EXPECT_EQ(splitter.error().code, ErrorCode::InvalidInput);
    EXPECT_THAT(splitter.error().message, testing::HasSubstr("not supported")) << pattern;
  }
  for (const char* pattern : {"(a", "[a", "a)", R"(\p{Nonsense})", "*"}) {
    EXPECT_FALSE(make_regex_splitter({pattern}).has_value()) << pattern;
  }
}

TEST(SplitterTest, AcceptsThePublishedPatterns) {
  for (
      const char* pattern :
      {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
       R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)",
       R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
       R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"}) {
    EXPECT_TRUE(make_regex_splitter({pattern}).has_value()) << pattern;
  }
}

TEST(SplitterTest, APatternThatNeedsTooMuchWorkLeavesTheRestWhole) {
  const std::string text(200, 'a');  // (a+)+b takes 2^200 steps to find that there is no b
  EXPECT_THAT(pieces(*regex({"c|(?:a+)+b|a"}), "c" + text), ElementsAreArray({"c", text.c_str()}));
}

TEST(SplitterTest, QuotedPatternsMatchTheirText) {
  for (const std::string text : {"[a]+", "\\d", "a.b", "\u00e9 #", "]", "-"}) {
    EXPECT_THAT(pieces(*regex({quote_pattern(text)}), "x" + text + "y"),
                ElementsAreArray({std::string("x"), text, std::string("y")}));
  }
}

}  // namespace
}  // namespace lacuna::engine
