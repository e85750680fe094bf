#include "engine/tokenizer/sentencepiece_tokenizer.h"

#include <filesystem>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/file.h"
#include "tests/engine/tokenizer/random_text.h"
#include "tests/engine/tokenizer/tiny_sentencepiece.h"

namespace lacuna::engine {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

std::unique_ptr<Tokenizer> must_make(const std::string& model, std::vector<AddedToken> added = {}) {
  auto tokenizer = make_sentencepiece_tokenizer(model, std::move(added));
  if (!tokenizer) {
    ADD_FAILURE() << tokenizer.error().message;
    std::abort();
  }
  return std::move(*tokenizer);
}

// The tiny model, and every one that the repository ships.
std::vector<std::pair<std::string, std::string>> all_models() {
  std::vector<std::pair<std::string, std::string>> models = {{"tiny", TinySentencePiece().build()}};
  std::error_code none_shipped;
  const fs::path folder = fs::path(LACUNA_SOURCE_DIR) / "models";
  for (const auto& entry : fs::recursive_directory_iterator(folder, none_shipped)) {
    if (entry.path().extension() != ".model") continue;
    models.emplace_back(entry.path().string(), *read_file(entry.path(), 1 << 24));
  }
  return models;
}

TEST(SentencePieceTest, EncodesWithTheModelsPieces) {
  const auto tokenizer = must_make(TinySentencePiece().build());
  EXPECT_THAT(tokenizer->encode("return self"), ElementsAre(268, 273, 270));
  EXPECT_THAT(tokenizer->encode("\n\t\t\t"), ElementsAre(3, 5, 4));
  EXPECT_THAT(tokenizer->encode("q"), ElementsAre(7 + 'q'));
  EXPECT_THAT(tokenizer->encode(""), ElementsAre());
}

TEST(SentencePieceTest, GivesTheBytesBack) {
  const std::vector<std::string> texts = {"",
                                          " ",
                                          "  x",
                                          "a  b   c ",
                                          "\tx\t\t\n",
                                          "a\r\nb\r",
                                          "\u2581",
                                          " \u2581 \u2581\u2581x",
                                          "caf\u00e9 \u4e2d\u6587 \U0001F468\u200D\U0001F469",
                                          std::string("a\0b", 3),
                                          "\uFFFD",
                                          "\xFF\xC3",
                                          "x\xE2\x96",
                                          "<mask><unk><0x0A>",
                                          "\u2585",
                                          "e\u0301",
                                          "\xE2\x96\x81\x81"};
  for (const auto& [name, model] : all_models()) {
    const auto tokenizer = must_make(model);
    for (const std::string& text : texts) {
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text) << name;
    }
    RandomText random(8);
    for (int i = 0; i < 2000; ++i) {
      const std::string text = random.bytes();
      ASSERT_EQ(tokenizer->decode(tokenizer->encode(text)), text)
          << name << ", seed 8, string " << i;
    }
  }
}

TEST(SentencePieceTest, TextNeverBecomesAControlToken) {
  for (const auto& [name, model] : all_models()) {
    const auto tokenizer = must_make(model);
    RandomText random(9);
    for (int i = 0; i < 2000; ++i) {
      const std::string text = random.bytes() + "<mask><pad><unk>" + random.bytes();
      for (const std::int32_t id : tokenizer->encode(text)) {
        ASSERT_FALSE(tokenizer->is_control(id)) << name << ", seed 9, string " << i;
      }
    }
  }
}

TEST(SentencePieceTest, TheSpaceSymbolInTextBecomesBytes) {
  const auto tokenizer = must_make(TinySentencePiece().build());
  EXPECT_THAT(tokenizer->encode(" \u2581"), ElementsAre(273, 7 + 0xE2, 7 + 0x96, 7 + 0x81));
}

TEST(SentencePieceTest, RecognisesControlTokensOnlyWhenAsked) {
  const auto tokenizer = must_make(TinySentencePiece().build());
  EXPECT_THAT(tokenizer->encode_with_control("<mask>re<pad>"), ElementsAre(1, 263, 2));
  EXPECT_THAT(tokenizer->encode_with_control("<unk>").size(), 5U);
  EXPECT_EQ(tokenizer->encode("<mask>").size(), 6U);
  EXPECT_THAT(tokenizer->encode("<user>"), ElementsAre(6));  // user-defined is text
}

TEST(SentencePieceTest, AddedTokensOfOtherFilesAreControlTokens) {
  const auto tokenizer =
      must_make(TinySentencePiece().build(), {{.content = "<user>", .id = 6},
                                              {.content = "<|im_end|>", .id = 400},
                                              {.content = "<mask>", .id = 1}});
  EXPECT_EQ(tokenizer->size(), 401);
  EXPECT_TRUE(tokenizer->is_control(6));
  EXPECT_TRUE(tokenizer->is_control(399));
  EXPECT_THAT(tokenizer->encode_with_control("<user><|im_end|>"), ElementsAre(6, 400));
  EXPECT_EQ(tokenizer->encode("<user>").size(), 6U);  // now bytes: text must not become it
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("<user>")), "<user>");
}

TEST(SentencePieceTest, AddedTokensMustFitTheModel) {
  const std::string model = TinySentencePiece().build();
  for (const AddedToken& token :
       {AddedToken{.content = "<other>", .id = 1}, AddedToken{.content = "<mask>", .id = 500},
        AddedToken{.content = "q", .id = 7 + 'q'}, AddedToken{.content = "re", .id = 500}}) {
    const auto tokenizer = make_sentencepiece_tokenizer(model, {token});
    ASSERT_FALSE(tokenizer.has_value()) << token.content;
    EXPECT_EQ(tokenizer.error().code, ErrorCode::Corrupt);
  }
}

TEST(SentencePieceTest, KnowsItsTokens) {
  const auto tokenizer = must_make(TinySentencePiece().build());
  EXPECT_EQ(tokenizer->size(), 289);
  EXPECT_EQ(tokenizer->find("<mask>"), 1);
  EXPECT_EQ(tokenizer->find("\n"), 3);
  EXPECT_EQ(tokenizer->find("a"), 285);      // the piece, not the byte
  EXPECT_EQ(tokenizer->find("q"), 7 + 'q');  // only the byte
  EXPECT_EQ(tokenizer->find(" return"), 269);
  EXPECT_EQ(tokenizer->find("nothing"), std::nullopt);
  EXPECT_TRUE(tokenizer->is_control(0));
  EXPECT_TRUE(tokenizer->is_control(-1));
  EXPECT_TRUE(tokenizer->is_control(289));
  EXPECT_FALSE(tokenizer->is_control(3));
}

TEST(SentencePieceTest, DecodesControlTokensOnlyWhenAsked) {
  const auto tokenizer = must_make(TinySentencePiece().build());
  const std::vector<std::int32_t> ids = {1, 269, 0, -5, 100000, 3};
  EXPECT_EQ(tokenizer->decode(ids), " return\n");
  EXPECT_EQ(tokenizer->decode(ids, {.control_tokens = true}), "<mask> return<unk>\n");
}

TEST(SentencePieceTest, ABlankBeforeTheTextIsAddedAndTakenOnce) {
  TinySentencePiece tiny;
  tiny.add_dummy_prefix = true;
  const auto tokenizer = must_make(tiny.build());
  EXPECT_THAT(tokenizer->encode("return"), ElementsAre(269));
  EXPECT_THAT(tokenizer->encode_with_control("<mask>return"), ElementsAre(1, 268));
  for (const char* text : {"return", " x", "\u2581x", "\xFFx", "a\u2581b", "  "}) {
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  }
}

TEST(SentencePieceTest, UnigramModelsWorkToo) {
  TinySentencePiece tiny;
  tiny.model_type = 1;
  const auto tokenizer = must_make(tiny.build());
  RandomText random(10);
  for (int i = 0; i < 500; ++i) {
    const std::string text = random.bytes();
    ASSERT_EQ(tokenizer->decode(tokenizer->encode(text)), text) << "seed 10, string " << i;
  }
}

TEST(SentencePieceTest, LongTextsGiveTheTokensOfTheirLines) {
  TinySentencePiece across_lines;  // a piece past a line end: the text is encoded in one go
  across_lines.pieces.push_back({"\nno such text", 1});
  const auto in_one_go = must_make(across_lines.build());
  const auto in_parts = must_make(TinySentencePiece().build());
  RandomText random(12);
  std::string text;
  for (int i = 0; i < 1000; ++i) text += random.bytes();
  EXPECT_EQ(in_parts->encode(text), in_one_go->encode(text)) << "seed 12";
}

struct BadModel {
  const char* what;  // of the message
  ErrorCode code;
  std::function<void(TinySentencePiece&)> spoil;
};

TEST(SentencePieceTest, RefusesModelsThatCannotGiveEveryTextBack) {
  const std::vector<BadModel> bad = {
      {"normalisation", ErrorCode::InvalidInput, [](auto& m) { m.character_map = "xxxx"; }},
      {"remove_extra", ErrorCode::InvalidInput, [](auto& m) { m.remove_extra_whitespaces = true; }},
      {"escape", ErrorCode::InvalidInput, [](auto& m) { m.escape_whitespaces = false; }},
      {"byte_fallback", ErrorCode::InvalidInput, [](auto& m) { m.byte_fallback = false; }},
      {"neither unigram", ErrorCode::InvalidInput, [](auto& m) { m.model_type = 3; }},
      {"all byte pieces", ErrorCode::InvalidInput, [](auto& m) { m.pieces[7].type = 1; }},
      {"piece for the space", ErrorCode::InvalidInput, [](auto& m) { m.pieces[273].text = "q"; }},
      {"not a byte", ErrorCode::Corrupt, [](auto& m) { m.pieces[7].text = "<0x0a>"; }},
      {"repeats", ErrorCode::Corrupt, [](auto& m) { m.pieces.push_back({"re", 1}); }},
      {"unknown piece", ErrorCode::Corrupt, [](auto& m) { m.pieces[0].type = 3; }},
      {"damaged", ErrorCode::Corrupt, [](auto& m) { m.pieces.push_back({"", 1}); }},
      {"damaged", ErrorCode::Corrupt, [](auto& m) { m.pieces.push_back({"x", 7}); }},
      {"damaged", ErrorCode::Corrupt, [](auto& m) { m.pieces.push_back({"\xFF", 1}); }},
      {"damaged", ErrorCode::Corrupt,
       [](auto& m) { m.pieces.push_back({std::string(5000, 'x'), 1}); }},
      {"damaged", ErrorCode::Corrupt,
       [](auto& m) { m.pieces.push_back({std::string("\0", 1), 4}); }},
      {"damaged", ErrorCode::Corrupt,
       [](auto& m) { m.pieces.push_back({std::string("a\0b", 3), 1}); }},
  };
  for (const BadModel& test : bad) {
    TinySentencePiece tiny;
    test.spoil(tiny);
    const auto tokenizer = make_sentencepiece_tokenizer(tiny.build(), {});
    ASSERT_FALSE(tokenizer.has_value()) << test.what;
    EXPECT_EQ(tokenizer.error().code, test.code) << test.what;
    EXPECT_THAT(tokenizer.error().message, HasSubstr(test.what));
  }
}

TEST(SentencePieceTest, DamagedFilesAreErrors) {
  const std::string model = TinySentencePiece().build();
  EXPECT_FALSE(make_sentencepiece_tokenizer("", {}).has_value());
  for (std::size_t size = 0; size < model.size(); size += 7) {
    EXPECT_FALSE(make_sentencepiece_tokenizer(model.substr(0, size), {}).has_value()) << size;
  }
  RandomText random(11);
  for (int i = 0; i < 2000; ++i) {  // any outcome but a crash
    std::string damaged = model;
    for (std::size_t n = 1 + random.below(4); n > 0; --n) {
      damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
    }
    const auto tokenizer = make_sentencepiece_tokenizer(damaged, {});
    if (!tokenizer) continue;
    const std::string text = random.bytes();
    EXPECT_EQ((*tokenizer)->decode((*tokenizer)->encode(text)), text) << "seed 11, round " << i;
  }
}

}  // namespace
}  // namespace lacuna::engine
