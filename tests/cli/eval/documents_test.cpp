#include "cli/eval/documents.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/helpers/temporary_folder.h"

namespace lacuna::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Documents : public testing::Test {
 protected:
  std::string write(const std::string& name, std::string_view content) {
    const std::filesystem::path path = folder_.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }
  // Names in both parts.
  static std::vector<std::string> names(const std::string& path) {
    std::vector<std::string> found;
    for (const Part part : {Part::Calibration, Part::Evaluation}) {
      const auto documents = read_documents(path, part);
      if (!documents) continue;
      for (const SourceDocument& it : *documents) found.push_back(it.name);
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  static std::string problem(const std::string& path) {
    const auto documents = read_documents(path, Part::Evaluation);
    return documents ? "" : documents.error().message;
  }

  test::TemporaryFolder folder_;
};

TEST(PartOf, IsAMatterOfTheNameAlone) {
  EXPECT_EQ(name_hash(""), 17665956581633026203ULL) << "written down, so that it never changes";
  int calibration = 0;
  for (int i = 0; i < 4000; ++i) {
    if (part_of("package/file" + std::to_string(i) + ".py") == Part::Calibration) ++calibration;
  }
  EXPECT_NEAR(calibration, 1000, 110) << "four standard deviations";
}

TEST_F(Documents, TheTwoPartsOfASetHaveNoFileInCommonAndNoneIsLost) {
  std::set<std::string> written;
  for (int i = 0; i < 40; ++i) {
    const std::string name = "sub/file" + std::to_string(i) + ".py";
    write("set/" + name, "x = 1\n");
    written.insert(name);
  }
  const std::string set = (folder_.path() / "set").string();
  const auto measured = read_documents(set, Part::Evaluation);
  const auto kept = read_documents(set, Part::Calibration);
  ASSERT_TRUE(measured.has_value() && kept.has_value());
  EXPECT_GT(kept->size(), 0U);
  EXPECT_EQ(measured->size() + kept->size(), written.size());
  for (const auto* part : {&*measured, &*kept}) {
    for (const SourceDocument& it : *part) EXPECT_EQ(written.erase(it.name), 1U) << it.name;
  }
}

TEST_F(Documents, OfAFolderAreReadableSourceFilesWithoutHiddenOnesAndLinks) {
  write("set/a.py", "x = 1\n");
  write("set/deep/b.rs", "fn main() {}\n");
  write("set/notes.txt", "text\n");
  write("set/.hidden.py", "x\n");
  write("set/.git/c.py", "x\n");
  write("set/binary.c", std::string_view("a\0b", 3));
  write("set/latin.c", "caf\xE9\n");
  write("set/huge.c", std::string(200'001, 'x'));
  write("outside.py", "x = 1\n");
  std::filesystem::create_symlink(folder_.path() / "outside.py", folder_.path() / "set/link.py");
  EXPECT_THAT(names((folder_.path() / "set").string()), ElementsAre("a.py", "deep/b.rs"));
}

TEST_F(Documents, HaveUnixLineEndsAndALanguage) {
  const std::string path =
      write("c.jsonl", "[\"cpp\", \"p\", \"a.cc\", \"int x;\\r\\nint y;\\r\\n\"]\n");
  for (const Part part : {Part::Calibration, Part::Evaluation}) {
    const auto documents = read_documents(path, part);
    if (!documents) continue;
    ASSERT_EQ(documents->size(), 1U);
    EXPECT_EQ((*documents)[0].name, "p/a.cc");
    EXPECT_EQ((*documents)[0].language, "cpp");
    EXPECT_EQ((*documents)[0].text, "int x;\nint y;\n");
  }
  EXPECT_EQ(names(path).size(), 1U);
}

TEST_F(Documents, BrokenLinesAreNamed) {
  const std::string good = "[\"python\", \"p\", \"a.py\", \"x\"]\n";
  EXPECT_THAT(problem(write("a.jsonl", good + "{\"x\": 1}\n")),
              HasSubstr("a.jsonl:2: the line is not ["));
  EXPECT_THAT(problem(write("b.jsonl", good + "[1, 2, 3, 4]\n")), HasSubstr("b.jsonl:2:"));
  EXPECT_THAT(problem(write("c.jsonl", good + "nonsense\n")),
              HasSubstr("c.jsonl:2: the line is not JSON"));
  EXPECT_THAT(problem(write("d.jsonl", "[\"klingon\", \"p\", \"a\", \"x\"]\n")),
              HasSubstr("no language 'klingon'"));
  EXPECT_THAT(problem(write("e.jsonl", "")), HasSubstr("no line"));
  EXPECT_THAT(problem(write("f.jsonl", "[\"python\", \"p\", \"a\", \"x\\u0000\"]\n")),
              HasSubstr("f.jsonl:1: the text is not a text"));
  EXPECT_THAT(problem((folder_.path() / "gone.jsonl").string()), HasSubstr("gone.jsonl"));
}

TEST_F(Documents, AnEmptyPartIsAnError) {
  std::filesystem::create_directories(folder_.path() / "empty");
  EXPECT_THAT(problem((folder_.path() / "empty").string()),
              HasSubstr("no source file to measure on"));
}

}  // namespace
}  // namespace lacuna::cli
