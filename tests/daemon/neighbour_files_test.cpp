#include "daemon/neighbour_files.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "tests/helpers/temporary_folder.h"

namespace lacuna::daemon {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_of(const NeighbourFiles& files) {
  std::vector<std::string> names;
  for (const auto& file : files) names.push_back(fs::path(file->path).filename());
  return names;
}

// Makes a file look as if it had been written so many seconds before the others.
void make_older(const fs::path& path, int seconds) {
  fs::last_write_time(path, fs::last_write_time(path) - std::chrono::seconds(seconds));
}

class NeighbourFilesTest : public testing::Test {
 protected:
  NeighbourFiles read(const NeighbourFiles& known = {}) {
    return read_neighbours(folder_.path(), "python", rules_, known);
  }

  test::TemporaryFolder folder_;
  ReadRules rules_;
};

TEST_F(NeighbourFilesTest, FilesOfTheLanguageAreReadNewestFirst) {
  folder_.write("old.py", "a = 1\n");
  folder_.write("new.py", "b = 2\n");
  folder_.write("other.js", "c = 3;\n");
  fs::create_directory(folder_.path() / "sub");
  folder_.write("sub/inner.py", "d = 4\n");
  make_older(folder_.path() / "old.py", 100);
  const NeighbourFiles files = read();
  EXPECT_EQ(names_of(files), (std::vector<std::string>{"new.py", "old.py"}));
  EXPECT_EQ(files[0]->text, "b = 2\n");
}

TEST_F(NeighbourFilesTest, WhatIsExcludedIsNotRead) {
  folder_.write("private.py", "a = 1\n");
  folder_.write("generated.py", "a = 1\n");
  folder_.write("secret.py", "a = 1\n");
  folder_.write("open.py", "a = 1\n");
  fs::create_symlink(folder_.path() / "private.py", folder_.path() / "link.py");
  rules_.folders.push_back({.uri = "", .path = folder_.path().string(), .ignored = {}});
  rules_.folders[0].ignored.add_line("private.py");
  rules_.excluded.add_line("generated.*");
  EXPECT_EQ(names_of(read()), std::vector<std::string>{"open.py"});
}

TEST_F(NeighbourFilesTest, NumberAndSizeAreBounded) {
  for (int i = 0; i < 40; ++i) folder_.write("f" + std::to_string(i) + ".py", "a = 1\n");
  folder_.write("large.py", std::string(kMaxNeighbourBytes + 1, '\n'));
  folder_.write("binary.py", std::string(10, '\0'));
  make_older(folder_.path() / "binary.py", 1000);
  const std::vector<std::string> names = names_of(read());
  EXPECT_EQ(names.size(), kMaxNeighbours);
  EXPECT_EQ(std::count(names.begin(), names.end(), "large.py"), 0);
}

TEST_F(NeighbourFilesTest, AFileIsReadAgainOnlyWhenItHasChanged) {
  folder_.write("a.py", "a = 1\n");
  folder_.write("b.py", "b = 1\n");
  const NeighbourFiles before = read();
  folder_.write("b.py", "b = 12\n");
  const NeighbourFiles after = read(before);
  const auto find = [](const NeighbourFiles& files, std::string_view text) {
    const auto found = std::find_if(files.begin(), files.end(),
                                    [&](const auto& file) { return file->text == text; });
    return found == files.end() ? nullptr : found->get();
  };
  EXPECT_NE(find(before, "a = 1\n"), nullptr);
  EXPECT_EQ(find(before, "a = 1\n"), find(after, "a = 1\n"));
  EXPECT_NE(find(after, "b = 12\n"), nullptr);
}

TEST_F(NeighbourFilesTest, AFolderThatCannotBeReadHasNone) {
  EXPECT_TRUE(read_neighbours(folder_.path() / "nowhere", "python", rules_, {}).empty());
}

}  // namespace
}  // namespace lacuna::daemon
