#include "daemon/http/json_fields.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lacuna::daemon::http {
namespace {

std::string problem(std::string_view body) {
  const auto parsed = parse_object(body);
  return parsed ? "" : parsed.error().message;
}

TEST(ParseObjectTest, HostileBodiesGetOneClearError) {
  const std::string deep = std::string(33, '[') + std::string(33, ']');
  std::string many = "{\"a\":[";
  for (int i = 0; i < 100'001; ++i) many += "1,";
  many += "1]}";
  const struct {
    std::string body;
    const char* part;
  } cases[] = {{"", "not JSON"},
               {"{", "not JSON"},
               {"[]", "must be a JSON object"},
               {"\"x\"", "must be a JSON object"},
               {"{\"a\":1}x", "not JSON"},
               {"{\"a\":\"\xff\"}", "UTF-8"},
               {"{\"a\":\"\\ud800\"}", "not JSON"},
               {"{\"a\":\"\x01\"}", "not JSON"},
               {"{\"a\":NaN}", "not JSON"},
               {"{\"a\":1e999}", "too large"},
               {"{\"a\":" + deep + "}", "nested too deeply"},
               {std::string(1'000'000, '['), "nested too deeply"},
               {many, "too many values"}};
  for (const auto& it : cases) {
    EXPECT_NE(problem(it.body).find(it.part), std::string::npos)
        << it.body.substr(0, 40) << ": " << problem(it.body);
  }
}

TEST(ParseObjectTest, BracketsInStringsAreNotDepth) {
  EXPECT_EQ(problem("{\"a\":\"" + std::string(1000, '[') + "\\\"" + std::string(1000, '{') + "\"}"),
            "");
}

TEST(JsonFieldsTest, FieldsThatAreMissingOrNullAreNotGiven) {
  const nlohmann::json object = {{"a", nullptr}};
  JsonFields fields(object);
  EXPECT_EQ(fields.text("a", "x"), "x");
  EXPECT_EQ(fields.whole("b", 7), 7);
  EXPECT_FALSE(fields.has("a"));
  EXPECT_TRUE(fields.check());
}

TEST(JsonFieldsTest, TheFirstWrongTypeIsNamed) {
  const nlohmann::json object = {{"a", 1}, {"b", "x"}, {"c", {1}}, {"d", {{"e", 1}}}};
  const struct {
    std::function<void(JsonFields&)> read;
    const char* message;
  } cases[] = {
      {[](JsonFields& f) {
         f.text("a");
         f.whole("b", 0);
       },
       "\"a\" must be a string"},
      {[](JsonFields& f) { f.whole("b", 0); }, "\"b\" must be a number"},
      {[](JsonFields& f) { f.flag("a", true); }, "\"a\" must be true or false"},
      {[](JsonFields& f) { f.texts("c", 9); }, "\"c\" must be a string or an array of strings"},
      {[](JsonFields& f) { f.object("c"); }, "\"c\" must be an object"},
      {[](JsonFields& f) { f.array("d"); }, "\"d\" must be an array"},
      {[](JsonFields& f) { f.required_text("z"); }, "\"z\" is required"}};
  for (const auto& it : cases) {
    JsonFields fields(object);
    it.read(fields);
    ASSERT_FALSE(fields.check());
    EXPECT_EQ(fields.check().error().message, it.message);
  }
}

TEST(JsonFieldsTest, NumbersOfAnySizeAndKindAreTaken) {
  const nlohmann::json object =
      nlohmann::json::parse(R"({"a":12.9,"b":-1,"c":1e300,"d":-1e300,"e":18446744073709551615})");
  JsonFields fields(object);
  EXPECT_EQ(fields.whole("a", 0), 12);
  EXPECT_EQ(fields.whole("b", 0), -1);
  EXPECT_GT(fields.whole("c", 0), 1'000'000'000'000);
  EXPECT_LT(fields.whole("d", 0), -1'000'000'000'000);
  EXPECT_GT(fields.whole("e", 0), 0);
  EXPECT_TRUE(fields.check());
}

TEST(CompactTest, JsonIsOneLineWithoutSpacesAndValidUtf8) {
  const nlohmann::ordered_json object = {{"content", "a\nb\xff"}, {"n", {1, 2}}};
  EXPECT_EQ(compact(object), "{\"content\":\"a\\nb\uFFFD\",\"n\":[1,2]}");
}

}  // namespace
}  // namespace lacuna::daemon::http
