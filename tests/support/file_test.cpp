#include "support/file.h"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace lacuna {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  FileTest() {
    std::string pattern = (fs::temp_directory_path() / "lacuna_file_XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~FileTest() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }
  std::size_t files_in_folder() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }

  fs::path folder_;
};

TEST_F(FileTest, ReadsEveryByte) {
  const std::string content("a\0b\r\n\xFF", 6);
  const auto read = read_file(write("f", content), 6);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(*read, content);
}

TEST_F(FileTest, RefusesWhatIsTooLargeMissingOrNotAFile) {
  EXPECT_EQ(read_file(write("f", "1234567"), 6).error().code, ErrorCode::InvalidInput);
  EXPECT_EQ(read_file(folder_ / "missing", 6).error().code, ErrorCode::NotFound);
  EXPECT_EQ(read_file(folder_, 6).error().code, ErrorCode::InvalidInput);
  ASSERT_EQ(mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_file(folder_ / "pipe", 6).error().code, ErrorCode::InvalidInput);
  // /dev/zero never ends.
  EXPECT_EQ(read_file("/dev/zero", 6).error().code, ErrorCode::InvalidInput);
}

TEST_F(FileTest, ReadsAFileWhoseSizeIsNotKnownBefore) {
  const auto read = read_file("/proc/self/status", 1 << 20);
  ASSERT_TRUE(read.has_value());
  EXPECT_NE(read->find("Name:"), std::string::npos);
}

TEST_F(FileTest, MapsAWholeFile) {
  const auto mapped = MappedFile::open(write("f", "abc"));
  ASSERT_TRUE(mapped.has_value());
  EXPECT_EQ(mapped->bytes().size(), 3U);
  EXPECT_EQ(static_cast<char>(mapped->bytes()[2]), 'c');
  const auto empty = MappedFile::open(write("empty", ""));
  ASSERT_TRUE(empty.has_value());
  EXPECT_TRUE(empty->bytes().empty());
}

TEST_F(FileTest, ReplacesAFileAndKeepsItsPermissions) {
  const fs::path path = write("script", "old");
  fs::permissions(path, fs::perms(0751));
  ASSERT_TRUE(write_file(path, "new content").has_value());
  EXPECT_EQ(*read_file(path, 100), "new content");
  EXPECT_EQ(fs::status(path).permissions(), fs::perms(0751));
  EXPECT_EQ(files_in_folder(), 1U);
}

TEST_F(FileTest, WritesThroughASymbolicLink) {
  const fs::path path = write("real", "old");
  fs::create_symlink("real", folder_ / "link");
  ASSERT_TRUE(write_file(folder_ / "link", "new").has_value());
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(*read_file(path, 100), "new");
}

TEST_F(FileTest, AFailedWriteLeavesNothingBehind) {
  EXPECT_FALSE(write_file(folder_ / "no" / "such" / "folder", "x").has_value());
  write("target", "old");
  fs::create_directory(folder_ / "dir");
  EXPECT_FALSE(write_file(folder_ / "dir", "x").has_value());
  EXPECT_EQ(files_in_folder(), 2U);
}

}  // namespace
}  // namespace lacuna
