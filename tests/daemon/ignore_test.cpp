#include "daemon/ignore.h"

#include <gtest/gtest.h>

namespace lacuna::daemon {
namespace {

bool ignores(std::string_view patterns, std::string_view path) {
  IgnoreList list;
  list.add_text(patterns);
  return list.ignores(path);
}

TEST(IgnoreTest, PatternsMeanWhatTheyMeanInGitignore) {
  EXPECT_TRUE(ignores("*.log", "a.log"));
  EXPECT_TRUE(ignores("*.log", "deep/down/a.log"));
  EXPECT_FALSE(ignores("*.log", "a.logs"));
  EXPECT_TRUE(ignores("/top.txt", "top.txt"));
  EXPECT_FALSE(ignores("/top.txt", "sub/top.txt"));
  EXPECT_TRUE(ignores("a/b.txt", "a/b.txt"));
  EXPECT_FALSE(ignores("a/b.txt", "x/a/b.txt"));
  EXPECT_TRUE(ignores("build/", "build/x/y.c"));
  EXPECT_FALSE(ignores("build/", "build"));
  EXPECT_TRUE(ignores("**/gen/*.c", "gen/a.c"));
  EXPECT_TRUE(ignores("**/gen/*.c", "x/y/gen/a.c"));
  EXPECT_FALSE(ignores("**/gen/*.c", "x/gen/y/a.c"));
  EXPECT_TRUE(ignores("a/**", "a/b/c"));
  EXPECT_TRUE(ignores("a/**/c", "a/c"));
  EXPECT_TRUE(ignores("a/**/c", "a/b/b/c"));
  EXPECT_TRUE(ignores("file?.[ch]", "file1.c"));
  EXPECT_FALSE(ignores("file?.[ch]", "file12.c"));
  EXPECT_FALSE(ignores("file.[!ch]", "file.c"));
  EXPECT_TRUE(ignores("[a-c]x", "bx"));
}

TEST(IgnoreTest, TheLastPatternDecides) {
  EXPECT_FALSE(ignores("*.txt\n!keep.txt\n", "keep.txt"));
  EXPECT_TRUE(ignores("!keep.txt\n*.txt\n", "keep.txt"));
  EXPECT_TRUE(ignores("dir/\n!dir/keep.txt\n", "dir/keep.txt"));
}

TEST(IgnoreTest, CommentsAndBlankLinesAreNoPatterns) {
  EXPECT_FALSE(ignores("# *.txt\n\n  \r\n", "a.txt"));
  EXPECT_TRUE(ignores("\\#odd\r\n", "#odd"));
}

TEST(IgnoreTest, HostilePatternsEnd) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a**/";
  EXPECT_FALSE(ignores(pattern, std::string(3000, 'a')));
  EXPECT_FALSE(ignores("[", "x"));
  EXPECT_TRUE(ignores("[", "["));
}

TEST(IgnoreTest, FilesThatUsuallyHoldSecretsAreKnownByTheirNames) {
  for (const char* path :
       {".env", "web/.env.local", "ID_RSA", "home/u/.ssh/config", "server.pem", "a/b.key",
        "secrets.yml", "deploy/prod.tfvars", ".aws/credentials", "x/secrets/notes.md", ".npmrc"}) {
    EXPECT_TRUE(is_secret_path(path)) << path;
  }
  for (const char* path : {"env.py", "src/keys.cpp", ".env.example", "monkey.c", "secretary.md",
                           "src/credentials_test.go", "environment"}) {
    EXPECT_FALSE(is_secret_path(path)) << path;
  }
}

}  // namespace
}  // namespace lacuna::daemon
