#include "daemon/settings.h"

#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/file.h"
#include "tests/helpers/temporary_folder.h"

namespace lacuna::daemon {
namespace {

using Json = nlohmann::json;
using enum SettingSource;

class SettingsTest : public testing::Test {
 protected:
  SettingsState load() {
    return load_settings([this](const char* name) -> const char* {
      const auto found = environment_.find(name);
      return found == environment_.end() ? nullptr : found->second.c_str();
    });
  }
  void write_config(std::string_view text) {
    const auto path = folder_.path() / "config.json";
    ASSERT_TRUE(write_file(path, text));
    environment_["LACUNA_CONFIG"] = path.string();
  }

  test::TemporaryFolder folder_;
  std::map<std::string, std::string> environment_;
};

TEST_F(SettingsTest, EveryDefaultIsWithinItsBounds) {
  for (const SettingInfo& setting : setting_table()) {
    SettingsState state;
    merge_text(state, setting.name, setting.secret ? "" : value_text(Settings(), setting), File,
               "test");
    if (std::holds_alternative<std::string Settings::*>(setting.field)) {
      state = {};
      const std::string quoted = value_text(Settings(), setting);
      merge_text(state, setting.name, Json::parse(quoted).get<std::string>(), File, "test");
    }
    EXPECT_TRUE(state.warnings.empty()) << state.warnings.front();
  }
}

TEST_F(SettingsTest, LaterSourcesGoBeforeEarlierOnes) {
  write_config(R"({"threads": 1, "maxQueued": 10, "profile": "quality"})");
  environment_["LACUNA_THREADS"] = "2";
  environment_["LACUNA_IDLE_EXIT_MINUTES"] = "7";
  SettingsState state = load();
  merge_text(state, "idle.exitMinutes", "8", CommandLine, "--set");
  merge(state, {{"profile", "balanced"}}, Editor, "editor");
  EXPECT_EQ(state.values.max_queued, 10);
  EXPECT_EQ(state.values.threads, 2);
  EXPECT_EQ(state.values.idle_exit_minutes, 8);
  EXPECT_EQ(state.values.profile, "balanced");
  EXPECT_EQ(state.sources.at("maxQueued"), File);
  EXPECT_EQ(state.sources.at("threads"), Environment);
  EXPECT_EQ(state.sources.at("idle.exitMinutes"), CommandLine);
  EXPECT_EQ(state.sources.at("profile"), Editor);
  EXPECT_FALSE(state.sources.contains("device"));
  EXPECT_TRUE(state.warnings.empty());
}

TEST_F(SettingsTest, BadValuesAreToldAndTheOldOnesStay) {
  write_config(R"({"threads": "many", "profile": "slow", "nonsense": 1,
                   "inlineCompletion": {"minConfidence": 2, "other": 1}, "languages": {"c": 1}})");
  environment_["LACUNA_ENABLE"] = "maybe";
  const SettingsState state = load();
  EXPECT_EQ(state.warnings.size(), 7U);
  EXPECT_EQ(state.values.threads, 0);
  EXPECT_EQ(state.values.profile, "fast");
  EXPECT_TRUE(state.values.enable);
  EXPECT_TRUE(state.sources.empty());
  const auto tells = [&](std::string_view text) {
    return std::any_of(state.warnings.begin(), state.warnings.end(),
                       [&](const std::string& it) { return it.find(text) != std::string::npos; });
  };
  EXPECT_TRUE(tells("profile must be one of fast, balanced, quality, exact"));
  EXPECT_TRUE(tells("inlineCompletion.minConfidence must be from 0 to 1"));
  EXPECT_TRUE(tells("there is no setting nonsense"));
  EXPECT_TRUE(tells("LACUNA_ENABLE: enable must be true or false"));
  EXPECT_TRUE(tells(environment_["LACUNA_CONFIG"]));
}

TEST_F(SettingsTest, AFileThatIsNoJsonIsTold) {
  write_config("{");
  EXPECT_EQ(load().warnings.size(), 1U);
  environment_["LACUNA_CONFIG"] = (folder_.path() / "missing.json").string();
  EXPECT_TRUE(load().warnings.empty());
}

TEST_F(SettingsTest, AnEditorCannotChangeTheDaemon) {
  SettingsState state;
  merge(state, {{"model", "/tmp/evil"}, {"http", {{"address", "0.0.0.0:1"}}}, {"enable", false}},
        Editor, "editor");
  EXPECT_EQ(state.values.model, "");
  EXPECT_EQ(state.values.http_address, "");
  EXPECT_FALSE(state.values.enable);
  EXPECT_EQ(state.warnings.size(), 2U);
}

TEST_F(SettingsTest, NullFromAnEditorMeansNotSet) {
  SettingsState state;
  merge(state, {{"enable", nullptr}}, Editor, "editor");
  EXPECT_TRUE(state.warnings.empty());
  EXPECT_TRUE(state.values.enable);
}

TEST_F(SettingsTest, LanguagesAreWantedByNameOrByTheStar) {
  Settings settings;
  EXPECT_TRUE(wants_language(settings, "python"));
  settings.languages = {{"*", false}, {"go", true}};
  EXPECT_FALSE(wants_language(settings, "python"));
  EXPECT_TRUE(wants_language(settings, "go"));
  settings.languages = {{"markdown", false}};
  EXPECT_TRUE(wants_language(settings, "go"));
  EXPECT_FALSE(wants_language(settings, "markdown"));
}

TEST_F(SettingsTest, TheTokenIsNeverPrinted) {
  Settings settings;
  settings.http_token = "hunter2";
  for (const SettingInfo& setting : setting_table()) {
    EXPECT_EQ(value_text(settings, setting).find("hunter2"), std::string::npos);
  }
}

// What the extension for VS Code offers of the settings is what the daemon understands.
TEST_F(SettingsTest, TheManifestOfTheExtensionAgrees) {
  const auto text = read_file(LACUNA_SOURCE_DIR "/editor-plugins/vscode/package.json", 1 << 20);
  ASSERT_TRUE(text);
  const auto manifest = nlohmann::json::parse(*text);
  const nlohmann::json& offered = manifest["contributes"]["configuration"]["properties"];
  for (const SettingInfo& setting : setting_table()) {
    const std::string name(setting.name);
    // The editor has inline completion; the empty profile there is that of the daemon.
    if (setting.scope != SettingScope::Session || name == "completion.enable") continue;
    const bool is_trigger = name == "inlineCompletion.trigger";
    const std::string key = "lacuna." + (is_trigger ? "inlineCompletion.triggerMode" : name);
    ASSERT_TRUE(offered.contains(key)) << key;
    const nlohmann::json& property = offered[key];
    if (name == "profile") continue;
    EXPECT_EQ(property["default"].dump(),
              nlohmann::json::parse(value_text(Settings(), setting)).dump())
        << key;
    if (setting.most > setting.least) {
      EXPECT_EQ(property["minimum"].get<double>(), setting.least) << key;
      EXPECT_EQ(property["maximum"].get<double>(), setting.most) << key;
    }
    for (const std::string& choice : setting.choices) {
      EXPECT_NE(property["enum"].dump().find('"' + choice + '"'), std::string::npos) << key;
    }
  }
}

TEST_F(SettingsTest, TheDocumentsAreFresh) {
  const std::string docs = LACUNA_SOURCE_DIR "/docs/";
  const auto schema = read_file(docs + "settings.schema.json", 1 << 20);
  const auto markdown = read_file(docs + "settings.md", 1 << 20);
  ASSERT_TRUE(schema && markdown);
  EXPECT_TRUE(*schema == settings_schema())
      << "run lacuna serve --print-schema > docs/settings.schema.json";
  EXPECT_TRUE(*markdown == settings_markdown())
      << "run lacuna serve --print-settings > docs/settings.md";
}

}  // namespace
}  // namespace lacuna::daemon
