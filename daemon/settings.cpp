#include "daemon/settings.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>

#include <nlohmann/json.hpp>

#include "lsp/json_rpc.h"
#include "support/file.h"

namespace lacuna::daemon {
namespace {

using Json = nlohmann::json;
using Scope = SettingScope;

constexpr std::uint64_t kMaxFile = 1 << 20;

std::vector<SettingInfo> daemon_settings() {
  return {
      {"model", Scope::Daemon, &Settings::model,
       "Name or folder of the model; empty: the one that ships with Lacuna."},
      {"device", Scope::Daemon, &Settings::device,
       "Where the model runs: auto, cpu, cuda or cuda:N."},
      {"vram", Scope::Daemon, &Settings::vram,
       "The most GB of a GPU that the model may take; 0: what is free.", 0, 4096},
      {"threads", Scope::Daemon, &Settings::threads,
       "CPU threads of the model; 0: as many as may run at a time.", 0, 1024},
      {"idle.unloadMinutes", Scope::Daemon, &Settings::idle_unload_minutes,
       "Minutes without requests after which the model's memory is given back; 0: never.", 0,
       10080},
      {"idle.exitMinutes", Scope::Daemon, &Settings::idle_exit_minutes,
       "Minutes without sessions after which the daemon ends; 0: never.", 0, 10080},
      {"maxQueued", Scope::Daemon, &Settings::max_queued,
       "Fills that may wait; a quarter of them for one session.", 4, 4096},
      {"http.address", Scope::Daemon, &Settings::http_address,
       "HOST:PORT of the HTTP server; empty: off."},
      {"http.token",
       Scope::Daemon,
       &Settings::http_token,
       "Bearer token that HTTP clients must send; needed for addresses that are not loopback.",
       0,
       0,
       {},
       true},
      {"log.level",
       Scope::Daemon,
       &Settings::log_level,
       "What is logged: never the text of a document.",
       0,
       0,
       {"error", "info", "debug"}},
  };
}

std::vector<SettingInfo> session_settings() {
  return {
      {"enable", Scope::Session, &Settings::enable, "Whether anything is suggested at all."},
      {"languages", Scope::Session, &Settings::languages,
       "Languages in which suggestions are wanted; \"*\" stands for those not named."},
      {"exclude", Scope::Session, &Settings::exclude,
       "Files that are never read, not even as context, as patterns of .gitignore; those that "
       "usually hold secrets are always excluded."},
      {"profile",
       Scope::Session,
       &Settings::profile,
       "How fills are decoded; see docs/performance.md.",
       0,
       0,
       {"fast", "balanced", "quality", "exact"}},
      {"syntax", Scope::Session, &Settings::syntax,
       "Whether fills are kept to what parses where the language has a grammar, and withheld where "
       "nothing does; not with the profile exact."},
      {"inlineCompletion.trigger",
       Scope::Session,
       &Settings::trigger,
       "Whether suggestions come while typing, or only when asked for.",
       0,
       0,
       {"automatic", "manual"}},
      {"inlineCompletion.maxTokens", Scope::Session, &Settings::max_tokens,
       "The longest suggestion, in tokens.", 1, 256},
      {"inlineCompletion.alternatives", Scope::Session, &Settings::alternatives,
       "Suggestions to choose from when asked for by a command.", 1, 8},
      {"inlineCompletion.minConfidence", Scope::Session, &Settings::min_confidence,
       "Mean probability of its tokens below which a suggestion is not shown.", 0, 1},
      {"inlineCompletion.severalLines", Scope::Session, &Settings::several_lines,
       "Whether suggestions have several lines where the grammar finds an empty body or the end of a "
       "block."},
      {"inlineCompletion.speculate", Scope::Session, &Settings::speculate,
       "Whether what may be wanted after an accepted suggestion is computed while nothing else is."},
      {"inlineCompletion.reuseEdits", Scope::Session, &Settings::reuse_edits,
       "Edits of a document after which the model looks at all of the text anew; before that a "
       "suggestion uses what was computed for earlier ones. 0: every suggestion begins anew; so it "
       "is with the profile exact.",
       0, 1000},
      {"completion.enable", Scope::Session, &Settings::completion,
       "Whether suggestions also come as items of the ordinary completion menu, for editors without "
       "inline completion."},
      {"context.tokens", Scope::Session, &Settings::context_tokens,
       "Tokens of other documents, and of recent edits, that the model sees beside the file; 0: "
       "none.",
       0, 4096},
      {"context.folder", Scope::Session, &Settings::context_folder,
       "Whether files of a document's folder that are in its language are read as context, where the "
       "editor has the folder open."},
  };
}

const std::vector<SettingInfo>& table() {
  static const std::vector<SettingInfo> rows = [] {
    std::vector<SettingInfo> all = daemon_settings();
    std::vector<SettingInfo> of_session = session_settings();
    std::move(of_session.begin(), of_session.end(), std::back_inserter(all));
    return all;
  }();
  return rows;
}

const SettingInfo* find(std::string_view name) {
  const auto found = std::find_if(table().begin(), table().end(),
                                  [name](const SettingInfo& it) { return it.name == name; });
  return found == table().end() ? nullptr : &*found;
}

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

Json value_of(const Settings& settings, const SettingInfo& setting) {
  return std::visit([&](auto field) { return Json(settings.*field); }, setting.field);
}

std::string number_text(double number) {
  const auto whole = static_cast<long long>(number);
  return static_cast<double>(whole) == number ? std::to_string(whole) : Json(number).dump();
}

// What is wrong with a value, or nothing after it was taken.
std::string take(Settings& settings, const SettingInfo& setting, const Json& value) {
  const auto bounded = [&](double number) -> std::string {
    if (number >= setting.least && number <= setting.most) return "";
    return "must be from " + number_text(setting.least) + " to " + number_text(setting.most);
  };
  return std::visit(Overloaded{[&](bool Settings::* field) -> std::string {
                                 if (!value.is_boolean()) return "must be true or false";
                                 settings.*field = value.get<bool>();
                                 return "";
                               },
                               [&](int Settings::* field) -> std::string {
                                 if (!value.is_number_integer()) return "must be a whole number";
                                 const std::string problem = bounded(value.get<double>());
                                 if (problem.empty()) settings.*field = value.get<int>();
                                 return problem;
                               },
                               [&](double Settings::* field) -> std::string {
                                 if (!value.is_number()) return "must be a number";
                                 const std::string problem = bounded(value.get<double>());
                                 if (problem.empty()) settings.*field = value.get<double>();
                                 return problem;
                               },
                               [&](std::string Settings::* field) -> std::string {
                                 if (!value.is_string()) return "must be a string";
                                 const auto text = value.get<std::string>();
                                 const Strings& choices = setting.choices;
                                 if (!choices.empty() && std::find(choices.begin(), choices.end(),
                                                                   text) == choices.end()) {
                                   std::string known;
                                   for (const std::string& choice : choices) known += ", " + choice;
                                   return "must be one of " + known.substr(2);
                                 }
                                 settings.*field = text;
                                 return "";
                               },
                               [&](Languages Settings::* field) -> std::string {
                                 if (!value.is_object())
                                   return "must be an object of true and false";
                                 Languages languages;
                                 for (const auto& [name, wanted] : value.items()) {
                                   if (!wanted.is_boolean())
                                     return "must be an object of true and false";
                                   languages[name] = wanted.get<bool>();
                                 }
                                 settings.*field = std::move(languages);
                                 return "";
                               },
                               [&](Strings Settings::* field) -> std::string {
                                 if (!value.is_array()) return "must be a list of strings";
                                 Strings strings;
                                 for (const Json& item : value) {
                                   if (!item.is_string()) return "must be a list of strings";
                                   strings.push_back(item.get<std::string>());
                                 }
                                 settings.*field = std::move(strings);
                                 return "";
                               }},
                    setting.field);
}

void take_or_warn(SettingsState& state, const SettingInfo& setting, const Json& value,
                  SettingSource source, std::string_view where) {
  const std::string name(setting.name);
  if (source == SettingSource::Editor && setting.scope == Scope::Daemon) {
    state.warnings.push_back(std::string(where) + ": " + name +
                             " is a setting of the daemon; set it in its file or environment");
    return;
  }
  const std::string problem = take(state.values, setting, value);
  if (problem.empty()) {
    state.sources[name] = source;
  } else {
    state.warnings.push_back(std::string(where) + ": " + name + " " + problem);
  }
}

bool is_group(const std::string& name) {
  return std::any_of(table().begin(), table().end(), [&](const SettingInfo& setting) {
    return setting.name.starts_with(name + ".");
  });
}

void merge_object(SettingsState& state, const Json& values, const std::string& prefix,
                  SettingSource source, std::string_view where) {
  for (const auto& [key, value] : values.items()) {
    const std::string name = prefix.empty() ? key : prefix + "." + key;
    if (const SettingInfo* setting = find(name); setting != nullptr) {
      // An editor sends null for what its user has not set.
      if (!value.is_null()) take_or_warn(state, *setting, value, source, where);
    } else if (value.is_object() && is_group(name)) {
      merge_object(state, value, name, source, where);
    } else if (name != "$schema" && !(source == SettingSource::Editor && name == "trace")) {
      state.warnings.push_back(std::string(where) + ": there is no setting " + name);
    }
  }
}

const char* type_name(const SettingInfo& setting) {
  return std::visit(Overloaded{[](bool Settings::*) { return "boolean"; },
                               [](int Settings::*) { return "integer"; },
                               [](double Settings::*) { return "number"; },
                               [](std::string Settings::*) { return "string"; },
                               [](Languages Settings::*) { return "object"; },
                               [](Strings Settings::*) { return "array"; }},
                    setting.field);
}

bool is_number(const SettingInfo& setting) {
  const std::string_view type = type_name(setting);
  return type == "integer" || type == "number";
}

nlohmann::ordered_json schema_of(const SettingInfo& setting) {
  nlohmann::ordered_json schema = {
      {"description", setting.meaning},
      {"type", type_name(setting)},
      {"default", nlohmann::ordered_json::parse(value_of(Settings{}, setting).dump())}};
  if (is_number(setting)) {
    schema["minimum"] = setting.least;
    schema["maximum"] = setting.most;
  }
  if (!setting.choices.empty()) schema["enum"] = setting.choices;
  if (schema["type"] == "object") schema["additionalProperties"] = {{"type", "boolean"}};
  if (schema["type"] == "array") schema["items"] = {{"type", "string"}};
  return schema;
}

}  // namespace

std::span<const SettingInfo> setting_table() { return table(); }

std::string environment_name(const SettingInfo& setting) {
  std::string name = "LACUNA_";
  for (const char c : setting.name) {
    if (c == '.') {
      name += '_';
    } else if (c >= 'A' && c <= 'Z') {
      name += '_';
      name += c;
    } else {
      name += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
  }
  return name;
}

std::string value_text(const Settings& settings, const SettingInfo& setting) {
  const Json value = value_of(settings, setting);
  // A Json knows only whether a container is empty.
  if (setting.secret && value != Json("")) return "(hidden)";
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string_view name_of(SettingSource source) {
  constexpr std::array<std::string_view, 5> kNames = {"default", "file", "environment",
                                                      "command line", "editor"};
  return kNames[static_cast<std::size_t>(source)];
}

Json chosen_settings(const SettingsState& state) {
  Json chosen = Json::object();
  for (const SettingInfo& setting : setting_table()) {
    const auto source = state.sources.find(setting.name);
    if (source == state.sources.end()) continue;
    Json value = value_of(state.values, setting);
    if (setting.secret && value != Json("")) value = "(hidden)";
    chosen[std::string(setting.name)] = {{"value", std::move(value)},
                                         {"source", name_of(source->second)}};
  }
  return chosen;
}

void merge(SettingsState& state, const Json& values, SettingSource source, std::string_view where) {
  if (!values.is_object()) {
    state.warnings.push_back(std::string(where) + ": settings must be an object");
    return;
  }
  merge_object(state, values, "", source, where);
}

void merge_text(SettingsState& state, std::string_view name, std::string_view text,
                SettingSource source, std::string_view where) {
  const SettingInfo* setting = find(name);
  if (setting == nullptr) {
    state.warnings.push_back(std::string(where) + ": there is no setting " + std::string(name));
    return;
  }
  const bool plain = std::string_view(type_name(*setting)) == "string";
  const Json value = plain ? Json(text) : Json::parse(text, nullptr, false);
  take_or_warn(state, *setting, value, source, where);
}

std::filesystem::path settings_file(const Variable& variable) {
  const auto value = [&](const char* name) -> std::string {
    const char* found = variable(name);
    return found == nullptr ? "" : found;
  };
  if (const std::string file = value("LACUNA_CONFIG"); !file.empty()) return file;
  if (const std::string config = value("XDG_CONFIG_HOME"); !config.empty()) {
    return std::filesystem::path(config) / "lacuna/config.json";
  }
  const std::string home = value("HOME");
  return home.empty() ? std::filesystem::path()
                      : std::filesystem::path(home) / ".config/lacuna/config.json";
}

SettingsState load_settings(const Variable& variable) {
  SettingsState state;
  const std::filesystem::path file = settings_file(variable);
  if (!file.empty()) {
    const Result<std::string> text = read_file(file, kMaxFile);
    if (text) {
      const Result<Json> json = lsp::parse_json(*text);
      if (json) {
        merge(state, *json, SettingSource::File, file.string());
      } else {
        state.warnings.push_back(file.string() + ": " + json.error().message);
      }
    } else if (text.error().code != ErrorCode::NotFound) {
      state.warnings.push_back(text.error().message);
    }
  }
  for (const SettingInfo& setting : table()) {
    const std::string name = environment_name(setting);
    const char* value = variable(name.c_str());
    if (value == nullptr || *value == '\0') continue;
    merge_text(state, setting.name, value, SettingSource::Environment, name);
  }
  return state;
}

bool wants_language(const Settings& settings, std::string_view language) {
  auto found = settings.languages.find(std::string(language));
  if (found == settings.languages.end()) found = settings.languages.find("*");
  return found == settings.languages.end() || found->second;
}

std::string settings_schema() {
  nlohmann::ordered_json root = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                                 {"title", "Settings of Lacuna"},
                                 {"type", "object"},
                                 {"additionalProperties", false},
                                 {"properties", nlohmann::ordered_json::object()}};
  root["properties"]["$schema"] = {{"type", "string"}};
  for (const SettingInfo& setting : table()) {
    const std::string name(setting.name);
    const std::size_t dot = name.find('.');
    auto* properties = &root["properties"];
    if (dot != std::string::npos) {
      auto& group = (*properties)[name.substr(0, dot)];
      if (group.is_null()) {
        group = {{"type", "object"},
                 {"additionalProperties", false},
                 {"properties", nlohmann::ordered_json::object()}};
      }
      properties = &group["properties"];
    }
    (*properties)[dot == std::string::npos ? name : name.substr(dot + 1)] = schema_of(setting);
  }
  return root.dump(2) + "\n";
}

std::string settings_markdown() {
  std::string text =
      "# Settings\n\n"
      "Made by `lacuna serve --print-settings`; the JSON schema is "
      "[settings.schema.json](settings.schema.json).\n\n"
      "Later ones go before earlier ones: defaults, the file (`$LACUNA_CONFIG`, else "
      "`$XDG_CONFIG_HOME/lacuna/config.json`, else `~/.config/lacuna/config.json`), environment, "
      "command line, and for settings of a session the editor (`initializationOptions`, section "
      "`lacuna` of its configuration). A dot stands for an object in an object: `idle.exitMinutes` "
      "is `{\"idle\": {\"exitMinutes\": 30}}`. An unknown key or a bad value is warned of, and the "
      "value before it stays. `lacuna doctor` shows where each value came from, those "
      "of the daemon that runs and of its editors included.\n\n"
      "| setting | of | default | bounds | environment | meaning |\n|---|---|---|---|---|---|\n";
  for (const SettingInfo& setting : table()) {
    std::string bounds;
    if (is_number(setting)) {
      bounds = number_text(setting.least) + " to " + number_text(setting.most);
    }
    for (const std::string& choice : setting.choices)
      bounds += (bounds.empty() ? "" : ", ") + choice;
    const char* scope = setting.scope == Scope::Daemon ? "daemon" : "session";
    text += "| `" + std::string(setting.name) + "` | " + scope + " | `" +
            value_of(Settings{}, setting).dump() + "` | " + bounds + " | `" +
            environment_name(setting) + "` | " + std::string(setting.meaning) + " |\n";
  }
  return text;
}

}  // namespace lacuna::daemon
