// Files that break the format: a table of one fault each, and random mutations of a good one.
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "engine/checkpoint/safetensors.h"
#include "tests/helpers/safetensors_writer.h"
#include "tests/helpers/tiny_model.h"

namespace lacuna::engine {
namespace {

using test::bytes_of;
using test::safetensors_file;

void check_refused(const std::string& bytes, std::string_view message_part) {
  const auto file = SafetensorsFile::parse(bytes_of(bytes));
  ASSERT_FALSE(file.has_value()) << bytes;
  EXPECT_EQ(file.error().code, ErrorCode::Corrupt);
  EXPECT_NE(file.error().message.find(message_part), std::string::npos)
      << file.error().message << "\nlacks: " << message_part;
  EXPECT_LT(file.error().message.size(), 600U);
}

// One tensor "t" of eight bytes of data, with the given fields.
std::string one_tensor(const std::string& fields) {
  return safetensors_file("{\"t\":{" + fields + "}}", "12345678");
}

TEST(SafetensorsHostileTest, RefusesABrokenEnvelope) {
  const std::string max_length(8, '\xFF');
  check_refused("", "has 0 bytes");
  check_refused("1234567", "has 7 bytes");
  check_refused(std::string(8, '\0'), "does not start with '{'");
  check_refused(max_length + "{}", "the header claims 18446744073709551615 bytes; the limit is");
  check_refused(std::string("\x01\xE1\xF5\x05\0\0\0\0", 8) + "{}", "claims 100000001 bytes");
  check_refused(std::string("\x03\0\0\0\0\0\0\0", 8) + "{}", "the file has only 2 after it");
  check_refused(safetensors_file(" {}", ""), "does not start with '{'");
  check_refused(safetensors_file("[]", ""), "does not start with '{'");
  check_refused(safetensors_file("{", ""), "invalid JSON");
  check_refused(safetensors_file("{}x", ""), "invalid JSON");
  check_refused(safetensors_file(std::string_view("{}\0\0", 4), ""), "invalid JSON");
  check_refused(safetensors_file("{\"\xFF\": 1}", ""), "invalid JSON");
  check_refused(safetensors_file("{}", "1"), "1 bytes after the last tensor");
}

TEST(SafetensorsHostileTest, RefusesAHeaderThatWouldCostTooMuch) {
  std::string deep = "{\"a\":";
  for (int i = 0; i < 100'000; ++i) deep += "[";
  check_refused(safetensors_file(deep, ""), "nested deeper");
  std::string wide = "{\"a\":[0";
  for (int i = 0; i < 1'000'000; ++i) wide += ",0";
  check_refused(safetensors_file(wide + "]}", ""), "JSON values");
}

TEST(SafetensorsHostileTest, RefusesABrokenEntry) {
  const struct {
    const char* fields;
    const char* message_part;
  } cases[] = {
      {R"("shape":[2],"data_offsets":[0,8])", "'t' has no dtype"},
      {R"("dtype":7,"shape":[2],"data_offsets":[0,8])", "'t' has no dtype"},
      {R"("dtype":"f32","shape":[2],"data_offsets":[0,8])", "unknown dtype 'f32'"},
      {R"("dtype":"F32","data_offsets":[0,8])", "no shape"},
      {R"("dtype":"F32","shape":2,"data_offsets":[0,8])", "no shape"},
      {R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])", "no shape of non-negative"},
      {R"("dtype":"F32","shape":[2.0],"data_offsets":[0,8])", "no shape"},
      {R"("dtype":"F32","shape":["2"],"data_offsets":[0,8])", "no shape"},
      {R"("dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8])", "no shape"},
      {R"("dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,8])", "no shape"},
      {R"("dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,8])", "no file can hold"},
      {R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8])",
       "[4294967296, 4294967296], which no file can hold"},
      // 2^64 elements wrap around to 0 or to the right size if nobody looks.
      {R"("dtype":"F32","shape":[4611686018427387904,4,0],"data_offsets":[0,0])", "no file"},
      {R"("dtype":"F4","shape":[3],"data_offsets":[0,2])", "no file can hold"},
      {R"("dtype":"F32","shape":[2])", "no data_offsets"},
      {R"("dtype":"F32","shape":[2],"data_offsets":[0])", "no data_offsets of two"},
      {R"("dtype":"F32","shape":[2],"data_offsets":[0,8,8])", "no data_offsets of two"},
      {R"("dtype":"F32","shape":[2],"data_offsets":[-8,0])", "no data_offsets of two"},
      {R"("dtype":"F32","shape":[2],"data_offsets":[0,8.0])", "no data_offsets of two"},
      {R"("dtype":"F32","shape":[2],"data_offsets":[8,0])", "data_offsets [8, 0], the data has 8"},
      {R"("dtype":"F32","shape":[2],"data_offsets":[4,12])", "data_offsets [4, 12]"},
      {R"("dtype":"F32","shape":[2],"data_offsets":[9223372036854775800,9223372036854775807])",
       "the data has 8 bytes"},
      {R"("dtype":"F32","shape":[1],"data_offsets":[0,8])", "has 8 bytes; F32 [1] needs 4"},
      {R"("dtype":"F32","shape":[3],"data_offsets":[0,8])", "has 8 bytes; F32 [3] needs 12"},
      {R"("dtype":"F32","shape":[1],"data_offsets":[0,4])", "4 bytes after the last tensor"},
      {R"("dtype":"F32","shape":[1],"data_offsets":[4,8])", "leaves a hole"},
      {R"("dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8])", "'dtype' appears twice"},
  };
  for (const auto& [fields, message_part] : cases) check_refused(one_tensor(fields), message_part);
  check_refused(safetensors_file(R"({"t": 1})", ""), "'t' is not described by a JSON object");
}

TEST(SafetensorsHostileTest, RefusesTensorsThatDoNotTileTheData) {
  const auto two = [](const std::string& a, const std::string& b) {
    return safetensors_file(
        R"({"a":{"dtype":"U8","shape":)" + a + R"(},"b":{"dtype":"U8","shape":)" + b + "}}",
        "12345678");
  };
  check_refused(two(R"([5],"data_offsets":[0,5])", R"([4],"data_offsets":[4,8])"),
                "'b' overlaps another tensor");
  check_refused(two(R"([8],"data_offsets":[0,8])", R"([8],"data_offsets":[0,8])"), "overlaps");
  check_refused(two(R"([8],"data_offsets":[0,8])", R"([0],"data_offsets":[3,3])"), "overlaps");
  check_refused(two(R"([3],"data_offsets":[0,3])", R"([4],"data_offsets":[4,8])"),
                "'b' leaves a hole in the data before it");
  const std::string twice = R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]})";
  check_refused(safetensors_file("{" + twice + "," + twice + "}", "1234"), "'a' appears twice");
}

TEST(SafetensorsHostileTest, RefusesMetadataThatIsNoMapOfStrings) {
  for (const char* metadata : {"1", "[]", "\"x\"", R"({"a": 1})", R"({"a": {"b": "c"}})"}) {
    check_refused(safetensors_file(std::string("{\"__metadata__\":") + metadata + "}", ""),
                  "__metadata__");
  }
  check_refused(safetensors_file(R"({"__metadata__":{"a":"1","a":"2"}})", ""), "appears twice");
}

TEST(SafetensorsHostileTest, ANameCannotFloodOrPaintTheMessage) {
  const std::string name = "\\u001b[2J" + std::string(100'000, 'n');
  check_refused(safetensors_file("{\"" + name + "\": 1}", ""), "'?[2Jnnn");
}

TEST(SafetensorsHostileTest, RefusesEveryTruncation) {
  const std::string whole = test::safetensors_bytes(test::make_tiny_model({.layers = 1}).tensors);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto bytes = bytes_of(whole).first(length);
    ASSERT_FALSE(SafetensorsFile::parse(bytes).has_value()) << length;
  }
}

// What a reader may rely on for any bytes that parse() accepts.
void check_views(const SafetensorsFile& file, std::span<const std::byte> bytes) {
  std::size_t total = 0;
  for (const SafetensorsEntry& entry : file.entries()) {
    ASSERT_GE(entry.data.data(), bytes.data());
    ASSERT_LE(entry.data.data() + entry.data.size(), bytes.data() + bytes.size());
    total += entry.data.size();
    if (!entry.type) continue;
    std::size_t product = kernels::size_of(*entry.type);
    for (const std::int64_t extent : entry.shape) product *= static_cast<std::size_t>(extent);
    ASSERT_EQ(product, entry.data.size());
  }
  ASSERT_LT(total, bytes.size());
}

// Small edits that keep most of the header intact, so that many mutants get far.
void mutate(std::string& bytes, std::mt19937& random) {
  const auto below = [&](std::size_t n) { return random() % n; };
  constexpr std::string_view kTokens[] = {
      "0", "1", "9",  "-",   ",",   "[",          "]",
      "{", "}", "\"", "F16", "F32", "4294967296", "99999999999999999999",
      ":", " "};
  const std::size_t at = below(bytes.size());
  switch (below(5)) {
    case 0:
      bytes[at] = static_cast<char>(random());
      break;
    case 1:
      bytes.erase(at, 1 + below(4));
      break;
    case 2:
      bytes.insert(at, kTokens[below(std::size(kTokens))]);
      break;
    case 3:
      bytes.replace(at, 1, kTokens[below(std::size(kTokens))]);
      break;
    default:
      bytes.resize(at + 1);
      break;
  }
  if (bytes.empty()) bytes = "x";
}

TEST(SafetensorsHostileTest, NoMutationGivesAViewOutsideTheBuffer) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const std::string good =
      test::safetensors_bytes({test::make_tensor("a", kernels::DType::F32, {2, 3}, values),
                               test::make_tensor("b", kernels::DType::BF16, {6}, values),
                               {"c", "I64", {1}, std::string(8, 'x')}},
                              {{"format", "pt"}});
  std::mt19937 random(20240601);
  int n_accepted = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes = good;
    for (auto n_edits = 1 + random() % 3; n_edits > 0; --n_edits) mutate(bytes, random);
    const auto file = SafetensorsFile::parse(bytes_of(bytes));
    if (!file) continue;
    ++n_accepted;
    ASSERT_NO_FATAL_FAILURE(check_views(*file, bytes_of(bytes))) << "round " << round;
  }
  EXPECT_GT(n_accepted, 500);  // otherwise the mutations test the JSON parser only
}

}  // namespace
}  // namespace lacuna::engine
