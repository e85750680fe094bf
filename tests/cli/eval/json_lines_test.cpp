#include "cli/eval/json_lines.h"

#include <fstream>
#include <zlib.h>

#include <gtest/gtest.h>

#include "tests/helpers/temporary_folder.h"

namespace lacuna::cli {
namespace {

class JsonLines : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& content) {
    const std::string path = (folder_.path() / name).string();
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  std::string compress(const std::string& name, const std::string& content) {
    const std::string path = (folder_.path() / name).string();
    gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
    gzclose(file);
    return path;
  }
  std::string error_of(const std::string& path) {
    const auto lines = read_json_lines(path);
    EXPECT_FALSE(lines.has_value());
    return lines ? "" : lines.error().message;
  }

  test::TemporaryFolder folder_;
};

TEST_F(JsonLines, AreReadPlainAndCompressed) {
  const std::string content = "{\"a\": 1}\r\n\n  \n{\"a\": \"\xC3\xA9\"}";
  for (const std::string& path : {write("a.jsonl", content), compress("a.gz", content)}) {
    const auto lines = read_json_lines(path);
    ASSERT_TRUE(lines.has_value()) << path;
    ASSERT_EQ(lines->size(), 2U);
    EXPECT_EQ((*lines)[0].number, 1);
    EXPECT_EQ((*lines)[1].number, 4);
    EXPECT_EQ((*lines)[1].object["a"], "\xC3\xA9");
  }
}

TEST_F(JsonLines, NameTheLineThatIsNone) {
  for (const char* bad : {"{\"a\": 1", "[1]", "3", "{\"a\": \"\xFF\"}", "{} {}"}) {
    const std::string path = write("a.jsonl", "{}\n" + std::string(bad) + "\n{}\n");
    EXPECT_EQ(error_of(path), path + ":2: the line is not a JSON object") << bad;
  }
}

TEST_F(JsonLines, SurviveDeepNesting) {
  const std::string path = write("a.jsonl", std::string(1 << 20, '['));
  EXPECT_EQ(error_of(path), path + ":1: the line is not a JSON object");
}

TEST_F(JsonLines, RefuseWhatIsNoWholeFile) {
  EXPECT_NE(error_of(folder_.path() / "missing").find("cannot open"), std::string::npos);
  EXPECT_NE(error_of(folder_.path()).find("not a regular file"), std::string::npos);
  EXPECT_NE(error_of(write("empty", "")).find("has no line"), std::string::npos);
  std::string whole;
  {
    std::ifstream file(compress("b.gz", "{\"a\": 1}\n"), std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(file), {});
  }
  EXPECT_NE(error_of(write("cut.gz", whole.substr(0, whole.size() - 6))).find("cannot read"),
            std::string::npos);
  whole[whole.size() / 2] ^= 0x55;
  EXPECT_NE(error_of(write("damaged.gz", whole)).find("cannot read"), std::string::npos);
}

TEST_F(JsonLines, RefuseMoreThanTheLimit) {
  // Empty lines compress a thousandfold.
  const std::string path = compress("bomb.gz", std::string(4 << 20, '\n'));
  const auto lines = read_json_lines(path, 1 << 20);
  ASSERT_FALSE(lines.has_value());
  EXPECT_EQ(lines.error().message, path + " has more than 1.0 MiB, the limit");
  const std::string exact = write("exact", "{\"a\": 1}\n");
  EXPECT_TRUE(read_json_lines(exact, 9).has_value());
  EXPECT_FALSE(read_json_lines(exact, 8).has_value());
}

}  // namespace
}  // namespace lacuna::cli
