#include "daemon/runtime_paths.h"

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/helpers/temporary_folder.h"

namespace lacuna::daemon {
namespace {

TEST(RuntimePathsTest, EachVersionHasASocketOfItsOwn) {
  EXPECT_NE(socket_in("/run", "0.1.0"), socket_in("/run", "0.2.0"));
  EXPECT_EQ(socket_in("/run", "0.1.0"), socket_in("/run", "0.1.0"));
  EXPECT_EQ(socket_in("/run", "0.1.0").parent_path(), "/run");
}

TEST(RuntimePathsTest, TheFolderIsMadeForThisUserAlone) {
  const test::TemporaryFolder home;
  const std::string root = home.path().string();
  const Variable variable = [&](const char* name) {
    return std::string_view(name) == "XDG_RUNTIME_DIR" ? root.c_str() : nullptr;
  };
  const auto folder = runtime_folder(variable);
  ASSERT_TRUE(folder) << folder.error().message;
  EXPECT_EQ(*folder, home.path() / "lacuna");
  struct stat info{};
  ASSERT_EQ(stat(folder->c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
  ASSERT_EQ(chmod(folder->c_str(), 0777), 0);
  const auto open_to_all = runtime_folder(variable);
  ASSERT_FALSE(open_to_all);
  EXPECT_EQ(open_to_all.error().code, ErrorCode::Unavailable);
}

TEST(RuntimePathsTest, AFileThatIsNoSocketIsNotReplaced) {
  const test::TemporaryFolder folder;
  const auto file = folder.write("precious", "text");
  const Result<int> listener = listen_at(file);
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().code, ErrorCode::InvalidInput);
  EXPECT_TRUE(std::filesystem::is_regular_file(file));
}

TEST(RuntimePathsTest, APathThatIsTooLongForASocketIsRefused) {
  const Result<int> connected = connect_to("/tmp/" + std::string(200, 'x'));
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code, ErrorCode::InvalidInput);
}

TEST(RuntimePathsTest, NobodyListensAtASocketThatIsNotThere) {
  const test::TemporaryFolder folder;
  const Result<int> connected = connect_to(folder.path() / "none.sock");
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code, ErrorCode::NotFound);
}

TEST(RuntimePathsTest, ALockHasOneHolder) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "lock";
  {
    const auto held = FileLock::take(path, false);
    ASSERT_TRUE(held);
    const auto second = FileLock::take(path, false);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::NotFound);
  }
  EXPECT_TRUE(FileLock::take(path, false));
}

}  // namespace
}  // namespace lacuna::daemon
