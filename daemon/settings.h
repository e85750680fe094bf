// Settings of the daemon and of its sessions: one struct, and where each value came from.
//
// To add a setting: a field here with its default, a row in the table of settings.cpp, and
// `lacuna serve --print-schema > docs/settings.schema.json`,
// `lacuna serve --print-settings > docs/settings.md`; a test tells when those are stale.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace lacuna::daemon {

using Languages = std::map<std::string, bool>;
using Strings = std::vector<std::string>;

// What each field means, its unit and bounds stand in the table of settings.cpp.
struct Settings {
  // Of the daemon.
  std::string model;
  std::string device = "auto";
  double vram = 0;
  int threads = 0;
  int idle_unload_minutes = 10;
  int idle_exit_minutes = 30;
  int max_queued = 64;
  std::string http_address;
  std::string http_token;
  std::string log_level = "info";

  // Of a session.
  bool enable = true;
  Languages languages = {{"*", true}};
  Strings exclude;
  std::string profile = "fast";
  bool syntax = true;
  std::string trigger = "automatic";
  int max_tokens = 32;
  int alternatives = 3;
  double min_confidence = 0.25;
  bool several_lines = true;
  bool speculate = true;
  int reuse_edits = 0;
  bool completion = false;
  int context_tokens = 256;
  bool context_folder = true;
};

enum class SettingScope : std::uint8_t {
  Daemon,   // user file < environment < command line
  Session,  // those < editor
};

struct SettingInfo {
  using Field = std::variant<bool Settings::*, int Settings::*, double Settings::*,
                             std::string Settings::*, Languages Settings::*, Strings Settings::*>;

  std::string_view name;  // in JSON; "a.b" is member b of object a
  SettingScope scope;
  Field field;
  std::string_view meaning;  // a sentence, with the unit
  double least = 0;          // of numbers
  double most = 0;
  Strings choices = {};  // of texts; empty: any
  bool secret = false;   // never printed
};

std::span<const SettingInfo> setting_table();

// "idle.unloadMinutes" -> "LACUNA_IDLE_UNLOAD_MINUTES".
std::string environment_name(const SettingInfo& setting);

// The value as JSON text; "(hidden)" for secrets that are set.
std::string value_text(const Settings& settings, const SettingInfo& setting);

enum class SettingSource : std::uint8_t { Default, File, Environment, CommandLine, Editor };

std::string_view name_of(SettingSource source);  // "default", "file", ...

struct SettingsState {
  Settings values;
  std::map<std::string, SettingSource, std::less<>> sources;  // by name; absent: the default
  std::vector<std::string> warnings;  // a clause each, with key and source; the old value stood
};

// What does not come from the defaults: name -> {"value", "source"}, with secrets hidden.
nlohmann::json chosen_settings(const SettingsState& state);

// Takes the values of an object. Unknown keys and bad values become warnings and change nothing,
// and so do settings of the daemon where the source is Editor. `where` names the source in them.
void merge(SettingsState& state, const nlohmann::json& values, SettingSource source,
           std::string_view where);

// One value given as text: JSON, or a plain string where the setting is one.
void merge_text(SettingsState& state, std::string_view name, std::string_view text,
                SettingSource source, std::string_view where);

using Variable = std::function<const char*(const char*)>;  // getenv

// $LACUNA_CONFIG, else $XDG_CONFIG_HOME/lacuna/config.json, else ~/.config/lacuna/config.json.
std::filesystem::path settings_file(const Variable& variable);

// Defaults, user file and environment. A file that is not there is no warning.
SettingsState load_settings(const Variable& variable);

// Whether suggestions are wanted for a language: its own entry, else that of "*", else yes.
bool wants_language(const Settings& settings, std::string_view language);

std::string settings_schema();    // docs/settings.schema.json
std::string settings_markdown();  // docs/settings.md

}  // namespace lacuna::daemon
