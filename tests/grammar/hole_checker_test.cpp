#include "grammar/hole_checker.h"

#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "grammar/syntax_tree.h"
#include "support/language.h"
#include "tests/grammar/random_holes.h"

namespace lacuna::grammar {
namespace {

struct Sample {
  const char* language;
  const char* text;
};

// Small programs that use what is hard: strings that open and close, comments, layout, statement
// ends without semicolons, brackets of several kinds, characters of several bytes.
constexpr Sample kSamples[] = {
    {"json",
     "{\"a\": [1, -2.5e3, true, null], \"b\\u00e9\": {\"c\": \"x \\\" y\"},\n \"é\": []}\n"},
    {"python",
     "import os, sys  # paths\n\n\n@decorated(1, key='a')\nclass Reader(Base):\n"
     "    \"\"\"Reads: it's a \"text\".\"\"\"\n    kind: int = 3\n\n"
     "    def read(self, *names, deep=False, **rest) -> list[str]:\n"
     "        # first\n        found = [f'{n!r}: {len(n):>{width}}' for n in names if n]\n"
     "        if not found and (deep or\n              self.kind > 0):\n            return None\n"
     "        elif deep: return sorted(found, key=lambda x: -len(x))\n        else:\n"
     "            for i, x in enumerate(found): total = x[1:-1] + 'é' \\\n        + r\"\\d\"\n"
     "        try:\n            with open(os.path.join('a', \"b\")) as f: pass\n"
     "        except (OSError, ValueError) as e:\n            raise RuntimeError from e\n"
     "        finally:\n            print({1: 2, **rest})\n        return found\n\n\n"
     "match x:\n    case [1, *_]:\n        y = 1\n    case _: y = 2\n\nasync def go():\n"
     "  await f(*[1])\n"},
    {"c",
     "#include <stdio.h>\n#define MAX(a, b) ((a) > (b) ? (a) : (b))\n\n/* A list. */\n"
     "typedef struct node { int value; struct node *next; } node_t;\n\n"
     "static int sum(const node_t *n, char c) {\n  int total = 0x1F, i; // so far\n"
     "  for (i = 0; n && i < 10; i++, n = n->next) {\n    total += n->value * (c == '\\'' ? 2 : -1);\n"
     "    if (total > MAX(1, 2)) break; else continue;\n  }\n  switch (total) { case 1: return 2;\n"
     "    default: printf(\"%d \\\"é\\\"\\n\", total); }\n#ifdef DEBUG\n  do { total--; } while (total);\n"
     "#endif\n  return (int)sizeof(node_t) + total;\n}\n"},
    {"cpp",
     "#include <vector>\n\nnamespace a::b {\n\ntemplate <typename T, int N = 3>\n"
     "class Box : public Base<T> {\n public:\n  explicit Box(T value) : value_(std::move(value)) {}\n"
     "  [[nodiscard]] const T& get() const noexcept { return value_; }\n"
     "  auto operator<=>(const Box&) const = default;\n\n private:\n  T value_{};\n};\n\n"
     "std::vector<std::vector<int>> rows(unsigned n) {\n  std::vector<std::vector<int>> found(n);\n"
     "  for (auto& row : found) row.push_back([&](int x) -> int { return x >> 1; }(4));\n"
     "  try { throw std::runtime_error(R\"(a \")\" \"é\"); } catch (const std::exception& e) {}\n"
     "  if (auto it = found.begin(); it != found.end()) delete new int[3];  // none\n"
     "  return found;\n}\n\n}  // namespace a::b\n"},
    {"javascript",
     "import a, { b as c } from './x.js'\n\nconst re = /[/\"]+\\/x/gi, t = `a ${b + `${c}`} é`\n"
     "export default async function* f({ x = 1, ...rest }, [y] = []) {\n  let z = x / 2 / y\n"
     "  if (!z) return\n  for (const k of rest) { await k?.go?.(z ?? 'it\\'s') }\n"
     "  // done\n  return { z, 'a b': 1, [k]: () => ({}), get v() { return 1 }, default: 2 }\n}\n"
     "class A extends B { #p = 1; static m() { return super.m?.() } }\n"
     "const view = <div className=\"x\" {...rest}>it's {z ? <b/> : null} &amp; more</div>;\n"
     "var i = 0; do { i++ } while (i < 3); label: for (;;) break label\n"},
    {"typescript",
     "import type { A } from \"./a\";\n\nexport interface Shape<T extends object = {}> {\n"
     "  readonly kind: 'circle' | \"square\"; area?(this: Shape<T>): number\n  [key: string]: unknown;\n}\n\n"
     "type Names = { [K in keyof A]?: `get${string & K}` };\nenum Color { Red = 1, Green }\n\n"
     "export abstract class Box<T> implements Shape<T> {\n  private static count = 0;\n"
     "  constructor(public value: T, protected other?: number) { super() }\n"
     "  get<K extends keyof T>(key: K): T[K] { return this.value![key] as any }\n}\n"
     "function f(x: unknown): asserts x is string { if (typeof x !== 'string') throw new Error(`é ${x}`) }\n"},
    {"tsx",
     "type P = { n: number }\nexport const V = ({ n }: P) => {\n  const s = useState<string>('a')\n"
     "  return (\n    <ul id=\"a\">\n      {[1, 2].map((x) => <li key={x}>it's {x} é</li>)}\n    </ul>\n  )\n}\n"},
    {"rust",
     "use std::{fmt, io::Read as _};\n\n/// A box.\n#[derive(Debug, Clone)]\n"
     "pub struct Box2<'a, T: fmt::Debug + 'a> {\n    value: &'a [T], // kept\n}\n\n"
     "impl<'a, T> Box2<'a, T> where T: fmt::Debug {\n    /* a /* nested */ b */\n"
     "    pub fn get(&self, i: usize) -> Option<&'a T> {\n        let x = 1.5f32 + 2e3 as f32; let c = 'x';\n"
     "        match self.value.get(i) {\n            Some(v) if i > 0x1F => return Some(v),\n"
     "            _ => println!(\"{:?} \\\"é\\\" {}\", c, r#\"a\"b\"#),\n        }\n"
     "        for j in 0..=3 { if let Some(_) = None::<i32> { break; } }\n        None\n    }\n}\n"
     "const NAME: &'static str = \"a\";\n"},
    {"go",
     "package main\n\nimport (\n\t\"fmt\"\n\tos \"os\"\n)\n\n// A Box.\ntype Box[T any] struct {\n"
     "\tvalue map[string][]T `json:\"value\"`\n}\n\nfunc (b *Box[T]) Get(k string, rest ...int) (x T, err error) {\n"
     "\tfor i, r := range rest {\n\t\tif i > 0 && r != 'x' {\n\t\t\tcontinue\n\t\t}\n"
     "\t\tfmt.Printf(\"%d é\\n\", i)\n\t}\n\tswitch v := b.value[k]; len(v) {\n\tcase 0:\n"
     "\t\treturn\n\tdefault:\n\t\tgo func() { ch <- v[0] }()\n\t}\n\treturn x, nil\n}\n"},
    {"java",
     "package a.b;\n\nimport java.util.*;\n\n/** A box. */\n@Deprecated\n"
     "public class Box<T extends Comparable<T>> implements Iterable<T> {\n"
     "  private final List<T> items = new ArrayList<>(); // all\n\n  public Box(T... items) { super(); }\n\n"
     "  @Override\n  public Iterator<T> iterator() throws IllegalStateException {\n"
     "    for (int i = 0; i < 10; i++) { if (i % 2 == 0) continue; else items.add(null); }\n"
     "    String s = \"a \\\"é\\\" \" + 'x' + \"\"\"\n        text \"here\"\n        \"\"\";\n"
     "    Runnable r = () -> System.out.println(s);\n"
     "    try { r.run(); } catch (RuntimeException e) { throw e; } finally { }\n"
     "    return switch (s) { case \"a\" -> null; default -> items.iterator(); };\n  }\n}\n"},
    {"lua",
     "local M = {} -- a module\n--[[ of\n several lines ]]\nfunction M.f(a, ...)\n"
     "  local t = { 1, x = 'it\\'s', [\"é\"] = a and -2 or #a; }\n  for i, v in ipairs(t) do\n"
     "    if v ~= nil and i <= 3 then print(v .. [[long\n ]=] string]]) elseif not a then break end\n  end\n"
     "  while true do repeat a = a + 1 until a > 3 return a, ... end\nend\nreturn M\n"},
};

// Text in which each ¤ is a hole.
Verdict check(HoleChecker& checker, std::string_view text) {
  std::vector<Piece> pieces;
  const std::string_view mark = "¤";
  for (;;) {
    const std::size_t hole = text.find(mark);
    pieces.push_back({text.substr(0, hole), false});
    if (hole == std::string_view::npos) break;
    pieces.push_back({{}, true});
    text.remove_prefix(hole + mark.size());
  }
  return checker.check(pieces);
}

Verdict check(const char* language, std::string_view text, HoleMode mode = HoleMode::Closed) {
  const auto checker = HoleChecker::make(language, {.mode = mode});
  EXPECT_NE(checker, nullptr) << language;
  return checker ? check(*checker, text) : Verdict::Unknown;
}

const Grammar& grammar(const char* language) { return *grammar_of(language_named(language)); }

TEST(HoleChecker, ProgramsWithoutHolesArePossible) {
  for (const Sample& sample : kSamples) {
    const auto tree = parse(grammar(sample.language), sample.text);
    ASSERT_TRUE(tree && !tree->has_error()) << sample.language;
    EXPECT_EQ(check(sample.language, sample.text), Verdict::Possible) << sample.language;
  }
}

TEST(HoleChecker, ProgramsWithATokenTooManyAreImpossibleWhereTheyDoNotParse) {
  // Without holes the answer is that of a strict parse. What the checker accepts too much is rare.
  for (const Sample& sample : kSamples) {
    const std::string text = sample.text;
    const auto tree = parse(grammar(sample.language), text);
    ASSERT_TRUE(tree.has_value());
    const ProgramRanges ranges = ranges_of(*tree);
    const auto checker = HoleChecker::make(sample.language);
    // There tree-sitter takes keywords as names and the checker does not.
    const std::string_view name = sample.language;
    const bool own_keywords =
        name != "json" && name != "python" && name != "javascript" && name != "go";
    int wrong = 0, found = 0;
    for (std::size_t i = 0; i < ranges.tokens.size(); i += 3) {
      for (const char* extra : {" ) ", " ] ", " , ", " = "}) {
        std::string broken = text;
        broken.insert(ranges.tokens[i].begin, extra);
        const auto changed = parse(grammar(sample.language), broken);
        const bool parses = changed && !changed->has_error();
        const Verdict verdict = check(*checker, broken);
        if (parses && own_keywords) continue;
        if (parses) {
          EXPECT_NE(verdict, Verdict::Impossible) << sample.language << ": " << broken;
          continue;
        }
        ++wrong;
        found += verdict == Verdict::Impossible ? 1 : 0;
      }
    }
    EXPECT_GT(found * 100, wrong * 80) << sample.language << ": " << found << " of " << wrong;
  }
}

TEST(HoleChecker, NothingThatHasAFillIsImpossible) {
  for (const Sample& sample : kSamples) {
    const std::string_view text = sample.text;
    const auto tree = parse(grammar(sample.language), text);
    ASSERT_TRUE(tree.has_value());
    const ProgramRanges ranges = ranges_of(*tree);
    const auto closed = HoleChecker::make(sample.language);
    const auto open = HoleChecker::make(sample.language, {.mode = HoleMode::Open});
    std::mt19937 random(7);
    for (int i = 0; i < 60; ++i) {
      const std::vector<ByteRange> holes = random_holes(text, ranges, random);
      const std::vector<Piece> pieces = pieces_of(text, holes);
      std::string shown;
      for (const Piece& piece : pieces) shown += piece.hole ? "¤" : piece.text;
      EXPECT_NE(open->check(pieces), Verdict::Impossible) << sample.language << ":\n" << shown;
      if (!is_closed(ranges, holes)) continue;
      EXPECT_NE(closed->check(pieces), Verdict::Impossible) << sample.language << ":\n" << shown;
    }
  }
}

TEST(HoleChecker, WhatWasKeptFromTheStateBeforeDoesNotChangeTheAnswer) {
  for (const Sample& sample : kSamples) {
    std::string text = sample.text;
    const auto tree = parse(grammar(sample.language), text);
    ASSERT_TRUE(tree.has_value());
    const ProgramRanges ranges = ranges_of(*tree);
    const auto kept = HoleChecker::make(sample.language);
    std::mt19937 random(11);
    for (int i = 0; i < 20; ++i) {
      const std::vector<Piece> pieces = pieces_of(text, random_holes(text, ranges, random));
      const Verdict fresh = HoleChecker::make(sample.language)->check(pieces);
      EXPECT_EQ(kept->check(pieces), fresh) << sample.language << " state " << i;
      const ByteRange token = ranges.tokens[random() % ranges.tokens.size()];
      text[token.begin] = "(]x;"[random() % 4];
    }
  }
}

TEST(HoleChecker, StatesOfADenoisingAreAnsweredAsIfEachWereTheFirst) {
  for (const Sample& sample : kSamples) {
    const std::string text = sample.text;
    const auto tree = parse(grammar(sample.language), text);
    ASSERT_TRUE(tree.has_value());
    const ProgramRanges ranges = ranges_of(*tree);
    std::mt19937 random(13);
    const auto kept = HoleChecker::make(sample.language);
    for (int fill = 0; fill < 4; ++fill) {
      const std::size_t count = std::min<std::size_t>(12, ranges.tokens.size());
      const std::size_t first = random() % (ranges.tokens.size() - count + 1);
      std::vector<ByteRange> holes(
          ranges.tokens.begin() + static_cast<std::ptrdiff_t>(first),
          ranges.tokens.begin() + static_cast<std::ptrdiff_t>(first + count));
      while (!holes.empty()) {
        holes.erase(holes.begin() + static_cast<std::ptrdiff_t>(random() % holes.size()));
        std::vector<Piece> pieces = pieces_of(text, holes);
        EXPECT_EQ(kept->check(pieces), HoleChecker::make(sample.language)->check(pieces))
            << sample.language << " fill " << fill << ", " << holes.size() << " holes";
        // And with a token that is often wrong.
        pieces.insert(pieces.begin() + 1, {random() % 2 == 0 ? " ) " : " x ", false});
        EXPECT_EQ(kept->check(pieces), HoleChecker::make(sample.language)->check(pieces))
            << sample.language << " fill " << fill << ", " << holes.size() << " holes, token";
      }
    }
  }
}

TEST(HoleChecker, CertainErrorsBetweenHolesAreImpossible) {
  const Sample cases[] = {
      {"json", "{\"a\": 1 ] ¤ }"},
      {"json", "{\"a\" \"b\" ¤}"},
      {"json", "[¤,\n , ¤]"},
      {"c", "int f(int a) { return a ]; ¤ }"},
      {"c", "int f(void) {\n if (a) else b;\n ¤ }"},
      {"c", "int f(void) { x = ; ¤ }"},
      {"c", "int f(void) { ¤ } ) ¤ {"},
      {"cpp", "class A { int ¤; ) };"},
      {"cpp", "void f() {\n int x = 1 ];\n ¤ }"},
      {"python", "def f(¤):\nreturn 1\n"},
      {"python", "def f(a):\n    x = (1,\n    y = 2]\n    return ¤\n"},
      {"python", "x = 1\n    y = 2\n¤"},
      {"python", "def f():\n    if a:\n        b = 1\n      c = 2\n    ¤\n"},
      {"python", "if x:\n    y = 1\n else:\n    z = ¤\n"},
      {"python", "x = 1\nelse:\n    y = ¤\n"},
      {"python", "for x in y\n    z = ¤\n"},
      {"python", "¤\nx = = 1\n¤"},
      {"json", "[¤,\n 1 2,\n ¤]"},
      {"java", "class A { ¤\n int x = ;\n void f() { ¤ } }"},
      {"javascript", "const a = ¤;\nfunction f( { )\n¤"},
      {"javascript", "let x = = ¤"},
      {"typescript", "interface A { b: ; ¤ }"},
      {"rust", "fn f() { let = ¤; }"},
      {"rust", "fn f() { match x { 1 ] } ¤ }"},
      {"go", "package main\nfunc f() { x := 1 ] }\n¤"},
      {"java", "class A { void f() { int x = ; ¤ } }"},
      {"lua", "if x then end end ¤"},
      {"lua", "local x = = ¤"},
  };
  for (const Sample& sample : cases) {
    EXPECT_EQ(check(sample.language, sample.text), Verdict::Impossible)
        << sample.language << ": " << sample.text;
  }
}

TEST(HoleChecker, WhatThePackagesTakeInUnusualPlacesIsPossible) {
  const Sample cases[] = {
      {"rust", "m! { $t }"},
      {"rust", "m! { a else move ref in b }"},
      {"rust", "macro_rules! m { ($($x:expr),+ $(,)?) => { $($x;)* $($x)=>* } }"},
      {"rust",
       "const A: &str = r\"a\\\"; const B: &str = r#\"\"a\"\"#; const C: &str = r##\"\"#\"##;"},
      {"rust", "fn f() { let x = a..b + c as u8 * -d?.e(f)[g]; &mut x = |y| y + 1; }"},
      {"javascript", "x = `a \\` b`; y = `$a $$ {b}\n$`; z = `a ${`b ${c}`}\n ${d}`;"},
      {"javascript", "x = a + -b ** c ? d : (e, f => f + g)?.[h].i`j` instanceof k;"},
      {"javascript", "x = <a>{b}// no comment</a>;"},
      {"javascript", "x = /[/]/ / y; // z / `"},
      {"typescript", "let x = a as B | C<D> & E[] + 1, y = !z! satisfies F extends G ? H : I;"},
      {"c", "int f(void) { return *p->q[1](2)++ + -(int)sizeof a << b ? c = d : !e; }"},
      {"cpp", "auto x = a << b << (c ? d : e) << [=] { return f; }() << *g.h<int>(i);"},
      {"go", "package p\nvar x = -a*b.c[d](e) + <-f && !g.(h)\n"},
      {"java", "class A { int x = a + (int) -b.c(d)[e] * f instanceof G ? h -> i : j++; }"},
      {"lua", "x = a .. b + -c ^ not d .. #e"},
      {"python", "x = not a + b.c(d)[e] ** -f if g or h else lambda i: j and await_\n"},
  };
  for (const Sample& sample : cases) {
    const auto tree = parse(grammar(sample.language), sample.text);
    if (tree && !tree->has_error()) {
      EXPECT_EQ(check(sample.language, sample.text), Verdict::Possible)
          << sample.language << ": " << sample.text;
    } else {
      ADD_FAILURE() << "does not parse: " << sample.language << ": " << sample.text;
    }
  }
}

TEST(HoleChecker, WhatAHoleCanStillRepairIsPossible) {
  const Sample cases[] = {
      {"json", "¤"},
      {"json", "{\"a¤"},
      {"json", "¤]}"},
      {"json", "{\"a\": tr¤, ¤ue\": 1}"},
      {"c", "int f(int ¤) { return a ¤]; }"},
      {"c", "int f(void) { ¤ else ¤ }"},
      {"python", "def f():\n¤    return x\n"},
      {"python", "¤else:\n    y = 1\n"},
      {"python", "x = ¤\n    y = 2\n"},
      {"python", "def f():\n    a = ¤\n  b = 2\n"},
      {"python", "x = (1,\n  2\n ¤\ny = 3]¤\n"},
      {"javascript", "const ¤\nreturn ¤"},
      {"rust", "fn f() { let x = ¤'static ¤; }"},
      {"go", "package main\n¤}\n"},
      {"lua", "¤ end"},
  };
  for (const Sample& sample : cases) {
    EXPECT_EQ(check(sample.language, sample.text), Verdict::Possible)
        << sample.language << ": " << sample.text;
  }
}

TEST(HoleChecker, OnlyAnOpenHoleMayHideTextInACommentThatItBegins) {
  const char* const text = "[¤\n : :\n¤]";
  EXPECT_EQ(check("json", text, HoleMode::Closed), Verdict::Impossible);
  EXPECT_EQ(check("json", text, HoleMode::Open), Verdict::Possible);
}

TEST(HoleChecker, ACommentOfTheTextMayGoOnThroughAHole) {
  EXPECT_EQ(check("c", "int x; /* a ¤ ] b */ int y;"), Verdict::Possible);
  EXPECT_EQ(check("python", "x = 1  # a ¤ ] b\ny = 2\n"), Verdict::Possible);
}

TEST(HoleChecker, HolesInsideCharactersArePossible) {
  const std::string text = "{\"é\": 1}";
  const auto checker = HoleChecker::make("json");
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::vector<ByteRange> hole{{at, at + 1}};
    EXPECT_EQ(checker->check(pieces_of(text, hole)), Verdict::Possible) << at;
  }
}

TEST(HoleChecker, WhatDoesNotFitTheBudgetIsUnknown) {
  const auto checker = HoleChecker::make("c", {.budget = 10});
  EXPECT_EQ(check(*checker, "int f(void) { ] }"), Verdict::Unknown);
}

TEST(HoleChecker, TheBeginningThatDidNotChangeIsKept) {
  const auto checker = HoleChecker::make("c");
  std::string text;
  for (int i = 0; i < 50; ++i) text += "int f" + std::to_string(i) + "(void) { return 1; }\n";
  check(*checker, text + "int g(void) { return ¤; }\n");
  check(*checker, text + "int g(void) { return ¤ + 1; }\n");
  EXPECT_GT(checker->work().kept_places, 400U);
  EXPECT_LT(checker->work().places - checker->work().kept_places, 40U);
}

TEST(HoleChecker, TheRestIsNotReadAgainWhenAWayThroughItIsKnown) {
  for (const char* const language : {"c", "java"}) {
    const auto checker = HoleChecker::make(language);
    const std::string end = language == std::string("java") ? "}\n" : "";
    std::string rest;
    for (int i = 0; i < 50; ++i) rest += "int f" + std::to_string(i) + "() { return 1; }\n";
    const std::string begin = end.empty() ? "" : "class A {\n";
    check(*checker, begin + "int g() { ¤ }\n" + rest + end);
    EXPECT_EQ(check(*checker, begin + "int g() { return ¤ + ¤; }\n" + rest + end),
              Verdict::Possible);
    EXPECT_LT(checker->work().places, 40U) << language;
    EXPECT_EQ(check(*checker, begin + "int g() { return ¤ ] ) ¤; }\n" + rest + end),
              check(language, begin + "int g() { return ¤ ] ) ¤; }\n" + rest + end));
    EXPECT_EQ(check(*checker, begin + "int g() { return = 1; ¤ }\n" + rest + end),
              Verdict::Impossible);
  }
}

TEST(HoleChecker, AnExpressionOfManyOperandsTakesStepsInProportion) {
  const Sample cases[] = {{"c", "int x = a"},
                          {"cpp", "int x = a"},
                          {"javascript", "x = a"},
                          {"typescript", "x = a"},
                          {"tsx", "x = a"},
                          {"rust", "const X: u8 = a"},
                          {"go", "package p\nvar x = a"},
                          {"java", "class A { int x = a"},
                          {"python", "x = a"},
                          {"lua", "x = a"}};
  for (const Sample& sample : cases) {
    const auto steps = [&](int operands) {
      std::string text = sample.text;
      for (int i = 0; i < operands; ++i) text += " + b.c";
      if (std::string_view(sample.language) == "java") text += "; }";
      text += std::string_view(sample.language) == "rust" || sample.language[0] == 'c' ? ";" : "\n";
      const auto checker = HoleChecker::make(sample.language);
      EXPECT_EQ(check(*checker, text), Verdict::Possible) << sample.language;
      return checker->work().steps;
    };
    EXPECT_LT(steps(80), steps(40) * 5 / 2) << sample.language;
  }
}

TEST(HoleChecker, NoOperatorsAreFoundInComments) {
  const auto checker = HoleChecker::make("rust");
  check(*checker, "fn f() { ¤ }\n//" + std::string(100, '/') + "\nfn g() {}\n");
  EXPECT_LT(checker->work().places, 30U);
}

TEST(HoleChecker, ThereIsNoneForALanguageWithoutGrammar) {
  EXPECT_EQ(HoleChecker::make("cobol"), nullptr);
}

}  // namespace
}  // namespace lacuna::grammar
