#include "engine/tokenizer/tokenizer_files.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/tokenizer/tiny_tokenizer.h"

namespace lacuna::engine {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

json tiny() { return tiny_tokenizer_json({{"a", "b"}, {"ab", "c"}}, {"<x>"}); }

json sequence(const std::vector<json>& steps) {
  return {{"type", "Sequence"}, {"pretokenizers", steps}};
}

const json kByteLevel = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};

json split(const char* pattern) {
  return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}};
}

struct Alteration {
  const char* what;  // of the message
  ErrorCode code;
  std::function<void(json&)> alter;
};

void check_errors(const std::vector<Alteration>& table) {
  for (const Alteration& test : table) {
    json altered = tiny();
    test.alter(altered);
    const auto tokenizer = load_json(altered);
    ASSERT_FALSE(tokenizer.has_value()) << test.what;
    EXPECT_EQ(tokenizer.error().code, test.code) << tokenizer.error().message;
    EXPECT_THAT(tokenizer.error().message, HasSubstr(test.what));
  }
}

TEST(TokenizerJsonTest, RefusesWhatWouldGiveOtherTokens) {
  constexpr auto kUnsupported = ErrorCode::InvalidInput;
  check_errors({
      {"model of type \"WordPiece\"", kUnsupported,
       [](json& j) { j["model"]["type"] = "WordPiece"; }},
      {"byte_fallback", kUnsupported, [](json& j) { j["model"]["byte_fallback"] = true; }},
      {"dropout", kUnsupported, [](json& j) { j["model"]["dropout"] = 0.1; }},
      {"end_of_word_suffix", kUnsupported,
       [](json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }},
      {"normalizer 'NFKC'", kUnsupported, [](json& j) { j["normalizer"] = {{"type", "NFKC"}}; }},
      {"normalizer ''", kUnsupported, [](json& j) { j["normalizer"] = 7; }},
      {"pre_tokenizer 'Metaspace'", kUnsupported,
       [](json& j) { j["pre_tokenizer"] = sequence({{{"type", "Metaspace"}}, kByteLevel}); }},
      {"ByteLevel is not the last", kUnsupported,
       [](json& j) { j["pre_tokenizer"] = sequence({kByteLevel, split("a")}); }},
      {"not byte-level", kUnsupported, [](json& j) { j["pre_tokenizer"] = nullptr; }},
      {"add_prefix_space", kUnsupported,
       [](json& j) { j["pre_tokenizer"] = {{"type", "ByteLevel"}}; }},
      {"does not isolate", kUnsupported,
       [](json& j) { j["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Removed"; }},
      {"does not isolate", kUnsupported,
       [](json& j) { j["pre_tokenizer"]["pretokenizers"][0]["invert"] = true; }},
      {"split pattern: \\w", kUnsupported,
       [](json& j) { j["pre_tokenizer"] = sequence({split("\\w+"), kByteLevel}); }},
      {"decoder 'Metaspace'", kUnsupported,
       [](json& j) { j["decoder"] = {{"type", "Metaspace"}}; }},
  });
}

TEST(TokenizerJsonTest, RefusesDamage) {
  constexpr auto kCorrupt = ErrorCode::Corrupt;
  check_errors({
      {"not an object", kCorrupt, [](json& j) { j = json::array(); }},
      {"'model' is missing", kCorrupt, [](json& j) { j.erase("model"); }},
      {"'model.vocab' has the wrong type", kCorrupt, [](json& j) { j["model"]["vocab"] = 1; }},
      {"'model.merges' has the wrong type", kCorrupt,
       [](json& j) { j["model"]["merges"] = "a b"; }},
      {"wrong type", kCorrupt, [](json& j) { j["model"]["vocab"]["a"] = "97"; }},
      {"wrong type", kCorrupt, [](json& j) { j["model"]["vocab"]["a"] = 97.0; }},
      {"wrong type", kCorrupt, [](json& j) { j["model"]["vocab"]["a"] = json::object(); }},
      {"wrong type", kCorrupt, [](json& j) { j["model"]["merges"][0] = 5; }},
      {"out of range", kCorrupt, [](json& j) { j["model"]["vocab"]["new"] = -1; }},
      {"out of range", kCorrupt, [](json& j) { j["model"]["vocab"]["new"] = 1 << 22; }},
      {"too large", kCorrupt, [](json& j) { j["model"]["vocab"]["new"] = UINT64_MAX; }},
      {"two tokens have the id 97", kCorrupt, [](json& j) { j["model"]["vocab"]["new"] = 97; }},
      {"no token for the byte 97", kCorrupt, [](json& j) { j["model"]["vocab"].erase("a"); }},
      {"merge 2 'a zz' needs the piece 'zz'", kCorrupt,
       [](json& j) { j["model"]["merges"].push_back("a zz"); }},
      {"needs the piece 'ba'", kCorrupt, [](json& j) { j["model"]["merges"].push_back("b a"); }},
      {"not two pieces", kCorrupt, [](json& j) { j["model"]["merges"].push_back("ab"); }},
      {"not two pieces", kCorrupt, [](json& j) { j["model"]["merges"].push_back("a b c"); }},
      {"a piece that is no text", kCorrupt,
       [](json& j) { j["model"]["merges"].push_back("a \u4e2d"); }},
      {"fewer than two", kCorrupt,
       [](json& j) { j["model"]["merges"].push_back(json::array({"a"})); }},
      {"more than two", kCorrupt, [](json& j) { j["model"]["merges"].push_back({"a", "b", "c"}); }},
      {"has a space", kCorrupt, [](json& j) { j["model"]["merges"].push_back({"a b", "c"}); }},
      {"'model.ignore_merges' is not", kCorrupt, [](json& j) { j["model"]["ignore_merges"] = 1; }},
      {"'use_regex' is not", kCorrupt,
       [](json& j) { j["pre_tokenizer"]["pretokenizers"][1]["use_regex"] = "no"; }},
      {"a Split has no pattern", kCorrupt,
       [](json& j) { j["pre_tokenizer"]["pretokenizers"][0]["pattern"] = "a"; }},
      {"nested too deeply", kCorrupt,
       [](json& j) {
         for (int i = 0; i < 100; ++i) j["truncation"] = json::array({j["truncation"]});
       }},
  });
}

TEST(TokenizerJsonTest, RefusesAddedTokensThatContradictTheVocabulary) {
  constexpr auto kCorrupt = ErrorCode::Corrupt;
  const auto add = [](json token) {
    return [token](json& j) { j["added_tokens"].push_back(token); };
  };
  check_errors({
      {"'added_tokens' is not a list", kCorrupt, [](json& j) { j["added_tokens"] = 1; }},
      {"has no id", kCorrupt, add({{"content", "<y>"}})},
      {"has no id", kCorrupt, add({{"content", "<y>"}, {"id", 1.5}})},
      {"has no content", kCorrupt, add({{"id", 300}})},
      {"no proper content", kCorrupt, add({{"id", 300}, {"content", ""}})},
      {"no proper content", kCorrupt, add({{"id", 300}, {"content", std::string(5000, 'x')}})},
      {"id out of range", kCorrupt, add({{"id", 1LL << 40}, {"content", "<y>"}})},
      {"is not true or false", kCorrupt, add({{"id", 300}, {"content", "<y>"}, {"lstrip", 1}})},
      {"has the id of another token", kCorrupt, add({{"id", 97}, {"content", "<y>"}})},
      {"is in the vocabulary with id 256", kCorrupt, add({{"id", 300}, {"content", "ab"}})},
      {"has the id 300 here and 258 elsewhere", kCorrupt, add({{"id", 300}, {"content", "<x>"}})},
      {"no token for the byte 97", kCorrupt, add({{"id", 97}, {"content", "a"}})},
  });
}

TEST(TokenizerJsonTest, RefusesWhatIsNotJson) {
  for (const std::string text :
       {"", "{", "{\"model\":}", "[1,2", "nul", "\xFF", "{\"a\":\"\xFF\"}", "{} x", "1e999"}) {
    const auto spec = parse_tokenizer_json(text);
    ASSERT_FALSE(spec.has_value()) << text;
    EXPECT_EQ(spec.error().code, ErrorCode::Corrupt);
    EXPECT_THAT(spec.error().message, HasSubstr("not JSON")) << text;
  }
  const std::string deep(1 << 20, '[');
  EXPECT_THAT(parse_tokenizer_json(deep).error().message, HasSubstr("nested too deeply"));
  std::string wide = "[";
  for (int i = 0; i < 1000001; ++i) wide += "1,";
  EXPECT_THAT(parse_tokenizer_json(wide).error().message, HasSubstr("too many values"));
}

TEST(TokenizerJsonTest, ReadsTheVariantsOfPublishedFiles) {
  const auto encode = [](const json& j, std::string_view text) {
    return must_load(j)->encode(text);
  };
  json pairs = tiny();
  pairs["model"]["merges"] = json::array({json::array({"a", "b"}), json::array({"ab", "c"})});
  EXPECT_THAT(encode(pairs, "abc"), ElementsAre(257));
  json untyped = tiny();
  untyped["model"].erase("type");
  untyped.erase("decoder");
  EXPECT_THAT(encode(untyped, "abc"), ElementsAre(257));
  json single = tiny();  // GPT-2: only ByteLevel, with its own pattern
  single["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
  single["normalizer"] = {{"type", "Sequence"}, {"normalizers", json::array()}};
  EXPECT_THAT(encode(single, "abc"), ElementsAre(257));
  json digits = tiny();
  digits["pre_tokenizer"] =
      sequence({{{"type", "Digits"}, {"individual_digits", true}},
                {{"type", "Split"}, {"pattern", {{"String", "b."}}}, {"behavior", "Isolated"}},
                kByteLevel});
  EXPECT_THAT(encode(digits, "abc1ab."), ElementsAre(257, '1', 'a', 'b', '.'));
  json vocabulary_lists_added = tiny();
  vocabulary_lists_added["model"]["vocab"]["<x>"] = 258;
  EXPECT_TRUE(must_load(vocabulary_lists_added)->is_control(258));
}

TEST(TokenizerJsonTest, ALaterMergeOfAPairReplacesTheEarlier) {
  const json twice = tiny_tokenizer_json({{"a", "b"}, {"b", "c"}, {"a", "b"}});
  EXPECT_THAT(must_load(twice)->encode("abc"), ElementsAre('a', 257));
}

TEST(VocabAndMergesTest, ReadsMergesTxt) {
  const json j = tiny();
  const auto spec =
      parse_vocab_and_merges(j["model"]["vocab"].dump(), "#version: 0.2\r\na b\r\n\r\nab c", "");
  ASSERT_TRUE(spec.has_value()) << spec.error().message;
  EXPECT_THAT(spec->merges, ElementsAre("a b", "ab c"));
  EXPECT_TRUE(spec->nfc);
  const auto tokenizer = make_bpe_tokenizer(*spec);
  ASSERT_TRUE(tokenizer.has_value());
  EXPECT_THAT((*tokenizer)->encode("abc"), ElementsAre(257));
}

TEST(VocabAndMergesTest, AMergeMayBeginWithAHash) {
  const auto spec = parse_vocab_and_merges("{}", "# #\n## #\n", "Qwen2TokenizerFast");
  ASSERT_TRUE(spec.has_value());
  EXPECT_THAT(spec->merges, ElementsAre("# #", "## #"));
}

TEST(VocabAndMergesTest, TheClassDecidesHowToSplit) {
  EXPECT_THAT(parse_vocab_and_merges("{}", "", "GPT2Tokenizer")->patterns,
              ElementsAre(std::string(kGpt2Pattern)));
  EXPECT_FALSE(parse_vocab_and_merges("{}", "", "GPT2Tokenizer")->nfc);
  EXPECT_THAT(parse_vocab_and_merges("{}", "", "DreamTokenizer")->patterns,
              ElementsAre(std::string(kQwen2Pattern)));
  EXPECT_EQ(parse_vocab_and_merges("{}", "", "RobertaTokenizer").error().code,
            ErrorCode::InvalidInput);
  for (const char* text : {"[]", "1", "{\"a\":[]}", "{\"a\":-1}", "{", "{\"a\":{}}"}) {
    EXPECT_FALSE(parse_vocab_and_merges(text, "", "").has_value()) << text;
  }
}

TEST(SideFilesTest, ReadsAddedTokens) {
  const auto tokens = parse_added_tokens(R"({"<|mask|>": 151666, "<b>": 5})");
  ASSERT_TRUE(tokens.has_value());
  ASSERT_EQ(tokens->size(), 2U);
  EXPECT_EQ((*tokens)[1].content, "<|mask|>");
  EXPECT_EQ((*tokens)[1].id, 151666);
  for (const char* text : {"[]", R"({"<a>": "1"})", R"({"": 1})", R"({"<a>": -1})", "{"}) {
    EXPECT_FALSE(parse_added_tokens(text).has_value()) << text;
  }
}

TEST(SideFilesTest, ReadsTokenizerConfig) {
  const auto config = parse_tokenizer_config(
      R"({"tokenizer_class": "DreamTokenizer", "eos_token": null, "added_tokens_decoder":
          {"151666": {"content": "<|mask|>", "lstrip": true, "special": true}}})");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->tokenizer_class, "DreamTokenizer");
  ASSERT_EQ(config->added.size(), 1U);
  EXPECT_EQ(config->added[0].id, 151666);
  EXPECT_TRUE(config->added[0].lstrip);
  EXPECT_TRUE(parse_tokenizer_config("{}")->tokenizer_class.empty());
  for (const char* text : {"[]", R"({"added_tokens_decoder": []})",
                           R"({"added_tokens_decoder": {"x": {"content": "a"}}})",
                           R"({"added_tokens_decoder": {"5": "a"}})",
                           R"({"added_tokens_decoder": {"-5": {"content": "a"}}})"}) {
    EXPECT_FALSE(parse_tokenizer_config(text).has_value()) << text;
  }
}

TEST(SideFilesTest, ReadsSpecialTokensMap) {
  const auto spellings = parse_special_tokens_map(
      R"({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "x": null,
          "additional_special_tokens": ["<a>", {"content": "<b>"}, 7]})");
  ASSERT_TRUE(spellings.has_value());
  EXPECT_THAT(*spellings, testing::UnorderedElementsAre("<s>", "</s>", "<a>", "<b>"));
  EXPECT_FALSE(parse_special_tokens_map("[]").has_value());
}

}  // namespace
}  // namespace lacuna::engine
