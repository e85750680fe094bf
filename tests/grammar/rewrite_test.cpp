#include "grammar/rewrite.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/grammar/marked_text.h"

namespace lacuna::grammar {
namespace {

struct OfBody {
  const char* language;
  double strength;
  // Words that the model is unsure of, the least of the first: 0.1, 0.2, ...
  std::vector<std::string> unsure;
  const char* source;  // what is to be written again of f is marked
};

void check(const OfBody& expected) {
  const MarkedText source = marked(expected.source);
  const auto tree = parse(grammar_named(expected.language), source.text);
  ASSERT_TRUE(tree);
  const auto bodies = holes_of_node(source.text, *tree, "f");
  ASSERT_TRUE(bodies) << expected.source;
  std::vector<float> certainty(source.text.size(), 1.0F);
  for (std::size_t i = 0; i < expected.unsure.size(); ++i) {
    const std::size_t at = source.text.find(expected.unsure[i]);
    ASSERT_NE(at, std::string::npos);
    std::fill_n(certainty.begin() + static_cast<std::ptrdiff_t>(at), expected.unsure[i].size(),
                0.1F * static_cast<float>(i + 1));
  }
  std::vector<Span> spans;
  for (const PickedHole& hole :
       least_certain(source.text, *tree, bodies->front(), certainty, expected.strength)) {
    spans.push_back(hole.span);
    EXPECT_EQ(hole.item_name, "f");
    EXPECT_FALSE(hole.why.empty());
  }
  EXPECT_EQ(with_marks(source.text, spans), expected.source)
      << expected.language << " " << expected.strength;
}

TEST(LeastCertainTest, IsTheWholeBodyAtStrengthOne) {
  check({"python", 1, {"b"}, "def f(x):\n    «a = 1\n    b = 2»\n"});
  check({"c", 1, {}, "int f(void) {\n  «return 0;»\n}\n"});
}

TEST(LeastCertainTest, AreTheStatementsOfWhichTheModelIsLeastSure) {
  const OfBody table[] = {
      {"python", 0.4, {"bb"}, "def f(x):\n    a = 1\n    «bb = 2»\n    c = 3\n"},
      {"python", 0.7, {"c", "aa"}, "def f(x):\n    «aa = 1»\n    b = 2\n    «c = 3»\n"},
      {"c", 0.4, {"bb"}, "void f(void) {\n  a = 1;\n  «bb = 2;»\n  c = 3;\n}\n"},
      {"cpp", 0.4, {"bb"}, "void f() {\n  a = 1;\n  «bb = 2;»\n  c = 3;\n}\n"},
      {"javascript", 0.4, {"bb"}, "function f() {\n  a = 1;\n  «bb = 2;»\n  c = 3;\n}\n"},
      {"typescript", 0.4, {"bb"}, "function f() {\n  a = 1;\n  «bb = 2;»\n  c = 3;\n}\n"},
      {"tsx", 0.4, {"bb"}, "function f() {\n  a = 1;\n  «bb = 2;»\n  c = 3;\n}\n"},
      {"rust", 0.4, {"bb"}, "fn f() {\n    a = 1;\n    «bb = 2;»\n    c = 3;\n}\n"},
      {"go", 0.4, {"bb"}, "package p\n\nfunc f() {\n\ta = 1\n\t«bb = 2»\n\tc = 3\n}\n"},
      {"java",
       0.4,
       {"bb"},
       "class A {\n  void f() {\n    a = 1;\n    «bb = 2;»\n    c = 3;\n  }\n}\n"},
      {"lua", 0.4, {"bb"}, "function f()\n  a = 1\n  «bb = 2»\n  c = 3\nend\n"},
      {"bash", 0.4, {"bb"}, "f() {\n  ls a\n  «ls bb»\n  ls c\n}\n"},
      {"json", 0.5, {"4"}, "{\"f\": {\"a\": 1, «\"b\": 4»}}\n"},
  };
  for (const OfBody& it : table) check(it);
}

TEST(LeastCertainTest, NeighboursBecomeOneHole) {
  check({"python", 0.7, {"aa", "bb"}, "def f(x):\n    «aa = 1\n    bb = 2»\n    c = 3\n"});
  check({"c", 0.7, {"aa", "bb"}, "void f(void) {\n  «aa = 1;\n  bb = 2;»\n  c = 3;\n}\n"});
}

TEST(LeastCertainTest, OfAStatementWithABlockItIsTheHeadOrWhatIsInIt) {
  check({"python",
         0.4,
         {"x > y"},
         "def f(x, y):\n    if «x > y»:\n        return z\n    return w\n"});
  check(
      {"python", 0.3, {"zz"}, "def f(x, y):\n    if x > y:\n        «return zz»\n    return w\n"});
  check({"c", 0.5, {"x > y"}, "int f(int x, int y) {\n  if «(x > y)» {\n    g();\n  }\n}\n"});
  check({"rust", 0.4, {"x > y"}, "fn f() {\n    if «x > y» {\n        g();\n    }\n}\n"});
}

TEST(LeastCertainTest, OfAStatementThatIsTooLargeItIsAPart) {
  check({"python", 0.3, {"bad + worse"}, "def f(x):\n    return g(x, «bad + worse», 3)\n"});
  check({"python", 0.3, {"bad"}, "def f(x):\n    y.z = «bad(1)»\n    return y.z[x]\n"});
  check({"c", 0.1, {"bad"}, "int f(int x) {\n  return g(x, «bad», 3);\n}\n"});
}

TEST(LeastCertainTest, ThereAlwaysIsOne) {
  check({"python", 0, {"bad"}, "def f(x):\n    return g(x, «bad», 3)\n"});
  check({"c", 0, {}, "void f(void) {\n  for (;;) {\n    «break;»\n  }\n}\n"});
  check({"c", 0.5, {}, "void f(void) {\n  «»\n}\n"});
}

TEST(LeastCertainTest, CommentsStay) {
  check({"python",
         0.9,
         {"unsure"},
         "def f(x):\n    # unsure\n    «a = 1»\n    return b(c, d, e, g)\n"});
}

}  // namespace
}  // namespace lacuna::grammar
