// What the protocols refuse, and how they read what has several forms.
#include "daemon/http/protocols.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lacuna::daemon::http {
namespace {

using nlohmann::json;
using Parse = Result<ParsedCompletion> (*)(const json&, const ServerFacts&);

std::string problem(Parse parse, const char* body) {
  const auto parsed = parse(json::parse(body), {});
  return parsed ? "" : parsed.error().message;
}

Completion parsed(Parse parse, const char* body) {
  auto result = parse(json::parse(body), {});
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result ? std::move(result->completion) : Completion();
}

TEST(InfillProtocolTest, WrongFieldsAreRefusedInTheWordsOfLlamaCpp) {
  const struct {
    const char* body;
    const char* message;
  } cases[] = {
      {R"({})", "\"input_prefix\" is required"},
      {R"({"input_prefix":""})", "\"input_suffix\" is required"},
      {R"({"input_prefix":1,"input_suffix":""})", "\"input_prefix\" must be a string"},
      {R"({"input_prefix":"","input_suffix":"","prompt":[1]})", "\"prompt\" must be a string"},
      {R"({"input_prefix":"","input_suffix":"","input_extra":"x"})",
       "\"input_extra\" must be an array of {\"filename\": string, \"text\": string}"},
      {R"({"input_prefix":"","input_suffix":"","input_extra":{"text":"x"}})",
       "\"input_extra\" must be an array of {\"filename\": string, \"text\": string}"},
      {R"({"input_prefix":"","input_suffix":"","input_extra":["x"]})",
       "\"input_extra\" must be an array of {\"filename\": string, \"text\": string}"},
      {R"({"input_prefix":"","input_suffix":"","input_extra":[{"filename":"x"}]})",
       "\"input_extra\" must be an array of {\"filename\": string, \"text\": string}"},
      {R"({"input_prefix":"","input_suffix":"","input_extra":[{"text":"x","filename":7}]})",
       "\"input_extra\" must be an array of {\"filename\": string, \"text\": string}"},
      {R"({"input_prefix":"","input_suffix":"","n_predict":"many"})",
       "\"n_predict\" must be a number"},
      {R"({"input_prefix":"","input_suffix":"","n_cmpl":0})",
       "Field 'n_cmpl': Value must be between 1 and 8"},
      {R"({"input_prefix":"","input_suffix":"","n_cmpl":9})",
       "Field 'n_cmpl': Value must be between 1 and 8"},
      {R"({"input_prefix":"","input_suffix":"","stop":[1]})",
       "\"stop\" must be a string or an array of strings"},
      {R"({"input_prefix":"","input_suffix":"","response_fields":7})",
       "\"response_fields\" must be a string or an array of strings"},
  };
  for (const auto& it : cases) EXPECT_EQ(problem(parse_infill, it.body), it.message) << it.body;
}

TEST(InfillProtocolTest, ThePromptIsTheEndOfThePrefix) {
  const Completion completion =
      parsed(parse_infill, R"({"input_prefix":"a\n","input_suffix":"b","prompt":"  c"})");
  EXPECT_EQ(completion.prefix, "a\n  c");
  EXPECT_EQ(completion.suffix, "b");
  EXPECT_LT(completion.max_tokens, 0);  // n_predict not given: no limit of the client's
}

TEST(InfillProtocolTest, TheTimeOfAChunkMayBeAnything) {
  const Completion completion = parsed(parse_infill, R"({"input_prefix":"","input_suffix":"",
      "input_extra":[{"text":"x","time":[1,2],"filename":"a"},{"text":"y","time":3},{"text":"z"}]})");
  ASSERT_EQ(completion.context.size(), 3U);
  EXPECT_EQ(completion.context[0].path, "a");
  EXPECT_EQ(completion.context[1].text, "y");
}

TEST(InfillProtocolTest, FieldsThatMeanNothingHereAreIgnored) {
  parsed(parse_infill, R"({"input_prefix":"","input_suffix":"","id_slot":"x","cache_prompt":7,
      "samplers":{},"lora":[{"id":0,"scale":0.5}],"top_k":null,"model":null,"grammar":""})");
}

TEST(OpenAiProtocolTest, WrongFieldsAreRefused) {
  EXPECT_EQ(problem(parse_openai, "{}"), "\"prompt\" is required");
  EXPECT_EQ(problem(parse_openai, R"({"prompt":["a","b"]})"),
            "\"prompt\" must be one string; several are several requests");
  EXPECT_EQ(problem(parse_openai, R"({"prompt":[1,2,3]})"),
            "\"prompt\" must be a string or an array of strings");
  EXPECT_EQ(problem(parse_openai, R"({"prompt":"a","suffix":1})"), "\"suffix\" must be a string");
  EXPECT_EQ(problem(parse_openai, R"({"prompt":"a","n":100})"), "\"n\" must be between 1 and 8");
  EXPECT_EQ(problem(parse_openai, R"({"prompt":"a","stream":"yes"})"),
            "\"stream\" must be true or false");
  EXPECT_EQ(problem(parse_openai, R"({"prompt":"a","stream_options":1})"),
            "\"stream_options\" must be an object");
}

TEST(OpenAiProtocolTest, ASuffixMakesThePromptAPrefixWhateverItHolds) {
  const Completion completion =
      parsed(parse_openai, R"({"prompt":["<fim_prefix>a<fim_suffix>b<fim_middle>"],"suffix":""})");
  EXPECT_EQ(completion.prefix, "<fim_prefix>a<fim_suffix>b<fim_middle>");
}

TEST(OpenAiProtocolTest, WithoutSuffixAndSentinelsTheTextGoesOn) {
  const Completion completion = parsed(parse_openai, R"({"prompt":"x = "})");
  EXPECT_EQ(completion.prefix, "x = ");
  EXPECT_EQ(completion.suffix, "");
  EXPECT_EQ(completion.max_tokens, 16);  // OpenAI's default
}

TEST(OllamaProtocolTest, StreamsUnlessToldNotTo) {
  EXPECT_TRUE(parsed(parse_ollama, R"({"model":"m","prompt":"x"})").stream);
  EXPECT_FALSE(parsed(parse_ollama, R"({"model":"m","prompt":"x","stream":false})").stream);
}

TEST(OllamaProtocolTest, ARequestWithoutTextWantsNoTokens) {
  EXPECT_EQ(parsed(parse_ollama, R"({"model":"m","keep_alive":0})").max_tokens, 0);
}

TEST(OllamaProtocolTest, WrongFieldsAreRefused) {
  EXPECT_EQ(problem(parse_ollama, R"({"prompt":1})"), "\"prompt\" must be a string");
  EXPECT_EQ(problem(parse_ollama, R"({"prompt":"x","options":[]})"),
            "\"options\" must be an object");
  EXPECT_EQ(problem(parse_ollama, R"({"prompt":"x","options":{"num_predict":"x"}})"),
            "\"num_predict\" must be a number");
}

TEST(TabbyProtocolTest, WrongFieldsAreRefused) {
  EXPECT_EQ(problem(parse_tabby, R"({"segments":1})"), "\"segments\" must be an object");
  EXPECT_EQ(problem(parse_tabby, R"({"segments":{}})"), "\"prefix\" is required");
  EXPECT_EQ(problem(parse_tabby, R"({"segments":{"prefix":"","declarations":[1]}})"),
            "\"declarations\" must be an array of objects");
}

TEST(ErrorTest, ErrorsHaveTheFormOfLlamaCpp) {
  EXPECT_EQ(llama_error(400, "x"),
            R"({"error":{"code":400,"message":"x","type":"invalid_request_error"}})");
  EXPECT_EQ(llama_error(503, "x"),
            R"({"error":{"code":503,"message":"x","type":"unavailable_error"}})");
}

}  // namespace
}  // namespace lacuna::daemon::http
