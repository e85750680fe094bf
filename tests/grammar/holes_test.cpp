#include "grammar/holes.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/text.h"
#include "tests/grammar/marked_text.h"

namespace lacuna::grammar {
namespace {

struct AtCursor {
  const char* language;
  HoleKind kind;
  const char* source;  // the cursor is where the mark opens
};

void check_cursor(const AtCursor& expected) {
  const MarkedText source = marked(expected.source);
  const auto tree = parse(grammar_named(expected.language), source.text);
  ASSERT_TRUE(tree);
  const PickedHole hole = hole_at_cursor(source.text, *tree, source.spans.at(0).begin);
  EXPECT_EQ(with_marks(source.text, {hole.span}), expected.source) << expected.language;
  EXPECT_EQ(name_of(hole.kind), name_of(expected.kind)) << expected.source;
  EXPECT_FALSE(hole.why.empty());
}

TEST(HoleAtCursorTest, EndsWithTheRestOfTheExpression) {
  const AtCursor table[] = {
      {"python", HoleKind::Expression, "def f(x):\n    return x + «»\n\ny = 1\n"},
      {"python", HoleKind::Expression, "x = fo«o(1) + 2»\ny = 1\n"},
      {"python", HoleKind::Expression, "if x an«»:\n    pass\n"},
      {"python", HoleKind::Expression, "for x in «range(3)»:\n    pass\n"},
      {"c", HoleKind::Expression, "int f(int x) {\n  return x + «»;\n}\n"},
      {"c", HoleKind::Expression, "int f(int x) {\n  int y = g«(x)»;\n  return y;\n}\n"},
      {"cpp", HoleKind::Expression, "int f() {\n  auto x = «»\n  return x;\n}\n"},
      {"javascript", HoleKind::Expression, "const x = a.b«.c()»;\nlet y;\n"},
      {"javascript", HoleKind::Expression, "const x = «»\nlet y;\n"},
      {"typescript", HoleKind::Expression, "const x: number = «1 + 2»;\n"},
      {"tsx", HoleKind::Expression, "const x: number = «1 + 2»;\n"},
      {"rust", HoleKind::Expression, "fn f(x: i32) -> i32 {\n    let y = «x + 1»;\n    y\n}\n"},
      {"rust", HoleKind::Expression, "fn f(x: i32) {\n    if x «» {\n        g();\n    }\n}\n"},
      {"go", HoleKind::Expression, "package a\n\nfunc f(x int) int {\n\treturn x + «»\n}\n"},
      {"go", HoleKind::Expression, "package a\n\nfunc f(x int) {\n\tif x «» {\n\t\tg()\n\t}\n}\n"},
      {"java", HoleKind::Expression, "class A {\n  int f() {\n    return g«»;\n  }\n}\n"},
      {"json", HoleKind::Expression, "{\n  \"a\": «1»,\n  \"b\": 2\n}\n"},
      {"bash", HoleKind::Expression, "x=1\necho «$x»\nls\n"},
      {"lua", HoleKind::Expression, "local x = «1 + 2»\nlocal y\n"},
      {"lua", HoleKind::Expression, "if x «» then\n  f()\nend\n"},
  };
  for (const AtCursor& it : table) check_cursor(it);
}

// Whatever the parser makes of it: behind `x =` the next line is the value, behind `x.` a member.
TEST(HoleAtCursorTest, LeavesTheNextStatementAlone) {
  const AtCursor table[] = {
      {"go", HoleKind::Expression,
       "package a\n\nfunc f() {\n\tx := foo«»\n\ty := bar()\n\treturn\n}\n"},
      {"go", HoleKind::Expression, "package a\n\nfunc f() {\n\tx.«»\n\ty := bar()\n\treturn\n}\n"},
      {"go", HoleKind::Expression, "package a\n\nfunc f() {\n\tx := a«b + c»\n\ty := bar()\n}\n"},
      {"go", HoleKind::Expression,
       "package a\n\nfunc f() {\n\tswitch x {\n\tcase 1:\n\t\tx = fo«»\n\t\ty()\n\t}\n}\n"},
      {"c", HoleKind::Expression, "void f() {\n  x = «»\n  y();\n}\n"},
      {"java", HoleKind::Expression, "class A {\n  void f() {\n    x = «»\n    y();\n  }\n}\n"},
      {"javascript", HoleKind::Expression, "function f() {\n  x = «»\n  y();\n}\n"},
      {"python", HoleKind::Expression, "def f():\n    x = «»\n    y()\n"},
      {"lua", HoleKind::Expression, "function f()\n  x = fo«»\n  y()\nend\n"},
      {"rust", HoleKind::Expression,
       "fn f() {\n    match x {\n        1 => fo«»,\n        2 => y(),\n    }\n}\n"},
      // What is indented deeper, or begins as no statement does, goes on.
      {"javascript", HoleKind::Expression, "x = a«\n  .b()»;\ny();\n"},
      {"javascript", HoleKind::Expression, "x = a«\n.b()»;\ny();\n"},
      {"c", HoleKind::Expression, "void f() {\n  x = a +«\n      b»;\n  y();\n}\n"},
  };
  for (const AtCursor& it : table) check_cursor(it);
}

TEST(HoleAtCursorTest, SeveralCursorsAreAsEachAlone) {
  const std::string text = "def f(x):\n    y = x + \n    g()\n\nclass A:\n    \n";
  const auto tree = parse(grammar_named("python"), text);
  ASSERT_TRUE(tree);
  std::vector<std::size_t> cursors;
  for (std::size_t at = 0; at <= text.size() + 1; ++at) cursors.push_back(at);
  const std::vector<PickedHole> holes = holes_at_cursors(text, *tree, cursors);
  ASSERT_EQ(holes.size(), cursors.size());
  for (std::size_t i = 0; i < cursors.size(); ++i) {
    const PickedHole alone = hole_at_cursor(text, *tree, cursors[i]);
    EXPECT_EQ(holes[i].span, alone.span) << i;
    EXPECT_EQ(holes[i].kind, alone.kind) << i;
    EXPECT_EQ(holes[i].item_name, alone.item_name) << i;
  }
}

TEST(HoleAtCursorTest, FillsArgumentsBetweenTheirBrackets) {
  const AtCursor table[] = {
      {"python", HoleKind::Arguments, "x = f(«»)\n"},
      {"python", HoleKind::Arguments, "def g():\n    x = f(a, «»\n\ndef h():\n    pass\n"},
      {"python", HoleKind::Expression, "x = f(a + «b», c)\n"},
      {"python", HoleKind::Expression, "x = f(\n    a + «b\n    * 2»,\n    c,\n)\n"},
      {"c", HoleKind::Arguments, "int x = f(«»);\n"},
      {"cpp", HoleKind::Arguments, "int f() {\n  g(1, «»);\n}\n"},
      {"javascript", HoleKind::Arguments, "f(a, «»);\n"},
      {"typescript", HoleKind::Arguments, "f(«»);\n"},
      {"tsx", HoleKind::Arguments, "f(«»);\n"},
      {"rust", HoleKind::Arguments, "fn f() {\n    g(«»);\n}\n"},
      {"go", HoleKind::Arguments, "package a\n\nfunc f() {\n\tg(«»)\n}\n"},
      {"java", HoleKind::Arguments, "class A {\n  void f() {\n    g(1, «»);\n  }\n}\n"},
      {"json", HoleKind::Arguments, "[1, 2, «»]\n"},
      {"bash", HoleKind::Arguments, "a=(«»)\n"},
      {"lua", HoleKind::Arguments, "f(1, «»)\n"},
  };
  for (const AtCursor& it : table) check_cursor(it);
}

TEST(HoleAtCursorTest, TellsAStatementFromTheRestOfABlock) {
  const AtCursor table[] = {
      {"python", HoleKind::Statement, "def f(x):\n    y = 1\n    «»\n    return y\n"},
      {"python", HoleKind::Block, "def f(x):\n    y = 1\n    «»\n\nz = 2\n"},
      {"c", HoleKind::Statement, "int f(void) {\n  g();\n  «»\n  return 1;\n}\n"},
      {"c", HoleKind::Block, "int f(void) {\n  g();\n  «»\n}\n"},
      {"cpp", HoleKind::Block, "int f() {\n  g();\n  «»\n}\n"},
      {"javascript", HoleKind::Block, "function f() {\n  g();\n  «»\n}\n"},
      {"typescript", HoleKind::Block, "function f() {\n  g();\n  «»\n}\n"},
      {"tsx", HoleKind::Statement, "function f() {\n  «»\n  g();\n}\n"},
      {"rust", HoleKind::Block, "fn f() {\n    g();\n    «»\n}\n"},
      {"go", HoleKind::Block, "package a\n\nfunc f() {\n\tg()\n\t«»\n}\n"},
      {"java", HoleKind::Block, "class A {\n  void f() {\n    g();\n    «»\n  }\n}\n"},
      {"json", HoleKind::Arguments, "{\n  \"a\": 1,\n  «»\n}\n"},
      {"bash", HoleKind::Block, "if true; then\n  ls\n  «»\nfi\n"},
      {"lua", HoleKind::Block, "function f()\n  g()\n  «»\nend\n"},
  };
  for (const AtCursor& it : table) check_cursor(it);
}

TEST(HoleAtCursorTest, SeesAnEmptyBody) {
  const AtCursor table[] = {
      {"python", HoleKind::Body, "def f(x):\n    «»\n\nz = 2\n"},
      {"c", HoleKind::Body, "int f(void) {\n  «»\n}\n"},
      {"cpp", HoleKind::Body, "int f() {«»}\n"},
      {"javascript", HoleKind::Body, "function f() {\n  «»\n}\n"},
      {"typescript", HoleKind::Body, "class A {\n  f(): void {\n    «»\n  }\n}\n"},
      {"tsx", HoleKind::Body, "class A {\n  f(): void {\n    «»\n  }\n}\n"},
      {"rust", HoleKind::Body, "fn f() {\n    «»\n}\n"},
      {"go", HoleKind::Body, "package a\n\nfunc f() {\n\t«»\n}\n"},
      {"java", HoleKind::Body, "class A {\n  void f() {\n    «»\n  }\n}\n"},
      {"bash", HoleKind::Body, "f() {\n  «»\n}\n"},
      {"lua", HoleKind::Body, "function f()\n  «»\nend\n"},
  };
  for (const AtCursor& it : table) check_cursor(it);
}

TEST(HoleAtCursorTest, StaysInsideAStringOrAComment) {
  const AtCursor table[] = {
      {"python", HoleKind::Text, "x = \"ab«cd»\"\n"},
      {"python", HoleKind::Text, "# ab«cd»\nx = 1\n"},
      {"c", HoleKind::Text, "/* ab«cd» */ int x;\n"},
      {"c", HoleKind::Text, "const char* x = \"a«b»\";\n"},
      {"javascript", HoleKind::Text, "const x = 'a«b»'.c;\n"},
      {"go", HoleKind::Text, "package a\n\nvar x = \"a«b»\"\n"},
      {"java", HoleKind::Text, "class A { String x = \"a«b»\"; }\n"},
      {"json", HoleKind::Text, "{\"a\": \"b«c»\"}\n"},
      {"rust", HoleKind::Text, "fn f() {\n    g(\"a«b»\");\n}\n"},
      {"lua", HoleKind::Text, "local x = \"a«b»\"\n"},
      {"bash", HoleKind::Text, "echo \"a«b»\"\n"},
  };
  for (const AtCursor& it : table) check_cursor(it);
}

TEST(HoleAtCursorTest, NeverCutsACharacterOrALineEnd) {
  const std::string text = "x = \"\xC3\xA9\xF0\x9F\x98\x80\"\r\ny = \xE2\x82\xAC\r\n";
  for (const auto& grammar : grammars()) {
    const auto tree = parse(*grammar, text);
    ASSERT_TRUE(tree);
    for (std::size_t cursor = 0; cursor <= text.size() + 1; ++cursor) {
      const PickedHole hole = hole_at_cursor(text, *tree, cursor);
      ASSERT_LE(hole.span.begin, hole.span.end);
      ASSERT_LE(hole.span.end, text.size());
      EXPECT_TRUE(is_valid_utf8(text.substr(0, hole.span.begin))) << cursor;
      EXPECT_TRUE(is_valid_utf8(text.substr(0, hole.span.end))) << cursor;
      for (const std::size_t at : {hole.span.begin, hole.span.end}) {
        EXPECT_NE(text.substr(at == 0 ? 0 : at - 1, 2), "\r\n") << cursor;
      }
    }
  }
}

TEST(HoleAtCursorTest, NamesTheEnclosingItem) {
  const MarkedText source = marked("class A:\n    def f(x):\n        return «»\n");
  const auto tree = parse(grammar_named("python"), source.text);
  const PickedHole hole = hole_at_cursor(source.text, *tree, source.spans[0].begin);
  EXPECT_EQ(hole.item_name, "f");
  EXPECT_EQ(source.text.substr(hole.item.begin, 8), "def f(x)");
}

struct OfNode {
  const char* language;
  const char* node;
  const char* source;
};

void check_node(const OfNode& expected) {
  const MarkedText source = marked(expected.source);
  const auto tree = parse(grammar_named(expected.language), source.text);
  ASSERT_TRUE(tree);
  const auto holes = holes_of_node(source.text, *tree, expected.node);
  ASSERT_TRUE(holes) << expected.source << holes.error().message;
  std::vector<Span> spans;
  for (const PickedHole& hole : *holes) spans.push_back(hole.span);
  EXPECT_EQ(with_marks(source.text, spans), expected.source) << expected.language;
}

TEST(HolesOfNodeTest, AreTheBodyOfAnItemByName) {
  const OfNode table[] = {
      {"python", "f", "def f(x):\n    \"\"\"Doc.\"\"\"\n    «y = x\n    return y»\n\nz = 1\n"},
      {"python", "A.g", "def g():\n    pass\n\nclass A:\n    def g(self):\n        «return 1»\n"},
      {"python", "f", "@a\ndef f(x): «return x»\n"},
      {"c", "f", "static int *f(int x) {\n  «return 0;»\n}\n"},
      {"cpp", "A::f", "int A::f() const {\n  «return 1;»\n}\n"},
      {"cpp", "f", "class A {\n  int& f() { «return x;» }\n};\n"},
      {"javascript", "f", "function f(x) {\n  «return x;»\n}\n"},
      {"javascript", "g", "const g = async (x) => {\n  «await x;»\n};\n"},
      {"javascript", "A.m", "class A {\n  m() {\n    «return 1;»\n  }\n}\n"},
      {"typescript", "A.m", "class A {\n  private m(x: number): void {\n    «f(x);»\n  }\n}\n"},
      {"tsx", "C", "function C() {\n  «return <a>b</a>;»\n}\n"},
      {"rust", "A.f", "impl A {\n    fn f(&self) -> u8 {\n        «1»\n    }\n}\n"},
      {"go", "f", "package a\n\nfunc (t *T) f() int {\n\t«return 1»\n}\n"},
      {"java", "f", "class A {\n  int f() throws E {\n    «return 1;»\n  }\n}\n"},
      {"java", "A", "class A {\n  «int x;\n  int y;»\n}\n"},
      {"json", "a", "{\"a\": {«\"b\": 1»}}\n"},
      {"bash", "f", "f() {\n  «ls\n  pwd»\n}\n"},
      {"lua", "f", "local function f(x)\n  «return x»\nend\n"},
      {"lua", "M.f", "function M.f(x)\n  «return x»\nend\n"},
      {"lua", "f", "function f()«\n»end\n"},
      {"c", "f", "void f(void) {\n  «»\n}\n"},
      {"c", "f", "void f(void) {«»}\n"},
  };
  for (const OfNode& it : table) check_node(it);
}

TEST(HolesOfNodeTest, GoByTheLineThatTheyCover) {
  check_node({"python", "3", "class A:\n    def f(self):\n        «return 1»\n    x = 1\n"});
  check_node({"python", "2", "class A:\n    def f(self):\n        «return 1»\n    x = 1\n"});
  check_node({"go", "4", "package a\n\nfunc f() {\n\t«g()»\n}\n"});
}

TEST(HolesOfNodeTest, AreAllNodesOfAKind) {
  check_node(
      {"python", "return_statement", "def f():\n    «return 1»\n\ndef g():\n    «return 2»\n"});
  check_node(
      {"python", "function_definition", "def f():\n    «return 1»\n\ndef g():\n    «pass»\n"});
  check_node({"c", "call_expression", "int x = «f(g(1))»;\n"});
}

TEST(HolesOfNodeTest, SayWhenThereIsNone) {
  const auto tree = parse(grammar_named("python"), "x = 1\n");
  for (const char* node : {"f", "1", "99", "0", "99999999999999999999999"}) {
    EXPECT_FALSE(holes_of_node("x = 1\n", *tree, node)) << node;
  }
}

TEST(StubBodiesTest, AreThoseThatSaySo) {
  const struct {
    const char* language;
    const char* source;
  } table[] = {
      {"python",
       "def f():\n    «pass»\n\ndef g():\n    return 1\n\ndef h():\n    \"\"\"Doc.\"\"\"\n    «...»\n"},
      {"python",
       "def f():\n    «# TODO: sort\n    pass»\n\ndef g():\n    «raise NotImplementedError»\n"},
      {"c", "int f(void) {\n  «// TODO»\n}\nint g(void) { return 0; }\nint h(void) {}\n"},
      {"cpp", "int f() {\n  «throw std::logic_error(\"not implemented\");»\n}\n"},
      {"javascript",
       "function f() {\n  «throw new Error('Not implemented');»\n}\nfunction g() { return 1; }\n"},
      {"typescript", "function f(): void {\n  «// your code here»\n}\n"},
      {"tsx", "function f(): void {\n  «// FIXME write it»\n}\n"},
      {"rust",
       "fn f() {\n    «unimplemented!()»\n}\nfn g() -> u8 {\n    «todo!(\"later\");»\n}\nfn h() {}\n"},
      {"go", "package a\n\nfunc f() {\n\t«panic(\"not implemented\")»\n}\n"},
      {"java",
       "class A {\n  int f() {\n    «throw new UnsupportedOperationException(\"TODO\");»\n  }\n}\n"},
      {"bash", "f() {\n  «echo TODO»\n}\n"},
      {"lua", "function f()\n  «error(\"not implemented\")»\nend\n"},
  };
  for (const auto& it : table) {
    const MarkedText source = marked(it.source);
    const auto tree = parse(grammar_named(it.language), source.text);
    ASSERT_TRUE(tree);
    std::vector<Span> spans;
    for (const PickedHole& hole : stub_bodies(source.text, *tree)) spans.push_back(hole.span);
    EXPECT_EQ(with_marks(source.text, spans), it.source) << it.language;
  }
}

TEST(HoleOfDiagnosticTest, IsTheStatementWhenItIsShort) {
  const MarkedText source = marked("def f(x):\n    «y = undefined(x)»\n    return y\n");
  const auto tree = parse(grammar_named("python"), source.text);
  const std::size_t at = source.text.find("undefined");
  const PickedHole hole = hole_of_diagnostic(source.text, *tree, {at, at + 9});
  EXPECT_EQ(with_marks(source.text, {hole.span}), with_marks(source.text, source.spans));
}

TEST(HoleOfDiagnosticTest, IsTheNodeInALongStatement) {
  const MarkedText source =
      marked("int f(void) {\n  g(1,\n    2,\n    3,\n    «wrong»,\n    5);\n}\n");
  const auto tree = parse(grammar_named("c"), source.text);
  const PickedHole hole = hole_of_diagnostic(source.text, *tree, source.spans[0]);
  EXPECT_EQ(with_marks(source.text, {hole.span}), with_marks(source.text, source.spans));
}

TEST(HoleOfSelectionTest, IsWhatWasSelectedAndNamesTheNode) {
  const MarkedText source = marked("int x = «f(1)»;\n");
  const auto tree = parse(grammar_named("c"), source.text);
  const PickedHole hole = hole_of_selection(source.text, *tree, source.spans[0]);
  EXPECT_EQ(hole.span, source.spans[0]);
  EXPECT_EQ(hole.node, "call_expression");
}

TEST(DescribeHolesTest, SaysWhatStandsAtAMarker) {
  const MarkedText source = marked("def f(x):\n    y = g(«⟦?⟧»)\n    «⟦?⟧»\n    return y\n");
  const std::vector<PickedHole> holes =
      describe_holes(grammar_named("python"), source.text, source.spans);
  ASSERT_EQ(holes.size(), 2U);
  EXPECT_EQ(name_of(holes[0].kind), "arguments");
  EXPECT_EQ(name_of(holes[1].kind), "statement");
  EXPECT_EQ(holes[1].span, source.spans[1]);
  EXPECT_EQ(holes[1].item_name, "f");
  EXPECT_EQ(source.text.substr(holes[1].item.end - 8, 8), "return y");
}

TEST(DescribeHolesTest, CanBeStopped) {
  const MarkedText source = marked("def f(x):\n    y = g(«⟦?⟧»)\n");
  std::stop_source stop;
  const auto kind = [&](const ParseLimits& limits) {
    const auto holes = describe_holes(grammar_named("python"), source.text, source.spans, limits);
    EXPECT_EQ(holes.at(0).span, source.spans[0]);
    return name_of(holes.at(0).kind);
  };
  EXPECT_EQ(kind({.stop = stop.get_token()}), "arguments");
  EXPECT_EQ(kind({.stop = {}, .until = 0}),
            "arguments");  // a small text is parsed before the clock is looked at
  stop.request_stop();
  EXPECT_EQ(kind({.stop = stop.get_token()}), "other");
}

}  // namespace
}  // namespace lacuna::grammar
