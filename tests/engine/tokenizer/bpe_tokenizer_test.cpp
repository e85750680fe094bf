#include "engine/tokenizer/bpe_tokenizer.h"

#include <map>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/tokenizer/unicode.h"
#include "tests/engine/tokenizer/random_text.h"
#include "tests/engine/tokenizer/tiny_tokenizer.h"

namespace lacuna::engine {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using Ids = std::vector<std::int32_t>;
using Merges = std::vector<std::pair<std::string, std::string>>;

const Merges kMerges = {{"a", "b"},      {"b", "c"},   {"ab", "c"},      {" ", " "}, {"  ", "  "},
                        {"r", "e"},      {"t", "u"},   {"re", "tu"},     {"r", "n"}, {"retu", "rn"},
                        {" ", "return"}, {"\n", "\n"}, {"\xC3", "\xA9"}, {"e", "l"}, {"el", "f"},
                        {"s", "elf"},    {"=", "="},   {"<", "|"},       {"|", ">"}, {"m", "a"},
                        {"s", "k"},      {"ma", "sk"}};
const std::vector<std::string> kAdded = {"<|mask|>", "<|endoftext|>", "<tool>", "<|mask|>>"};
constexpr std::int32_t kMask = 256 + 22;

nlohmann::json tiny_json() { return tiny_tokenizer_json(kMerges, kAdded); }

// The tokens as text, with "|" between.
std::string shown(const Tokenizer& tokenizer, const Ids& ids) {
  std::string text;
  for (const std::int32_t id : ids) {
    if (!text.empty()) text += '|';
    text += tokenizer.decode({&id, 1}, {.control_tokens = true});
  }
  return text;
}

TEST(BpeTokenizerTest, MergesInTheOrderOfTheList) {
  const auto tokenizer = must_load(tiny_json());
  EXPECT_EQ(shown(*tokenizer, tokenizer->encode("abc")), "abc");
  EXPECT_EQ(shown(*tokenizer, tokenizer->encode("xbcab")), "x|bc|ab");
  EXPECT_EQ(shown(*tokenizer, tokenizer->encode("abab")), "ab|ab");
  EXPECT_EQ(shown(*tokenizer, tokenizer->encode("     x")), "    | |x");  // four, then " x"
  EXPECT_EQ(shown(*tokenizer, tokenizer->encode("self == return")), "self| |==| return");
  EXPECT_TRUE(tokenizer->encode("").empty());
}

TEST(BpeTokenizerTest, AWordOfTheVocabularyIsNotAlwaysOneToken) {
  // "abcd" is made of "ab" and "cd", but "bc" comes first.
  nlohmann::json json = tiny_tokenizer_json({{"b", "c"}, {"a", "b"}, {"c", "d"}, {"ab", "cd"}});
  for (int twice = 0; twice < 2; ++twice) {
    EXPECT_EQ(shown(*must_load(json), must_load(json)->encode("abcd")), "a|bc|d");
  }
  const auto tokenizer = must_load(json);
  EXPECT_EQ(tokenizer->encode("abcd"), tokenizer->encode("abcd"));  // the second is remembered
  json["model"]["ignore_merges"] = true;
  EXPECT_EQ(shown(*must_load(json), must_load(json)->encode("abcd")), "abcd");
}

// The definition, word by word: join the leftmost pair of lowest rank until there is none.
Ids reference_merge(const nlohmann::json& json, const std::string& word) {
  std::map<std::pair<std::string, std::string>, std::size_t> ranks;
  for (const auto& merge : json["model"]["merges"]) {
    const auto line = merge.get<std::string>();
    const std::size_t space = line.find(' ');
    ranks.emplace(std::pair(line.substr(0, space), line.substr(space + 1)), ranks.size());
  }
  std::vector<std::string> symbols;
  for (const char byte : word) symbols.push_back(piece_of_bytes(std::string(1, byte)));
  while (true) {
    std::size_t best = ranks.size();
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto rank = ranks.find({symbols[i], symbols[i + 1]});
      if (rank == ranks.end() || rank->second >= best) continue;
      best = rank->second;
      at = i;
    }
    if (best == ranks.size()) break;
    symbols[at] += symbols[at + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
  Ids ids;
  for (const auto& symbol : symbols) ids.push_back(json["model"]["vocab"][symbol]);
  return ids;
}

TEST(BpeTokenizerTest, ShortAndLongWordsMergeByTheDefinition) {
  RandomText random(3);
  for (int round = 0; round < 60; ++round) {
    Merges merges;
    std::vector<std::string> known = {"a", "b", "c"};
    for (std::size_t n = random.below(20); n > 0; --n) {
      const auto merge =
          std::pair(known[random.below(known.size())], known[random.below(known.size())]);
      if (std::find(merges.begin(), merges.end(), merge) != merges.end()) continue;
      merges.push_back(merge);
      known.push_back(merge.first + merge.second);
    }
    const nlohmann::json json = tiny_tokenizer_json(merges);
    const auto tokenizer = must_load(json);
    for (const std::size_t length : {1, 2, 3, 7, 20, 47, 48, 49, 50, 150}) {
      std::string word;
      for (std::size_t i = 0; i < length; ++i) word += static_cast<char>('a' + random.below(3));
      ASSERT_EQ(tokenizer->encode(word), reference_merge(json, word))
          << "seed 3, round " << round << ", word " << word;
    }
  }
}

TEST(BpeTokenizerTest, TextNeverBecomesAControlToken) {
  const auto tokenizer = must_load(tiny_json());
  EXPECT_EQ(shown(*tokenizer, tokenizer->encode("<|mask|>")), "<||mask||>");
  RandomText random(4);
  for (int i = 0; i < 5000; ++i) {
    for (const std::int32_t id : tokenizer->encode(random.bytes())) {
      ASSERT_FALSE(tokenizer->is_control(id)) << "seed 4, string " << i;
    }
  }
}

TEST(BpeTokenizerTest, MergesThatMakeAnAddedTokenAreLeftOut) {
  nlohmann::json json = tiny_tokenizer_json({{"a", "b"}, {"ab", "c"}, {"abc", "d"}});
  json["added_tokens"] = {{{"id", 257}, {"content", "abc"}}};  // an id of the vocabulary
  const auto tokenizer = must_load(json);
  EXPECT_EQ(shown(*tokenizer, tokenizer->encode("abcd")), "ab|c|d");
  EXPECT_THAT(tokenizer->encode_with_control("abcd"), ElementsAre(257, 'd'));
  json["model"]["ignore_merges"] = true;
  EXPECT_EQ(shown(*tokenizer, must_load(json)->encode("abc")), "ab|c");
}

TEST(BpeTokenizerTest, GivesTheBytesBack) {
  nlohmann::json json = tiny_json();
  json["normalizer"] = nullptr;
  const auto plain = must_load(json);
  const auto normalizing = must_load(tiny_json());
  RandomText random(5);
  for (int i = 0; i < 5000; ++i) {
    const std::string bytes = random.bytes();
    ASSERT_EQ(plain->decode(plain->encode(bytes)), bytes) << "seed 5, string " << i;
    const std::string text = random.valid();
    std::string buffer;
    ASSERT_EQ(normalizing->decode(normalizing->encode(text)), to_nfc(text, buffer))
        << "seed 5, string " << i;
  }
}

TEST(BpeTokenizerTest, EveryByteThatIsNotUtf8IsATokenOfItsOwn) {
  const auto tokenizer = must_load(tiny_json());
  EXPECT_THAT(tokenizer->encode("ab\xC3\xA9\xC3"), ElementsAre(256, 268, 0xC3));
  EXPECT_THAT(tokenizer->encode("\xFF\xED\xA0\x80"), ElementsAre(0xFF, 0xED, 0xA0, 0x80));
  EXPECT_THAT(tokenizer->encode("\xC3\xC3\xA9"), ElementsAre(0xC3, 268));
}

TEST(BpeTokenizerTest, NormalisesToNfcOnlyWhenTheFileSaysSo) {
  nlohmann::json json = tiny_json();
  EXPECT_THAT(must_load(json)->encode("e\u0301"), ElementsAre(268));
  json["normalizer"] = nullptr;
  EXPECT_THAT(must_load(json)->encode("e\u0301"), ElementsAre('e', 0xCC, 0x81));
}

TEST(BpeTokenizerTest, RecognisesTheLongestControlToken) {
  const auto tokenizer = must_load(tiny_json());
  EXPECT_EQ(shown(*tokenizer, tokenizer->encode_with_control("a<|mask|>>b<|mask|><|mask|x")),
            "a|<|mask|>>|b|<|mask|>|<||mask|||x");
  EXPECT_THAT(tokenizer->encode_with_control("<|mask|>"), ElementsAre(kMask));
  EXPECT_THAT(tokenizer->encode_with_control(""), ElementsAre());
}

TEST(BpeTokenizerTest, HonoursTheFlagsOfAddedTokens) {
  nlohmann::json json = tiny_tokenizer_json({}, {"<l>", "<r>", "<w>", "<\u00e9>"});
  json["added_tokens"][0]["lstrip"] = true;
  json["added_tokens"][1]["rstrip"] = true;
  json["added_tokens"][2]["single_word"] = true;
  json["added_tokens"][3]["normalized"] = true;
  const auto tokenizer = must_load(json);
  const auto check = [&](const char* text, const char* expected) {
    EXPECT_EQ(shown(*tokenizer, tokenizer->encode_with_control(text)), expected) << text;
  };
  check("a \t<l> b", "a|<l>| |b");
  check("a <r>\u3000\n b", "a| |<r>|b");
  check("<r> <l>x", "<r>|<l>|x");
  check("<w> x<w> <w>1 \u00e9<w>", "<w>| |x|<|w|>| |<|w|>|1| |\xC3|\xA9|<|w|>");
  check("<e\u0301>", "<\u00e9>");
}

TEST(BpeTokenizerTest, DecodesControlTokensOnlyWhenAsked) {
  const auto tokenizer = must_load(tiny_json());
  const Ids ids = {256, kMask, 256, -1, 1 << 30, tokenizer->size()};
  EXPECT_EQ(tokenizer->decode(ids), "abab");
  EXPECT_EQ(tokenizer->decode(ids, {.control_tokens = true}), "ab<|mask|>ab");
}

TEST(BpeTokenizerTest, KnowsItsTokens) {
  nlohmann::json json = tiny_json();
  json["added_tokens"].push_back({{"id", 1000}, {"content", "<far>"}});
  const auto tokenizer = must_load(json);
  EXPECT_EQ(tokenizer->size(), 1001);
  EXPECT_EQ(tokenizer->find("<|mask|>"), kMask);
  EXPECT_EQ(tokenizer->find("\u00e9"), 268);
  EXPECT_EQ(tokenizer->find("\n\n"), 267);
  EXPECT_EQ(tokenizer->find("nothing"), std::nullopt);
  EXPECT_FALSE(tokenizer->is_control('a'));
  for (const std::int32_t id : {kMask, 1000, 999, 1001, -1, INT32_MAX, INT32_MIN}) {
    EXPECT_TRUE(tokenizer->is_control(id)) << id;
  }
}

TEST(BpeTokenizerTest, ALineEndSeparatesWhatFollows) {
  // After a line end, and before anything but a space or a mark, the split cuts in any case.
  const auto tokenizer = must_load(tiny_json());
  RandomText random(6);
  for (int i = 0; i < 3000; ++i) {
    const std::string before = random.bytes() + "\n";
    const std::string after = "x" + random.bytes();
    Ids parts = tokenizer->encode(before);
    const Ids more = tokenizer->encode(after);
    parts.insert(parts.end(), more.begin(), more.end());
    ASSERT_EQ(tokenizer->encode(before + after), parts) << "seed 6, string " << i;
  }
}

TEST(BpeTokenizerTest, DecodingConcatenates) {
  const auto tokenizer = must_load(tiny_json());
  RandomText random(7);
  for (int i = 0; i < 500; ++i) {
    Ids ids;
    for (std::size_t n = random.below(20); n > 0; --n) {
      ids.push_back(static_cast<std::int32_t>(random.below(300)));
    }
    const std::size_t cut = random.below(ids.size() + 1);
    const std::span<const std::int32_t> all = ids;
    ASSERT_EQ(tokenizer->decode(all.first(cut)) + tokenizer->decode(all.subspan(cut)),
              tokenizer->decode(all));
  }
}

TEST(BpeTokenizerTest, AMegabyteWithoutABlankIsNotQuadratic) {
  const auto tokenizer = must_load(tiny_json());
  for (const char* part : {"abc", " ", "\n", "x", "\u0301", "=", "return"}) {
    std::string text;
    while (text.size() < 1 << 20) text += part;
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)).size(), text.size());
  }
}

TEST(BpeTokenizerTest, ThreadsEncodeAtTheSameTime) {
  const auto tokenizer = must_load(tiny_json());
  const std::string text = "return self == abc <|mask|> caf\u00e9\n    return abcabc";
  const Ids expected = must_load(tiny_json())->encode(text);
  std::vector<std::thread> threads;
  std::vector<Ids> results(4);
  for (Ids& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) result = tokenizer->encode(text);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Ids& result : results) EXPECT_EQ(result, expected);
}

}  // namespace
}  // namespace lacuna::engine
