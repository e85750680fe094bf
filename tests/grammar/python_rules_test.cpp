#include "grammar/python_rules.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/grammar/marked_text.h"

namespace lacuna::grammar {
namespace {

// Every row is what compile() of CPython 3.11 says.
TEST(PythonRulesTest, FindWhatCompileRefusesThoughItParses) {
  const struct {
    const char* text;
    const char* what;  // empty: fine
  } table[] = {
      {"def f():\n    return 1\n", ""},
      {"return 1\n", "'return' outside function"},
      {"class A:\n    return 1\n", "'return' outside function"},
      {"def f():\n    class A:\n        return 1\n", "'return' outside function"},
      {"def f(x=(yield)):\n    pass\n", "'yield' outside function"},
      {"x = yield 1\n", "'yield' outside function"},
      {"x = lambda: (yield)\n", ""},
      {"async def f():\n    await g()\n", ""},
      {"async def f():\n    return [await x for x in y]\n", ""},
      {"def f():\n    return (await x for x in y)\n", ""},
      {"def f():\n    await g()\n", "'await' outside async function"},
      {"await g()\n", "'await' outside function"},
      {"async def f():\n    def g():\n        await h()\n", "'await' outside async function"},
      {"async def f():\n    return lambda: await g()\n", "'await' outside async function"},
      {"async def f():\n    async for x in y:\n        pass\n", ""},
      {"def f():\n    async for x in y:\n        pass\n", "'async for' outside async function"},
      {"def f():\n    async with x:\n        pass\n", "'async with' outside async function"},
      {"for x in y:\n    if x:\n        break\n    continue\n", ""},
      {"while x:\n    with y:\n        break\n", ""},
      {"break\n", "'break' outside loop"},
      {"for x in y:\n    pass\nelse:\n    break\n", "'break' outside loop"},
      {"for x in y:\n    def f():\n        continue\n", "'continue' not properly in loop"},
      {"for x in y:\n    for z in x:\n        pass\n    else:\n        break\n", ""},
      {"nonlocal x\n", "nonlocal declaration not allowed at module level"},
      {"def f():\n    x = 1\n    def g():\n        nonlocal x\n", ""},
      {"from a import *\n", ""},
      {"def f():\n    from a import *\n", "import * only allowed at module level"},
      {"def f(a, b, *args, c, d=1, e, **rest):\n    pass\n", ""},
      {"def f(a, b=1, /, c=2, *, d):\n    pass\n", ""},
      {"def f(a: int, b: int = 1, *args: int, c: int):\n    pass\n", ""},
      {"def f(a, b, a):\n    pass\n", "duplicate argument in function definition"},
      {"def f(a, *a):\n    pass\n", "duplicate argument in function definition"},
      {"def f(a: int, a: str = ''):\n    pass\n", "duplicate argument in function definition"},
      {"x = lambda a, a: 1\n", "duplicate argument in function definition"},
      {"def f(a=1, b):\n    pass\n", "non-default argument follows default argument"},
      {"def f(a=1, b: int):\n    pass\n", "non-default argument follows default argument"},
      {"f(1, *a, b=1, *c, **d)\n", ""},
      {"f(a=1, b)\n", "positional argument follows keyword argument"},
      {"f(**a, b)\n", "positional argument follows keyword argument unpacking"},
      {"f(**a, b=1)\n", ""},
      {"f(a=1, a=2)\n", "keyword argument repeated"},
      {"f(a=1, # one\n  b=2)\n", ""},
      {"f(a=1,\\\n  b=2)\n", ""},
      {"class A(B, metaclass=C):\n    pass\n", ""},
      {"import a.b as c, d.e\n", ""},
      {"from .a.b import (c, d as e)\n", ""},
      {"from a.b import *\n", ""},
      {"from a import b, c.d\n", "a dot in an imported name"},
      {"from . import (b.c as d)\n", "a dot in an imported name"},
      {"print 'a'\n", "a statement of Python 2"},
      {"print('a')\n", ""},
  };
  for (const auto& it : table) {
    const auto tree = parse(grammar_named("python"), it.text);
    ASSERT_TRUE(tree);
    ASSERT_FALSE(tree->has_error()) << it.text;
    const std::vector<RuleError> errors = python_rule_errors(it.text, *tree);
    if (std::string(it.what).empty()) {
      EXPECT_TRUE(errors.empty()) << it.text << errors[0].what;
    } else {
      ASSERT_EQ(errors.size(), 1U) << it.text;
      EXPECT_EQ(errors[0].what, it.what) << it.text;
    }
  }
}

TEST(PythonRulesTest, AnErrorIsWhereItsWordsStand) {
  const std::string text = "def f():\n    x = 1\n\nreturn x\n";
  const auto tree = parse(grammar_named("python"), text);
  const std::vector<RuleError> errors = python_rule_errors(text, *tree);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(text.substr(errors[0].span.begin, errors[0].span.size()), "return x");
}

// Trees as deep as the parser makes them must not end the stack.
TEST(PythonRulesTest, TakeDeepTrees) {
  const std::string text = "x = " + std::string(20000, '(') + std::string(20000, ')') + "\n";
  const auto tree = parse(grammar_named("python"), text);
  ASSERT_TRUE(tree);
  python_rule_errors(text, *tree);
}

}  // namespace
}  // namespace lacuna::grammar
