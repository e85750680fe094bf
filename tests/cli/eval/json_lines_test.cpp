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
  // Zeros compress a thousandfold.
  std::ofstream(folder_.path() / "bomb.gz");
  const std::string path = (folder_.path() / "bomb.gz").string();
  gzFile file = gzopen(path.c_str(), "wb1");
  const std::string chunk(16 << 20, '\n');
  for (std::uint64_t written = 0; written <= kMaxJsonLinesBytes; written += chunk.size()) {
    gzwrite(file, chunk.data(), static_cast<unsigned>(chunk.size()));
  }
  gzclose(file);
  EXPECT_NE(error_of(path).find("512.0 MiB"), std::string::npos);
}

}  // namespace
}  // namespace lacuna::cli
