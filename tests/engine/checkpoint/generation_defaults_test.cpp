#include "engine/checkpoint/generation_defaults.h"

#include <string>

#include <gtest/gtest.h>

namespace lacuna::engine {
namespace {

TEST(GenerationDefaultsTest, ReadsTheFileThatDreamShips) {
  const auto defaults = parse_generation_defaults(R"({
    "alg": "origin", "alg_temp": null, "bos_token_id": 151643, "eos_token_id": 151643,
    "eps": 0.001, "mask_token_id": null, "output_history": false, "pad_token_id": 151643,
    "return_dict_in_generate": false, "steps": 512, "temperature": 0.0, "top_k": null,
    "top_p": null, "transformers_version": "4.46.2"})");
  ASSERT_TRUE(defaults.has_value()) << defaults.error().message;
  EXPECT_EQ(defaults->steps, 512);
  EXPECT_EQ(defaults->alg, "origin");
  EXPECT_EQ(defaults->eps, 0.001);
  EXPECT_EQ(defaults->temperature, 0.0);
  EXPECT_FALSE(defaults->alg_temp || defaults->top_k || defaults->top_p || defaults->mask_token);
  EXPECT_FALSE(defaults->max_new_tokens);
}

TEST(GenerationDefaultsTest, ReadsEveryKeyItKnows) {
  const auto defaults = parse_generation_defaults(R"({
    "steps": 1, "max_new_tokens": 2, "temperature": 0.2, "top_p": 0.95, "top_k": 50,
    "alg": "entropy", "alg_temp": 0.1, "eps": 1e-4, "number_transfer_tokens": 3,
    "expand_budget": 0, "mask_token_id": 151666, "expand_token_id": [151667]})");
  ASSERT_TRUE(defaults.has_value()) << defaults.error().message;
  EXPECT_EQ(defaults->max_new_tokens, 2);
  EXPECT_EQ(defaults->temperature, 0.2);
  EXPECT_EQ(defaults->top_p, 0.95);
  EXPECT_EQ(defaults->top_k, 50);
  EXPECT_EQ(defaults->alg_temp, 0.1);
  EXPECT_EQ(defaults->eps, 1e-4);
  EXPECT_EQ(defaults->number_transfer_tokens, 3);
  EXPECT_EQ(defaults->expand_budget, 0);
  EXPECT_EQ(defaults->mask_token, 151666);
  EXPECT_EQ(defaults->expand_token, 151667);
}

TEST(GenerationDefaultsTest, TreatsSwitchedOffTopKAsUnset) {
  for (const char* text : {R"({"top_k": 0})", R"({"top_k": -1})", "{}"}) {
    const auto defaults = parse_generation_defaults(text);
    ASSERT_TRUE(defaults.has_value());
    EXPECT_FALSE(defaults->top_k) << text;
  }
}

TEST(GenerationDefaultsTest, NamesTheKeyAndTheValueThatAreWrong) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {R"({"steps": 0})", "steps is 0; it must be an integer from 1 to 16777216"},
      {R"({"steps": 1.5})", "steps is 1.5; it must be an integer from 1 to 16777216"},
      {R"({"temperature": -0.1})", "temperature is -0.1; it must be a number from 0 to 100"},
      {R"({"temperature": "0"})", "temperature is '0'; it must be a number from 0 to 100"},
      {R"({"top_p": 1.01})", "top_p is 1.01; it must be a number from 0 to 1"},
      {R"({"top_k": -2})", "top_k is -2; it must be an integer from -1 to 16777216"},
      {R"({"alg": 1})", "alg is 1; it must be a string"},
      {R"({"eps": 2})", "eps is 2; it must be a number from 0 to 1"},
      {R"({"eps": []})", "eps is a list; it must be a number from 0 to 1"},
      {R"({"max_new_tokens": 1e9})",
       "max_new_tokens is 1000000000.0; it must be an integer "
       "from 1 to 16777216"},
      {R"({"mask_token_id": -1})", "mask_token_id is -1; token ids go from 0 to 2147483646"},
      {"[]", "it is not a JSON object"},
      {"{", "invalid JSON near byte 2"},
  };
  for (const auto& [text, message] : cases) {
    const auto defaults = parse_generation_defaults(text);
    ASSERT_FALSE(defaults.has_value()) << text;
    EXPECT_EQ(defaults.error().code, ErrorCode::Corrupt);
    EXPECT_EQ(defaults.error().message, message);
  }
}

}  // namespace
}  // namespace lacuna::engine
