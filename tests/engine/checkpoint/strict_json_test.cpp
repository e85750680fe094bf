#include "engine/checkpoint/strict_json.h"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lacuna::engine {
namespace {

using nlohmann::json;

TEST(StrictJsonTest, ReadsWhatTheLibraryReads) {
  for (const char* text :
       {"null", "true", "-1", "18446744073709551615", "1.5e3", R"("a\u00e9\n")", "[]", "{}",
        R"({"a": [1, [2, {"b": null}], []], "c": {"a": {}}, "": "x"})", " \t\r\n[1]\n "}) {
    const auto value = parse_strict_json(text);
    ASSERT_TRUE(value.has_value()) << text;
    EXPECT_EQ(*value, json::parse(text)) << text;
  }
}

TEST(StrictJsonTest, RefusesWhatIsNotJson) {
  for (const char* text :
       {"", " ", "{", "[1,", "[1,]", "{\"a\":}", "{\"a\" 1}", "{a: 1}", "nul", "[1] 2", "'a'",
        "NaN", "[Infinity]", "// x\n1", "\"\xFF\"", "01", "1e999", "\"a\nb\"", R"("\ud800")"}) {
    const auto value = parse_strict_json(text);
    ASSERT_FALSE(value.has_value()) << text;
    EXPECT_EQ(value.error().code, ErrorCode::Corrupt);
    EXPECT_TRUE(value.error().message.starts_with("invalid JSON near byte")) << text;
  }
}

TEST(StrictJsonTest, RefusesAKeyThatAppearsTwice) {
  const auto value = parse_strict_json(R"({"a": {"b": 1, "c": 2, "\u0062": 3}})");
  ASSERT_FALSE(value.has_value());
  EXPECT_EQ(value.error().message, "the key 'b' appears twice");
  EXPECT_TRUE(parse_strict_json(R"([{"a": {"a": 1}}, {"a": 2}])").has_value());
}

TEST(StrictJsonTest, RefusesTextAfterANulByte) {
  EXPECT_FALSE(parse_strict_json(std::string_view("{}\0{}", 5)).has_value());
  EXPECT_FALSE(parse_strict_json(std::string_view("{}\0", 3)).has_value());
}

TEST(StrictJsonTest, HoldsToTheLimitOfDepth) {
  EXPECT_TRUE(parse_strict_json("[[{}]]", {.max_depth = 3}).has_value());
  const auto value = parse_strict_json("[[{\"a\":[]}]]", {.max_depth = 3});
  ASSERT_FALSE(value.has_value());
  EXPECT_EQ(value.error().message, "JSON nested deeper than 3 levels");
  EXPECT_FALSE(parse_strict_json(std::string(10'000'000, '[')).has_value());
}

TEST(StrictJsonTest, HoldsToTheLimitOfValues) {
  EXPECT_TRUE(parse_strict_json("[1, {\"a\": []}]", {.max_values = 4}).has_value());
  for (const char* text : {"[1, {\"a\": []}, 2]", "[1, {\"a\": []}, []]"}) {
    const auto value = parse_strict_json(text, {.max_values = 4});
    ASSERT_FALSE(value.has_value());
    EXPECT_EQ(value.error().message, "more than 4 JSON values");
  }
}

}  // namespace
}  // namespace lacuna::engine
