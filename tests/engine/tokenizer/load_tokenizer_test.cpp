#include <filesystem>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/tokenizer/tokenizer.h"
#include "support/file.h"
#include "tests/engine/tokenizer/tiny_sentencepiece.h"
#include "tests/engine/tokenizer/tiny_tokenizer.h"

namespace lacuna::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

class LoadTokenizerTest : public testing::Test {
 protected:
  LoadTokenizerTest() {
    std::string name = (fs::temp_directory_path() / "lacuna_tokenizer_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~LoadTokenizerTest() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& content) {
    ASSERT_TRUE(write_file(folder_ / name, content).has_value());
  }

  std::unique_ptr<Tokenizer> load() {
    auto tokenizer = load_tokenizer(folder_);
    if (!tokenizer) {
      ADD_FAILURE() << tokenizer.error().message;
      std::abort();
    }
    return std::move(*tokenizer);
  }

  void check_error(ErrorCode code, const char* what) {
    const auto tokenizer = load_tokenizer(folder_);
    ASSERT_FALSE(tokenizer.has_value()) << what;
    EXPECT_EQ(tokenizer.error().code, code) << tokenizer.error().message;
    EXPECT_THAT(tokenizer.error().message, HasSubstr(what));
  }

  fs::path folder_;
};

const json kTiny = tiny_tokenizer_json({{"a", "b"}, {"ab", "c"}}, {"<x>"});

TEST_F(LoadTokenizerTest, FindsNothingInAnEmptyOrMissingFolder) {
  check_error(ErrorCode::NotFound, "expected tokenizer.json");
  EXPECT_EQ(load_tokenizer(folder_ / "missing").error().code, ErrorCode::NotFound);
  write("vocab.json", "{}");  // without merges.txt it is nothing
  check_error(ErrorCode::NotFound, "no tokenizer");
}

TEST_F(LoadTokenizerTest, PrefersTokenizerJson) {
  write("tokenizer.json", kTiny.dump());
  write("vocab.json", "damaged");
  write("merges.txt", "damaged");
  write("tokenizer.model", "damaged");
  EXPECT_THAT(load()->encode("abc"), ElementsAre(257));
}

TEST_F(LoadTokenizerTest, AddsTheTokensOfTheOtherFiles) {
  write("tokenizer.json", kTiny.dump());
  write("tokenizer_config.json",
        R"({"added_tokens_decoder": {"258": {"content": "<x>"}, "300": {"content": "<|mask|>"}}})");
  write("added_tokens.json", R"({"<|mask|>": 300, "<|im_end|>": 301})");
  const auto tokenizer = load();
  EXPECT_EQ(tokenizer->size(), 302);
  EXPECT_EQ(tokenizer->find("<|mask|>"), 300);
  EXPECT_TRUE(tokenizer->is_control(259));
  EXPECT_THAT(tokenizer->encode_with_control("<x><|mask|><|im_end|>"), ElementsAre(258, 300, 301));
}

TEST_F(LoadTokenizerTest, RefusesContradictions) {
  write("tokenizer.json", kTiny.dump());
  write("added_tokens.json", R"({"<x>": 299})");
  check_error(ErrorCode::Corrupt, "added token '<x>' has the id 299 here and 258 elsewhere");
  write("added_tokens.json", R"({"<y>": 97})");
  check_error(ErrorCode::Corrupt, "added token '<y>' with id 97 has the id of another token");
  write("added_tokens.json", "damaged");
  check_error(ErrorCode::Corrupt, "added_tokens.json: not JSON");
  write("added_tokens.json", "");  // an empty file is as good as none
  EXPECT_EQ(load()->size(), 259);
}

TEST_F(LoadTokenizerTest, ReadsVocabAndMerges) {
  json vocab = kTiny["model"]["vocab"];
  vocab["<|endoftext|>"] = 258;
  write("vocab.json", vocab.dump());
  write("merges.txt", "#version: 0.2\na b\nab c\n");
  write("special_tokens_map.json", R"({"eos_token": "<|endoftext|>", "pad_token": "<none>"})");
  write("tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer"})");
  const auto tokenizer = load();
  EXPECT_THAT(tokenizer->encode("abc"), ElementsAre(257));
  EXPECT_TRUE(tokenizer->is_control(258));
  EXPECT_THAT(tokenizer->encode_with_control("<|endoftext|>"), ElementsAre(258));
  EXPECT_EQ(tokenizer->find("<none>"), std::nullopt);
}

TEST_F(LoadTokenizerTest, ReadsSentencePiece) {
  write("anything.model", TinySentencePiece().build());
  write("added_tokens.json", R"({"<|im_end|>": 400})");
  EXPECT_EQ(load()->find("<|im_end|>"), 400);
  write("other.model", TinySentencePiece().build());
  check_error(ErrorCode::NotFound, "several *.model files");
  fs::remove(folder_ / "other.model");
  write("anything.model", "damaged");
  check_error(ErrorCode::Corrupt, "SentencePiece model");
}

TEST_F(LoadTokenizerTest, NamesTheFolderInErrors) {
  write("tokenizer.json", "{}");
  check_error(ErrorCode::Corrupt, folder_.c_str());
  fs::remove(folder_ / "tokenizer.json");
  fs::create_directory(folder_ / "tokenizer.json");
  check_error(ErrorCode::InvalidInput, "not a regular file");
}

}  // namespace
}  // namespace lacuna::engine
