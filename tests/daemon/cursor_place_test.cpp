#include "daemon/cursor_place.h"

#include <gtest/gtest.h>

namespace lacuna::daemon {
namespace {

// The place at the `^` of a text.
CursorPlace place(std::string_view language, std::string text) {
  const std::size_t cursor = text.find('^');
  text.erase(cursor, 1);
  return place_at_cursor(grammar::grammar_of(language_named(language)), text, cursor);
}

TEST(CursorPlaceTest, AnEmptyBodyAndTheEndOfABlockMayHaveSeveralLines) {
  EXPECT_TRUE(place("python", "def f(x):\n    ^\n\n\ndef g():\n    pass\n").several_lines);
  EXPECT_TRUE(place("python", "def f(x):\n    y = x\n    ^\n\n\ndef g(): pass\n").several_lines);
  EXPECT_TRUE(place("cpp", "int f(int x) {\n  ^\n}\n").several_lines);
  EXPECT_TRUE(place("cpp", "int f(int x) {\n  int y = x;\n  ^\n}\n").several_lines);
  EXPECT_TRUE(place("cpp", "int f(int x) {^}\n").several_lines);
}

TEST(CursorPlaceTest, AnywhereElseItIsTheRestOfTheLine) {
  EXPECT_FALSE(place("python", "x = ^\n").several_lines);
  EXPECT_FALSE(place("python", "def f(x):\n    return ^\n").several_lines);
  EXPECT_FALSE(place("python", "def f(x):\n    ^\n    return y\n").several_lines);
  EXPECT_FALSE(place("python", "def f(x):\n    y = [\n        ^\n    ]\n").several_lines);
  EXPECT_FALSE(place("cpp", "int f(int x) {\n  ^\n  return y;\n}\n").several_lines);
  EXPECT_FALSE(place("cpp", "int f(int x) {\n  return g(^);\n}\n").several_lines);
}

TEST(CursorPlaceTest, WhatThePlaceIsCanBeTold) {
  EXPECT_EQ(place("python", "def f(x):\n    ^\n").what, "an empty body");
  EXPECT_EQ(place("cpp", "int f(int x) {\n  int y = x;\n  ^\n}\n").what, "the rest of the block");
}

TEST(CursorPlaceTest, WithoutAGrammarItIsTheRestOfTheLine) {
  const CursorPlace found = place_at_cursor(nullptr, "a {\n\n}", 4);
  EXPECT_FALSE(found.several_lines);
  EXPECT_EQ(found.what, "");
}

std::string within(std::string text, std::string_view fill) {
  const std::size_t cursor = text.find('^');
  text.erase(cursor, 1);
  return std::string(within_block(text, cursor, fill));
}

TEST(CursorPlaceTest, ABlockEndsBeforeALineFurtherToTheLeft) {
  EXPECT_EQ(within("def f():\n    ^\n", "a = 1\n    b = 2\n\ndef g():\n    c"),
            "a = 1\n    b = 2\n");
  EXPECT_EQ(within("def f():\r\n    ^\r\n", "a\r\nb\r\n"), "a");
  EXPECT_EQ(within("{\n  ^\n}", "a;\n}\n\nint g() {"), "a;");
}

TEST(CursorPlaceTest, LinesDeeperBlankOrInBracketsBelongToIt) {
  const std::string_view deeper = "if a:\n        b\n\n    c";
  EXPECT_EQ(within("def f():\n    ^\n", deeper), deeper);
  const std::string_view brackets = "a = [\n1,\n]\n    b";
  EXPECT_EQ(within("def f():\n    ^\n", brackets), brackets);
  EXPECT_EQ(within("f {^}", "\n  a;\n"), "\n  a;\n");
}

}  // namespace
}  // namespace lacuna::daemon
