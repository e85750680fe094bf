#include "grammar/gate.h"

#include <stop_token>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "grammar/layout.h"
#include "grammar/tidy_fill.h"
#include "support/processor_time.h"
#include "tests/grammar/marked_text.h"

namespace lacuna::grammar {
namespace {

// Seconds for a gate that is not asked how it keeps to its time: tests run on slow machines, too.
constexpr double kEnough = 1e9;

std::vector<Problem> judge(const char* language, const char* source,
                           const std::vector<std::string>& fills) {
  const MarkedText text = marked(source);
  return Gate(grammar_named(language), text.text, text.spans, {}, {}, kEnough).judge(fills);
}

bool passes(const char* language, const char* source, const std::string& fill) {
  return judge(language, source, {fill}).empty();
}

TEST(GateTest, TakesAFillThatParsesAndNoOther) {
  const struct {
    const char* language;
    const char* source;
    const char* good;
    const char* bad;
  } table[] = {
      {"python", "def f(x):\n    return «⟦?⟧»\n", "x + 1", "x +"},
      {"python", "f(«»)\n", "a, g(b)", "a, g(b"},
      {"c", "int f(void) {\n  «⟦?⟧»\n}\n", "return 1;", "return 1"},
      {"cpp", "int f() {\n  «⟦?⟧»\n}\n", "std::vector<int> x{1};", "std::vector<int x{1};"},
      {"javascript", "const x = «⟦?⟧»;\n", "(y) => ({ y })", "(y) => ({ y }"},
      {"typescript", "let x: «⟦?⟧» = null;\n", "A | null", "A |"},
      {"tsx", "const x = «⟦?⟧»;\n", "<a b=\"c\">d</a>", "<a b=\"c\">d"},
      {"rust", "fn f() -> u8 {\n    «⟦?⟧»\n}\n", "let x = 1; x", "let x = ; x"},
      {"go", "package a\n\nfunc f() int {\n\t«⟦?⟧»\n}\n", "return 1", "return 1 }"},
      {"java", "class A {\n  int f() {\n    «⟦?⟧»\n  }\n}\n", "return 1;", "return 1;}"},
      {"json", "{\"a\": «⟦?⟧»}\n", "[1, 2]", "[1, 2"},
      {"bash", "if «⟦?⟧»; then\n  ls\nfi\n", "[ -f a ]", "[ -f a"},
      {"lua", "local x = «⟦?⟧»\n", "f(1)", "f(1"},
  };
  for (const auto& it : table) {
    EXPECT_TRUE(passes(it.language, it.source, it.good)) << it.source << it.good;
    EXPECT_FALSE(passes(it.language, it.source, it.bad)) << it.source << it.bad;
  }
}

TEST(GateTest, DoesNotCountErrorsThatTheTextHadBefore) {
  const char* source = "int a = ;\n\nint f(void) {\n  return «⟦?⟧»;\n}\n\nint c = * ;\n";
  const MarkedText text = marked(source);
  Gate gate(grammar_named("c"), text.text, text.spans, {}, {}, kEnough);
  EXPECT_TRUE(gate.is_sure());
  EXPECT_EQ(gate.errors_before(), 2);
  EXPECT_TRUE(passes("c", source, "1 + 2"));
  EXPECT_FALSE(passes("c", source, "1 +"));
}

TEST(GateTest, SaysThatItCannotBeSureWhereTheTextAroundAHoleIsBroken) {
  const MarkedText text = marked("int a = (* / «⟦?⟧» / ;\n");
  Gate gate(grammar_named("c"), text.text, text.spans, {}, {}, kEnough);
  EXPECT_FALSE(gate.is_sure());
  EXPECT_TRUE(gate.judge(std::vector<std::string>{"1"}).empty());
}

// As holes are in an editor: with nothing in them, and one beside the other.
TEST(GateTest, FindsSomethingSimpleForEmptyHoles) {
  const struct {
    const char* language;
    const char* source;
  } table[] = {
      {"c", "int f(int a) {\n  g(a, «»\n  h(a);\n}\n"},
      {"c", "int f(int a) {\n  if (a > «»\n    h(a);\n  }\n  return «»\n}\n"},
      {"c", "int f(«»\n  «»\n}\n"},
      {"cpp", "int f() {\n  for (int i = 0; i < n; «»\n    v.push_back(i);\n  }\n}\n"},
      {"java", "class A {\n  public void «»\n    g(«»);\n  }\n  private final «»\n}\n"},
      {"javascript", "function f(«»\n  const x = g(«»);\n  return «»\n}\n"},
      {"typescript", "const x = g((a: number) => «»\n  return a;\n});\n"},
      {"rust", "fn f(«»\n    let x = g(«»);\n    «»\n}\n"},
      {"go", "package a\n\nfunc f(«»\n\tg(1)\n\treturn «»\n}\n"},
      {"python", "def f(«»\n    g(1)\n    return h(2, «»\n"},
      // What one hole takes can only be told with the other open.
      {"c",
       "void f(a *b) {\n  if ((b->c = g(«»)) == 0)\n    h(b);\n}\n\nint k(int *«»\n  h(b);\n}\n"},
      {"python", "def f(a):\n    b = g(«»)\n    if «»\n        b = b ** a\n    return b\n"},
      // Heads of loops, also of two lines.
      {"c", "void f(int n) {\n  for (int i = 0; i < n«»\n    g(i);\n}\n"},
      {"cpp", "void f() {\n  for (A::b c = d->e();\n       c != d->f(«»\n    g(c);\n}\n"},
      // What began on the line before.
      {"c", "int f(void) {\n  if (g(a, \"b\", c,\n        \"d\"«»\n    return 1;\n}\n"},
      // Parts of statements that no name or call stands for.
      {"python", "from a «»\nfrom b.«»\n"},
      {"python", "def f(a):\n    for b, «»\n        c(b)\n    raise D(f\"e {a«»\n"},
      {"python", "a = {\n    0: 1,\n    1«»\n    2: 3,\n}\n"},
      {"python", "def f():\n    a «»\n        b, c(d), e=True\n    )\n"},
      {"javascript", "function f(a) {\n  const b = `${«»\n  return a.b ? a.c(a.«»\n}\n"},
      {"javascript", "f('a'«»\n  g()\n})\n"},
      {"typescript", "import { a «»\n\nexport type B<T> «»\n"},
      {"typescript", "const a = b(«»);\nconst c «»\n  d: 1,\n});\n"},
      {"rust",
       "fn f(a: A) {\n    match a {\n        B(c) «»\n        _ => d(),\n    }\n"
       "    if let Some«»\n        g();\n    }\n}\n"},
      {"go", "package a\n\nfunc f() {\n\tb, c, «»\n\tg(b)\n}\n"},
      {"java", "class A {\n  public <B extends «»\n    return c;\n  }\n  abstract D e(F«»\n}\n"},
      {"c", "#ifndef A\n#define A\nint f(void);\n«»\n"},
  };
  for (const auto& it : table) {
    const MarkedText text = marked(it.source);
    const Gate gate(grammar_named(it.language), text.text, text.spans, {}, {}, kEnough);
    EXPECT_TRUE(gate.is_sure()) << it.source;
    EXPECT_EQ(gate.errors_before(), 0) << it.source;
  }
}

// What opens three brackets is not among what is tried, but that something would parse is certain.
TEST(GateTest, WantsAFillToParseIfSomethingWouldThoughNothingSimpleDoes) {
  const MarkedText text = marked("x = «»]}, 1)\n");
  Gate gate(grammar_named("python"), text.text, text.spans, {}, {}, kEnough);
  EXPECT_FALSE(gate.is_sure());
  EXPECT_TRUE(gate.is_strict());
  EXPECT_TRUE(gate.judge(std::vector<std::string>{"({1: [2"}).empty());
  EXPECT_FALSE(gate.judge(std::vector<std::string>{"({1: 2"}).empty());
}

TEST(GateTest, DoesNotWantAFillToParseWhereNothingWould) {
  const MarkedText text = marked("int a = (* / «» / ;\n");
  const Gate gate(grammar_named("c"), text.text, text.spans, {}, {}, kEnough);
  EXPECT_FALSE(gate.is_strict());
}

TEST(GateTest, SaysThatTheTimeWasNotEnough) {
  const MarkedText text = marked("int f() {\n  return «»;\n}\n");
  Gate gate(grammar_named("c"), text.text, text.spans, {}, {}, 0);
  EXPECT_TRUE(gate.is_out_of_time());
  EXPECT_FALSE(gate.is_sure());
  EXPECT_FALSE(gate.is_strict());
  EXPECT_TRUE(gate.judge(std::vector<std::string>{"1 +"}).empty());
  EXPECT_FALSE(Gate(grammar_named("c"), text.text, text.spans).is_out_of_time());
}

TEST(GateTest, IsSureInALargeFile) {
  std::string text;
  for (int i = 0; text.size() < 60'000; ++i) {
    text += "def f" + std::to_string(i) + "(a, b):\n    x = a + b\n    return g(x, a)\n\n\n";
  }
  const std::size_t begin = text.find("return g(", text.size() / 2) + 9;
  text.erase(begin, text.find('\n', begin) - begin);
  const Gate gate(grammar_named("python"), text, {{begin, begin}}, {}, {}, kEnough);
  EXPECT_TRUE(gate.is_sure());
}

TEST(GateTest, NamesTheHoleAndTheLinesToWriteAgain) {
  const char* source = "def f(x):\n    «⟦?⟧»\n    return «⟦?⟧»\n";
  const std::vector<Problem> problems =
      judge("python", source, {"y = 1\n    z = = 2\n    w = 3", "y"});
  ASSERT_FALSE(problems.empty());
  EXPECT_EQ(problems[0].hole, 0);
  EXPECT_EQ(problems[0].fill, (Span{6, 17}));
  EXPECT_NE(problems[0].what.find("unexpected"), std::string::npos);
}

TEST(GateTest, SeesPythonIndentationAsTheCompilerDoes) {
  const char* source = "def f(x):\n    «⟦?⟧»\n    return x\n";
  EXPECT_TRUE(passes("python", source, "if x:\n        pass"));
  EXPECT_FALSE(passes("python", source, "if x:\n            pass\n        y = 1"));
  EXPECT_FALSE(passes("python", source, "x = 1\n        y = 2"));
  EXPECT_FALSE(passes("python", source, "if x:"));
  EXPECT_FALSE(passes("python", source, "print x"));
  EXPECT_FALSE(passes("python", source, "await x"));
  EXPECT_FALSE(passes("python", source, "f(a=1, b)"));
  EXPECT_TRUE(passes("python", source, "return x"));
  EXPECT_FALSE(passes("python", "x = 1\n«⟦?⟧»\ny = 2\n", "return x"));
}

TEST(GateTest, RefusesAFillThatHidesWhatFollows) {
  EXPECT_FALSE(passes("python", "x = [«⟦?⟧» + 1]\n", "1] # "));
  EXPECT_FALSE(passes("c", "int a = «⟦?⟧»; /* b */\n", "1; /* "));
  EXPECT_FALSE(passes("javascript", "f(«⟦?⟧», 'a');\n", "'b"));
  EXPECT_TRUE(passes("python", "x = «⟦?⟧»\n", "1  # one"));
  EXPECT_TRUE(passes("c", "int x; // «⟦?⟧» later\n", "now and"));
}

TEST(PythonLayoutTest, FindsWhatCompileRefuses) {
  const struct {
    const char* text;
    const char* what;  // empty: fine
  } table[] = {
      {"if a:\n    b\nelse:\n    c\n", ""},
      {"a = [\n  1,\n      2,\n]\nb\n", ""},
      {"def f():\n    '''\n  x\n y'''\n    return 1\n", ""},
      {"a = 1 + \\\n        2\nb\n", ""},
      {"if a:\n    b\n# c\n        # d\n    e\n", ""},
      {"if a: b\nc\n", ""},
      {"if a:\n\tb\n\tc\n", ""},
      {"x = 1; y = 2\nz\n", ""},
      {"\xEF\xBB\xBFx = 1\ny = 2\n", ""},
      {"class A:\r\n    b = 1\r\n\r\n    c = 2\r\n", ""},
      {"x = f(lambda: 1)\ny = {1: 2}\nz = a[1:]\n", ""},
      {"if a:  # b\n    c\n", ""},
      {"f(a,  # b\n  c)\nd\n", ""},
      {"a  # b\nc\n", ""},
      {"a = f'''{b}\n      c \\n {{d}}\n  {e}'''\nf\n", ""},
      {"a = f\"{b['c']}\"\n    d\n", "unexpected indent"},
      {"a\n    b\n", "unexpected indent"},
      {"a  # b\n    c\n", "unexpected indent"},
      {"try:  # a\n    # b\nexcept c:\n    d\n", "expected an indented block"},
      {"if a:\n    b\n  c\n", "unindent does not match any outer indentation level"},
      {"if a:\nb\n", "expected an indented block"},
      {"def f():\n", "expected an indented block"},
      {"if a:\n        b\n\tc\n", "inconsistent use of tabs and spaces"},
  };
  for (const auto& it : table) {
    const auto tree = parse(grammar_named("python"), it.text);
    ASSERT_TRUE(tree);
    const std::vector<LayoutError> errors = python_layout_errors(it.text, *tree);
    if (std::string(it.what).empty()) {
      EXPECT_TRUE(errors.empty()) << it.text << errors[0].what;
    } else {
      ASSERT_FALSE(errors.empty()) << it.text;
      EXPECT_EQ(errors[0].what, it.what) << it.text;
    }
  }
}

TEST(PythonLayoutTest, CanBeStopped) {
  const std::string text = "a\n    b\n";
  const auto tree = parse(grammar_named("python"), text);
  std::stop_source stop;
  EXPECT_EQ(python_layout_errors(text, *tree, stop.get_token()).size(), 1U);
  stop.request_stop();
  EXPECT_TRUE(python_layout_errors(text, *tree, stop.get_token()).empty());
}

TEST(IndentStyleTest, IsTheMostCommonStep) {
  EXPECT_EQ(indent_style_of("a\n  b\n    c\n  d\n"),
            (IndentStyle{.tabs = false, .unit = 2, .seen = true}));
  EXPECT_EQ(indent_style_of("a\n\tb\n\t\tc\n"),
            (IndentStyle{.tabs = true, .unit = 4, .seen = true}));
  EXPECT_EQ(indent_style_of("/*\n * a\n */\nb\n    c\n"),
            (IndentStyle{.tabs = false, .unit = 4, .seen = true}));
  EXPECT_EQ(indent_style_of(""), IndentStyle{});
}

TEST(GateTest, JudgesOneFillAfterTheOtherAsIfEachWereTheFirst) {
  const MarkedText text = marked("def f(x):\n    «⟦?⟧»\n    return «⟦?⟧»\n");
  Gate gate(grammar_named("python"), text.text, text.spans, {}, {}, kEnough);
  const std::vector<std::vector<std::string>> fills = {
      {"y = 1", "y"}, {"y = (1", "y"},  {"y = 1\n    z = \"\"\"", "y"},
      {"", ""},       {"y = 1", "y +"}, {"y = 1", "y"}};
  for (const auto& it : fills) {
    Gate fresh(grammar_named("python"), text.text, text.spans);
    EXPECT_EQ(gate.passes(it), fresh.passes(it)) << it[0] << it[1];
    EXPECT_EQ(gate.passes(it), gate.judge(it).empty()) << it[0] << it[1];
  }
}

TEST(GateTest, PassesWhatItFindsNoProblemWith) {
  const struct {
    const char* language;
    const char* source;
  } table[] = {
      {"cpp", "int f(int x) {\n  «⟦?⟧»\n  return g(«⟦?⟧»);\n}\n"},
      {"rust", "fn f(x: u8) -> u8 {\n    «⟦?⟧»\n    g(«⟦?⟧»)\n}\n"},
      {"python", "def f(x):\n    «⟦?⟧»\n    return g(«⟦?⟧»)\n"},
      // With an error that has nothing to do with the holes.
      {"c", "int a = ;\n\nint f(void) {\n  «⟦?⟧»\n  return g(«⟦?⟧»);\n}\n"},
  };
  const std::vector<std::string> fills = {"",       "x",      "x;", "x, y", "(x",    "x)",
                                          "x // y", "{ x; }", "/*", "'",    "if x:", "let y = x;"};
  int good = 0;
  for (const auto& it : table) {
    const MarkedText text = marked(it.source);
    Gate gate(grammar_named(it.language), text.text, text.spans, {}, {}, kEnough);
    Gate judge(grammar_named(it.language), text.text, text.spans);
    for (const std::string& a : fills) {
      for (const std::string& b : fills) {
        const std::vector<std::string> both = {a, b};
        EXPECT_EQ(gate.passes(both), judge.judge(both).empty()) << it.source << a << " and " << b;
        good += gate.passes(both) ? 1 : 0;
      }
    }
  }
  EXPECT_GT(good, 20);
}

TEST(GateTest, TriesTheFillsFirstThatItIsGiven) {
  const MarkedText text = marked("int f() {\n  return «⟦?⟧»;\n}\n");
  const Gate gate(grammar_named("c"), text.text, text.spans, {"(1)"}, {}, kEnough);
  EXPECT_EQ(gate.neutral_fills(), (std::vector<std::string>{"(1)"}));
  ASSERT_NE(gate.clean_tree(), nullptr);
  const Gate other(grammar_named("c"), text.text, text.spans, {"(1"});
  EXPECT_NE(other.neutral_fills(), (std::vector<std::string>{"(1"}));
  EXPECT_TRUE(other.is_sure());
}

TEST(GateTest, KnowsTheLeastThatAHoleTakes) {
  const auto least = [](const char* source) {
    const MarkedText text = marked(source);
    return Gate(grammar_named("python"), text.text, text.spans, {}, {}, kEnough)
        .least_fills()
        .front();
  };
  EXPECT_EQ(least("if x«⟦?⟧»\n"), ": pass");
  EXPECT_EQ(least("f(«⟦?⟧»)\n"), "");
  EXPECT_EQ(least("x = y[«⟦?⟧»]\n"), "x");
  EXPECT_EQ(least("x = y[«⟦abc⟧»]\n"), "x");
}

// The first parse alone takes longer than all of a stopped gate.
TEST(GateTest, CanBeStopped) {
  std::string text;
  while (text.size() < 200'000) text += "def f(x):\n    return [x, (x + 1) * 2]\n\n";
  std::stop_source stop;
  stop.request_stop();
  const double begin = thread_seconds();
  const Gate stopped(grammar_named("python"), text, {{0, 0}}, {}, stop.get_token(), kEnough);
  const double between = thread_seconds();
  const Gate gate(grammar_named("python"), text, {{0, 0}}, {}, {}, kEnough);
  EXPECT_FALSE(stopped.works());
  EXPECT_TRUE(gate.works());
  EXPECT_LT(between - begin, (thread_seconds() - between) / 10);
}

TEST(TidyFillTest, TakesTheTabsOrBlanksOfTheFile) {
  const std::string tabs = "func f() {\n\tx\n\ty\n\t\n}\n";
  EXPECT_EQ(tidy_fill(tabs, {17, 17}, "if a {\n        b\n    }"), "if a {\n\t\tb\n\t}");
  const std::string blanks = "def f():\n  a\n  b\n  \n";
  EXPECT_EQ(tidy_fill(blanks, {19, 19}, "if a:\n\t\tb"), "if a:\n    b");
}

struct Rescaled {
  const char* source;  // the hole is marked
  const char* fill;
  const char* tidy;
};

void check_rescaled(const Rescaled& it) {
  const MarkedText text = marked(it.source);
  EXPECT_EQ(tidy_fill(text.text, text.spans.at(0), it.fill), it.tidy) << it.source;
}

TEST(TidyFillTest, IndentsByTheUnitOfTheFile) {
  const Rescaled table[] = {
      {"def f():\n    a\n    «»\n", "if b:\n      c\n      d\n    e",
       "if b:\n        c\n        d\n    e"},
      {"def f():\n    a\n\ndef g():\n«»\n", "  if b:\n    c\n  d", "  if b:\n      c\n  d"},
      {"void f() {\n  a();\n  «»\n}\n",
       "if (b) {\n      c();\n      if (d) {\n          e();\n      }\n  }",
       "if (b) {\n    c();\n    if (d) {\n      e();\n    }\n  }"},
      {"func f() {\n\tx\n\t«»\n}\n", "if a {\n    b\n  }", "if a {\n\t\tb\n\t}"},
      {"function f()\n  a()\n  «»\nend\n", "if b then\n      c()\n  end",
       "if b then\n    c()\n  end"},
  };
  for (const Rescaled& it : table) check_rescaled(it);
}

TEST(TidyFillTest, KeepsWhatGoesOnInItsPlaceBesideTheLineBefore) {
  check_rescaled({"def f():\n    a\n    «»\n", "if b:\n      c(d,\n        e)\n      g",
                  "if b:\n        c(d,\n          e)\n        g"});
  check_rescaled({"def f():\n    a\n    «»\n", "if (b and\n        c):\n      d",
                  "if (b and\n        c):\n        d"});
}

TEST(TidyFillTest, LeavesIndentationThatSaysNothing) {
  const Rescaled table[] = {
      // Its own unit.
      {"void f() {\n  a();\n  «»\n}\n", "if (b) {\n    c();\n  }", "if (b) {\n    c();\n  }"},
      // A line that goes on opens no block.
      {"void f() {\n  a();\n  «»\n}\n", "x = b +\n      c;", "x = b +\n      c;"},
      // Two units.
      {"void f() {\n  a();\n  «»\n}\n", "if (b) {\n      c();\n  }\n  if (d) {\n     e();\n  }",
       "if (b) {\n      c();\n  }\n  if (d) {\n     e();\n  }"},
      // Text may be in it.
      {"def f():\n    a\n    «»\n", "if b:\n      c = '''\n   x'''",
       "if b:\n      c = '''\n   x'''"},
      // The file shows no unit.
      {"«»\n", "if b:\n  c", "if b:\n  c"},
  };
  for (const Rescaled& it : table) check_rescaled(it);
}

TEST(TidyFillTest, LeavesNoBlanksAtTheEndOfALine) {
  EXPECT_EQ(tidy_fill("x = \ny\n", {4, 4}, "1 \t"), "1");
  EXPECT_EQ(tidy_fill("x = y\n", {4, 4}, "1 + "), "1 + ");
  EXPECT_EQ(tidy_fill("x = ", {4, 4}, "  "), "");
  EXPECT_EQ(tidy_fill("x = ", {4, 4}, ""), "");
}

TEST(RepeatedAfterTest, FindsWhatFollowsTheHole) {
  const std::string text = "f(, b)\n}\n";
  EXPECT_EQ(repeated_after(text, {2, 2}, "a, b)"), (std::vector<std::size_t>{4}));
  EXPECT_EQ(repeated_after(text, {2, 2}, "a"), std::vector<std::size_t>{});
  EXPECT_EQ(repeated_after(text, {2, 2}, "a, b)\n}\n"), (std::vector<std::size_t>{7}));
  EXPECT_TRUE(is_whole_line("\n    return x\n"));
  EXPECT_FALSE(is_whole_line(")"));
}

}  // namespace
}  // namespace lacuna::grammar
