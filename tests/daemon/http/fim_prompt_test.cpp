#include "daemon/http/fim_prompt.h"

#include <gtest/gtest.h>

namespace lacuna::daemon::http {
namespace {

TEST(FimPromptTest, EveryFamilyIsTakenApart) {
  const char* const prompts[] = {
      "<|fim_prefix|>P(\n<|fim_suffix|>S)<|fim_middle|>",
      "<|fim_suffix|>S)<|fim_prefix|>P(\n<|fim_middle|>",
      "<fim_prefix>P(\n<fim_suffix>S)<fim_middle>",
      "<fim-prefix>P(\n<fim-suffix>S)<fim-middle>",
      "<PRE> P(\n <SUF>S) <MID>",
      "<\uFF5Cfim\u2581begin\uFF5C>P(\n<\uFF5Cfim\u2581hole\uFF5C>S)<\uFF5Cfim\u2581end\uFF5C>",
      "[SUFFIX]S)[PREFIX]P(\n",
      "<|code_suffix|>S)<|code_prefix|>P(\n<|code_middle|>",
      "<|code_prefix|>P(\n<|code_suffix|>S)<|code_middle|>",
      "<[fim-prefix]>P(\n<[fim-suffix]>S)<[fim-middle]>",
      "<[fim-suffix]>S)<[fim-prefix]>P(\n<[fim-middle]>",
  };
  for (const char* prompt : prompts) {
    const auto parsed = parse_fim_prompt(prompt);
    ASSERT_TRUE(parsed) << prompt;
    EXPECT_EQ(parsed->prefix, "P(\n") << prompt;
    EXPECT_EQ(parsed->suffix, "S)") << prompt;
    EXPECT_TRUE(parsed->context.empty()) << prompt;
  }
}

TEST(FimPromptTest, PrefixAndSuffixMayBeEmpty) {
  const auto parsed = parse_fim_prompt("<PRE>  <SUF> <MID>");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->prefix, "");
  EXPECT_EQ(parsed->suffix, "");
}

TEST(FimPromptTest, AnIncompleteSetOfSentinelsIsText) {
  for (const char* prompt :
       {"", "def f():", "<|fim_prefix|>P<|fim_suffix|>S", "<fim_prefix>P",
        "<|fim_middle|><|fim_prefix|>P<|fim_suffix|>S", "<|fim_prefix|>P<fim_suffix>S<fim_middle>",
        "x = [SUFFIX] + [PREFIX]", "[SUFFIX]S"}) {
    EXPECT_FALSE(parse_fim_prompt(prompt)) << prompt;
  }
}

TEST(FimPromptTest, OtherFilesBecomeContext) {
  const auto parsed = parse_fim_prompt(
      "<|repo_name|>shop\n<|file_sep|>lib/a.py\nA = 1\n<|file_sep|>B = 2\nC = 3\n"
      "<|file_sep|>main.py\n<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>");
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->context.size(), 2U);
  EXPECT_EQ(parsed->context[0].path, "lib/a.py");
  EXPECT_EQ(parsed->context[0].text, "A = 1\n");
  EXPECT_EQ(parsed->context[1].path, "");
  EXPECT_EQ(parsed->context[1].text, "B = 2\nC = 3\n");
  EXPECT_EQ(parsed->path, "main.py");
}

// As minuet's recipe for VectorCode has it.
TEST(FimPromptTest, AFileMayStandRightBeforeTheSentinels) {
  const auto parsed =
      parse_fim_prompt("<|file_sep|>lib/a.py\nA = 1\n<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>");
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->context.size(), 1U);
  EXPECT_EQ(parsed->context[0].path, "lib/a.py");
  EXPECT_EQ(parsed->context[0].text, "A = 1\n");
  EXPECT_EQ(parsed->prefix, "P");
  EXPECT_EQ(parsed->suffix, "S");
}

TEST(FimPromptTest, StarCoderNamesTheFileInThePrefix) {
  const auto parsed =
      parse_fim_prompt("<fim_prefix><filename>a.rs\nfn f() {<fim_suffix>}<fim_middle>");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->path, "a.rs");
  EXPECT_EQ(parsed->prefix, "fn f() {");
}

TEST(FimPromptTest, CodeGeeXNamesTheFileBeforeTheSentinels) {
  const auto parsed = parse_fim_prompt(
      "###REFERENCE:\nint x;\n###LANGUAGE: C\n###PATH: src/a.c\n"
      "<|code_suffix|>S<|code_prefix|>P<|code_middle|>");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->path, "src/a.c");
}

TEST(FimPromptTest, SentinelsInTheTextAroundTheHoleStayThere) {
  const auto parsed =
      parse_fim_prompt("<|fim_prefix|>P<|fim_suffix|>print('<|fim_middle|>')<|fim_middle|>");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->suffix, "print('<|fim_middle|>')");
}

TEST(FimPromptTest, PlusLinesSeparateFiles) {
  const FimPrompt parsed = split_files("+++++ a.py\nA = 1\n\n+++++ b.py\nB = ", "\n");
  ASSERT_EQ(parsed.context.size(), 1U);
  EXPECT_EQ(parsed.context[0].path, "a.py");
  EXPECT_EQ(parsed.context[0].text, "A = 1\n");
  EXPECT_EQ(parsed.path, "b.py");
  EXPECT_EQ(parsed.prefix, "B = ");
  EXPECT_EQ(parsed.suffix, "\n");
}

TEST(FimPromptTest, APrefixWithoutPlusLinesStaysAsItIs) {
  for (const char* prefix : {"", "x = 1", "+++++", "+++++ a.py", "x\n+++++ a.py\n"}) {
    EXPECT_EQ(split_files(prefix, "").prefix, prefix);
  }
}

}  // namespace
}  // namespace lacuna::daemon::http
