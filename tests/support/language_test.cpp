#include "support/language.h"

#include <map>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace lacuna {
namespace {

std::string_view of_file(std::string_view path, std::string_view text = "") {
  const Language* found = language_of_file(path, text);
  return found == nullptr ? "none" : found->name;
}

std::string_view named(std::string_view name) {
  const Language* found = language_named(name);
  return found == nullptr ? "none" : found->name;
}

TEST(LanguageTest, GoesByExtension) {
  EXPECT_EQ(of_file("a/b.c/x.py"), "python");
  EXPECT_EQ(of_file("x.c"), "c");
  EXPECT_EQ(of_file("x.h"), "c");
  EXPECT_EQ(of_file("x.HPP"), "cpp");
  EXPECT_EQ(of_file("x.test.tsx"), "tsx");
  EXPECT_EQ(of_file("x.mjs"), "javascript");
  EXPECT_EQ(of_file("lru.go"), "go");
  EXPECT_EQ(of_file("matrix.rs"), "rust");
  EXPECT_EQ(of_file("Main.java"), "java");
  EXPECT_EQ(of_file("x.yml"), "yaml");
  EXPECT_EQ(of_file("x.unknown"), "none");
  EXPECT_EQ(of_file("a.py/x"), "none");
  EXPECT_EQ(of_file(""), "none");
}

TEST(LanguageTest, GoesByFileName) {
  EXPECT_EQ(of_file("src/CMakeLists.txt"), "cmake");
  EXPECT_EQ(of_file("Makefile"), "make");
  EXPECT_EQ(of_file("Dockerfile"), "dockerfile");
}

TEST(LanguageTest, GoesByFirstLine) {
  EXPECT_EQ(of_file("run", "#!/usr/bin/python3\nx"), "python");
  EXPECT_EQ(of_file("run", "#!/usr/bin/env -S A=1 python3.11 -u"), "python");
  EXPECT_EQ(of_file("run", "#! /bin/sh -e\r\n"), "bash");
  EXPECT_EQ(of_file("run", "#!/usr/bin/env node"), "javascript");
  EXPECT_EQ(of_file("run", "#!/bin/unknown\npython"), "none");
  EXPECT_EQ(of_file("run", "#!"), "none");
  EXPECT_EQ(of_file("run", "\n#!/bin/sh"), "none");
  EXPECT_EQ(of_file("run.go", "#!/bin/sh"), "go");
}

TEST(LanguageTest, KnowsAliases) {
  EXPECT_EQ(named("python"), "python");
  EXPECT_EQ(named("C++"), "cpp");
  EXPECT_EQ(named("JS"), "javascript");
  EXPECT_EQ(named("golang"), "go");
  EXPECT_EQ(named("klingon"), "none");
  EXPECT_EQ(named(""), "none");
}

TEST(LanguageTest, KnowsTheNamesThatEditorsGiveThem) {
  for (const char* id : {"javascriptreact", "javascript.jsx", "javascript"}) {
    EXPECT_EQ(named(id), "javascript") << id;
  }
  for (const char* id : {"typescriptreact", "typescript.tsx"}) EXPECT_EQ(named(id), "tsx") << id;
  for (const char* id : {"shellscript", "sh", "zsh"}) EXPECT_EQ(named(id), "bash") << id;
  EXPECT_EQ(named("jsonc"), "json");
  EXPECT_EQ(named("csharp"), "csharp");
  EXPECT_EQ(named("cs"), "csharp");
  EXPECT_EQ(named("dosini"), "ini");
  EXPECT_EQ(named("makefile"), "make");
}

TEST(LanguageTest, TellsAModelTheLanguageOfADialect) {
  EXPECT_EQ(language_named("tsx")->model_name, "typescript");
  EXPECT_EQ(language_named("python")->model_name, "python");
}

TEST(LanguageTest, GivesNoExtensionOrAliasToTwoLanguages) {
  std::map<std::string, std::string_view> owner;
  for (const Language& language : languages()) {
    std::set<std::string> names{std::string(language.name)};
    for (const std::string_view words : {language.extensions, language.aliases}) {
      std::istringstream stream{std::string(words)};
      for (std::string word; stream >> word;) names.insert(word);
    }
    for (const std::string& name : names) {
      EXPECT_TRUE(owner.emplace(name, language.name).second)
          << name << " means " << owner[name] << " and " << language.name;
    }
  }
}

TEST(LanguageTest, NamesEveryLanguageOnceAndKnowsItsComment) {
  std::set<std::string_view> names;
  for (const Language& language : languages()) names.insert(language.name);
  EXPECT_EQ(names.size(), languages().size());
  EXPECT_EQ(language_named("python")->line_comment, "#");
  EXPECT_EQ(language_named("lua")->line_comment, "--");
  EXPECT_EQ(language_named("json")->line_comment, "");
}

}  // namespace
}  // namespace lacuna
