#include "grammar/syntax_tree.h"

#include <random>
#include <stop_token>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lacuna::grammar {
namespace {

const Grammar& grammar(std::string_view name) {
  const Grammar* found = grammar_of(language_named(name));
  EXPECT_NE(found, nullptr) << name;
  return *found;
}

struct Sample {
  const char* language;
  const char* good;
  const char* broken;
};

constexpr Sample kSamples[] = {
    {"python", "def f(x):\n    return x + 1\n", "def f(x:\n    return x + 1\n"},
    {"c", "int f(int x) {\n  return x + 1;\n}\n", "int f(int x) {\n  return x + ;\n}\n"},
    {"cpp", "template <class T> T f(T x) { return x; }\n",
     "template <class T> T f(T x) { return x;\n"},
    {"javascript", "const f = (x) => ({ y: x });\n", "const f = (x) => ({ y: x );\n"},
    {"javascript", "const a = <b c={1}>d</b>;\n", "const a = <b c={1}>d</c;\n"},
    {"typescript", "function f(x: number): number { return x; }\n",
     "function f(x: number): { return x }\n"},
    {"tsx", "const a = <B c={x as number} />;\n", "const a = <B c={x as} />;\n"},
    {"rust", "fn f(x: i32) -> i32 { x + 1 }\n", "fn f(x: i32) -> { x + 1 \n"},
    {"go", "package a\n\nfunc f(x int) int { return x }\n",
     "package a\n\nfunc f(x int int { return x }\n"},
    {"java", "class A { int f(int x) { return x; } }\n", "class A { int f(int x) { return x } }\n"},
    {"json", "{\"a\": [1, 2, null]}\n", "{\"a\": [1, 2, null}\n"},
    {"bash", "if true; then echo a; fi\n", "if true; then echo a;\n"},
    {"lua", "local function f(x) return x end\n", "local function f(x) return x\n"},
};

TEST(SyntaxTreeTest, HasASampleForEveryGrammar) {
  for (const auto& it : grammars()) {
    bool found = false;
    for (const Sample& sample : kSamples) found = found || it->language().name == sample.language;
    EXPECT_TRUE(found) << it->language().name;
  }
}

// A parse that may end at an error says of no text without errors that it has one, whatever it starts
// from.
TEST(SyntaxTreeTest, EndsAtAnErrorOnlyWhereThereIsOne) {
  std::mt19937 random(1);
  int clean = 0;
  int ended = 0;
  for (const Sample& sample : kSamples) {
    const Grammar& language = grammar(sample.language);
    Parser parser(language);
    std::string text;
    while (text.size() < 1000) text += sample.good;
    const auto before = parser.parse(text);
    ASSERT_TRUE(before);
    for (int i = 0; i < 100; ++i) {
      // Some bytes go, or come from elsewhere in the text.
      const std::size_t at = random() % (text.size() - 8);
      const std::size_t removed = random() % 4;
      const std::string added = text.substr(random() % (text.size() - 8), random() % 8);
      std::string changed = text;
      changed.replace(at, removed, added);
      SyntaxTree edited = *before;
      edited.edit(text, at, at + removed, added);
      const auto whole = parser.parse(changed, &edited);
      ASSERT_TRUE(whole);
      const auto limited = parser.parse(changed, &edited, {.stop = {}, .only_without_error = true});
      EXPECT_EQ(limited && !limited->has_error(), !whole->has_error()) << changed.substr(at, 40);
      clean += whole->has_error() ? 0 : 1;
      ended += limited ? 0 : 1;
    }
  }
  EXPECT_GT(clean, 100);
  EXPECT_GT(ended, 20);
}

TEST(SyntaxTreeTest, AParseCanBeStopped) {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += kSamples[0].good;
  std::stop_source stop;
  Parser parser(grammar("python"));
  EXPECT_TRUE(parser.parse(text, nullptr, {.stop = stop.get_token()}));
  stop.request_stop();
  EXPECT_FALSE(parser.parse(text, nullptr, {.stop = stop.get_token()}));
  EXPECT_TRUE(parser.parse(text)) << "the parser is of use afterwards";
}

TEST(SyntaxTreeTest, AParseEndsWhenItsTimeIsOver) {
  std::string text;
  while (text.size() < 10'000) text += "int f(int x) { return x + 1; }\n";
  Parser parser(grammar("c"));
  EXPECT_FALSE(parser.parse(text, nullptr, {.stop = {}, .until = 0}));
  EXPECT_TRUE(parser.parse(text));
}

TEST(SyntaxTreeTest, TellsGoodTextFromBroken) {
  for (const Sample& sample : kSamples) {
    const auto good = parse(grammar(sample.language), sample.good);
    ASSERT_TRUE(good) << sample.language;
    EXPECT_FALSE(good->has_error()) << sample.good;
    EXPECT_TRUE(syntax_errors(*good).empty()) << sample.good;
    const auto broken = parse(grammar(sample.language), sample.broken);
    ASSERT_TRUE(broken) << sample.language;
    EXPECT_TRUE(broken->has_error()) << sample.broken;
    EXPECT_FALSE(syntax_errors(*broken).empty()) << sample.broken;
  }
}

TEST(SyntaxTreeTest, NamesWhatIsMissing) {
  const auto tree = parse(grammar("c"), "int x = f(1;\n");
  ASSERT_TRUE(tree);
  EXPECT_EQ(syntax_errors(*tree),
            (std::vector<SyntaxError>{{.begin = 11, .end = 11, .missing = ")"}}));
}

TEST(SyntaxTreeTest, GivesTheOutermostErrorsInOrder) {
  const std::string text = "int a = ;\nint b;\nint c = * ;\n";
  const auto tree = parse(grammar("c"), text);
  ASSERT_TRUE(tree);
  const std::vector<SyntaxError> errors = syntax_errors(*tree);
  ASSERT_GE(errors.size(), 2U);
  for (std::size_t i = 1; i < errors.size(); ++i) EXPECT_LE(errors[i - 1].end, errors[i].begin);
  EXPECT_LT(errors.front().begin, text.find("int b"));
  EXPECT_GT(errors.back().begin, text.find("int b"));
}

TEST(SyntaxTreeTest, ParsesAnEditAsIfItWereNew) {
  for (const Sample& sample : kSamples) {
    const std::string text = sample.good;
    Parser parser(grammar(sample.language));
    const auto before = parser.parse(text);
    ASSERT_TRUE(before);
    const std::size_t at = text.find_last_of("x1ad");
    for (const std::string_view replacement : {"", "q", "(\n\n", "\"\xC3\xA9"}) {
      std::string changed = text;
      changed.replace(at, 1, replacement);
      SyntaxTree edited = *before;
      edited.edit(text, at, at + 1, replacement);
      const auto after = parser.parse(changed, &edited);
      const auto fresh = parse(grammar(sample.language), changed);
      ASSERT_TRUE(after && fresh);
      EXPECT_EQ(after->has_error(), fresh->has_error()) << changed;
    }
    EXPECT_FALSE(before->has_error()) << "an edit of a copy has changed the tree";
  }
}

TEST(SyntaxTreeTest, TakesAnyBytes) {
  const std::string texts[] = {"",
                               std::string("\0\0", 2),
                               "\xFF\xFE",
                               "\xEF\xBB\xBF",
                               "\r",
                               "\xE2\x82",
                               std::string(1000, '('),
                               std::string(1000, '"'),
                               "\xF0\x9F\x98\x80 = '\xF0\x9F'"};
  for (const auto& it : grammars()) {
    for (const std::string& text : texts) {
      const auto tree = parse(*it, text);
      ASSERT_TRUE(tree) << it->language().name;
      for (const SyntaxError& error : syntax_errors(*tree)) {
        EXPECT_LE(error.begin, error.end);
        EXPECT_LE(error.end, text.size());
      }
    }
  }
}

TEST(SyntaxTreeTest, RefusesATextThatIsTooLarge) {
  EXPECT_FALSE(parse(grammar("json"), std::string(kMaxParsedBytes + 1, ' ')));
}

TEST(GrammarTest, CompilesItsQuery) {
  for (const auto& it : grammars()) EXPECT_NE(it->query(), nullptr) << it->language().name;
}

TEST(GrammarTest, IsMissingForALanguageWithoutParser) {
  EXPECT_EQ(grammar_of(language_named("haskell")), nullptr);
  EXPECT_EQ(grammar_of(nullptr), nullptr);
}

TEST(GrammarTest, TakesTheNamesOfEditors) {
  EXPECT_EQ(&grammar("typescriptreact"), &grammar("tsx"));
  EXPECT_EQ(&grammar("shellscript"), &grammar("bash"));
}

}  // namespace
}  // namespace lacuna::grammar
