#include "cli/model_path.h"

#include <fstream>

#include <gtest/gtest.h>

namespace lacuna::cli {
namespace {

namespace fs = std::filesystem;

class ModelPathTest : public testing::Test {
 protected:
  ModelPathTest() {
    std::string pattern = (fs::temp_directory_path() / "lacuna_models_XXXXXX").string();
    root_ = mkdtemp(pattern.data());
    search_ = {.preferred = "",
               .installed = root_ / "share",
               .source = root_ / "source",
               .user = root_ / "user"};
  }
  ~ModelPathTest() override { fs::remove_all(root_); }

  void add(const std::string& folder) {
    fs::create_directories(root_ / folder);
    std::ofstream(root_ / folder / "config.json") << "{}";
  }

  // The folder that a name means, without the temporary folder's part; or the error.
  std::string folder_of(const std::string& name) const {
    const auto found = find_model(name, search_);
    if (!found) return "error: " + found.error().message;
    return found->folder.lexically_relative(root_).string();
  }

  fs::path root_;
  ModelSearch search_;
};

TEST_F(ModelPathTest, TakesTheEmbeddedModelUnlessToldOtherwise) {
  add("source/lacuna-small");
  EXPECT_EQ(folder_of(""), "source/lacuna-small");
  add("share/lacuna-small");
  EXPECT_EQ(folder_of(""), "share/lacuna-small");
  add("user/other");
  search_.preferred = "other";
  EXPECT_EQ(folder_of(""), "user/other");
  EXPECT_EQ(folder_of("lacuna-small"), "share/lacuna-small");
}

TEST_F(ModelPathTest, TakesNamesWithASlashAsFolders) {
  EXPECT_EQ(folder_of((root_ / "somewhere").string()), "somewhere");
  EXPECT_EQ(find_model((root_ / "a/b/").string(), search_)->name, "b");
}

TEST_F(ModelPathTest, NamesTheModelsThatThereAre) {
  EXPECT_EQ(folder_of("x"),
            "error: there is no model 'x' and no other one (a folder is named with a slash, as in "
            "./x)");
  add("source/lacuna-small");
  add("user/b");
  add("user/a");
  add("user/lacuna-small");
  fs::create_directories(root_ / "user/no-model");
  EXPECT_EQ(folder_of("x"),
            "error: there is no model 'x'; there are: lacuna-small, a, b (a folder is named with a "
            "slash, as in ./x)");
  EXPECT_EQ(list_models(search_)[0].folder, root_ / "user/lacuna-small");
}

TEST_F(ModelPathTest, ReadsTheEnvironment) {
  const auto only_home = [](const char* name) -> const char* {
    return std::string_view(name) == "HOME" ? "/home/u" : nullptr;
  };
  EXPECT_EQ(model_search(only_home).user, "/home/u/.local/share/lacuna/models");
  const auto all = [](const char* name) -> const char* {
    if (std::string_view(name) == "XDG_DATA_HOME") return "/data";
    return std::string_view(name) == "LACUNA_MODEL" ? "m" : "/home/u";
  };
  EXPECT_EQ(model_search(all).user, "/data/lacuna/models");
  EXPECT_EQ(model_search(all).preferred, "m");
}

}  // namespace
}  // namespace lacuna::cli
