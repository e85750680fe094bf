#include "lsp/protocol.h"

#include <algorithm>

namespace lacuna::lsp {
namespace {

Error missing(std::string_view what) {
  return fail(ErrorCode::InvalidInput, "the params have no valid " + std::string(what));
}

bool is_string(const Json* json) { return json != nullptr && json->is_string(); }

bool is_uint32(const Json* json) {
  return json != nullptr && json->is_number_integer() && (*json >= 0) && (*json <= UINT32_MAX);
}

std::optional<std::int64_t> int64_of(const Json* json) {
  if (json == nullptr || !json->is_number_integer()) return std::nullopt;
  if (json->is_number_unsigned() && json->get<std::uint64_t>() > INT64_MAX) return std::nullopt;
  return json->get<std::int64_t>();
}

// Follows names from object to object; null where one is missing.
const Json* at_path(const Json& json, std::initializer_list<std::string_view> names) {
  const Json* at = &json;
  for (const std::string_view name : names) {
    at = member(*at, name);
    if (at == nullptr) return nullptr;
  }
  return at;
}

bool flag(const Json& json, std::initializer_list<std::string_view> names) {
  const Json* found = at_path(json, names);
  return found != nullptr && found->is_boolean() && found->get<bool>();
}

std::vector<std::string> strings_of(const Json* json) {
  std::vector<std::string> strings;
  if (json == nullptr || !json->is_array()) return strings;
  for (const Json& item : *json) {
    if (item.is_string()) strings.push_back(item.get<std::string>());
  }
  return strings;
}

std::vector<WorkspaceFolder> folders_of(const Json& json) {
  std::vector<WorkspaceFolder> folders;
  const Json* list = member(json, "workspaceFolders");
  if (list != nullptr && list->is_array()) {
    for (const Json& folder : *list) {
      const std::string uri = string_or(folder, "uri", "");
      if (!uri.empty()) folders.push_back({uri, string_or(folder, "name", "")});
    }
  }
  const std::string root = string_or(json, "rootUri", "");
  if (folders.empty() && !root.empty()) folders.push_back({root, ""});
  return folders;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

const Json* member(const Json& json, std::string_view name) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(name);
  return found == json.end() ? nullptr : &*found;
}

std::string string_or(const Json& json, std::string_view name, std::string_view fallback) {
  const Json* found = member(json, name);
  return is_string(found) ? found->get<std::string>() : std::string(fallback);
}

bool bool_or(const Json& json, std::string_view name, bool fallback) {
  const Json* found = member(json, name);
  return found != nullptr && found->is_boolean() ? found->get<bool>() : fallback;
}

Result<Position> read_position(const Json& json) {
  const Json* line = member(json, "line");
  const Json* character = member(json, "character");
  if (!is_uint32(line) || !is_uint32(character)) return missing("position");
  return Position{line->get<std::uint32_t>(), character->get<std::uint32_t>()};
}

Result<Range> read_range(const Json& json) {
  const Json* start = member(json, "start");
  const Json* end = member(json, "end");
  if (start == nullptr || end == nullptr) return missing("range");
  const Result<Position> first = read_position(*start);
  if (!first) return first.error();
  const Result<Position> last = read_position(*end);
  if (!last) return last.error();
  if (*last < *first) {
    return fail(ErrorCode::InvalidInput, "a range in the params ends before it starts");
  }
  return Range{*first, *last};
}

Json to_json(Position position) {
  return {{"line", position.line}, {"character", position.character}};
}

Json to_json(Range range) { return {{"start", to_json(range.start)}, {"end", to_json(range.end)}}; }

InitializeParams read_initialize(const Json& json) {
  InitializeParams params;
  params.process_id = int64_of(member(json, "processId"));
  if (const Json* client = member(json, "clientInfo"); client != nullptr) {
    params.client_name = string_or(*client, "name", "");
  }
  params.folders = folders_of(json);
  if (const Json* options = member(json, "initializationOptions"); options != nullptr) {
    params.options = *options;
  }
  params.trace = string_or(json, "trace", "off");
  const Json* capabilities = member(json, "capabilities");
  if (capabilities == nullptr) return params;
  const Json& all = *capabilities;
  params.position_encodings = strings_of(at_path(all, {"general", "positionEncodings"}));
  params.work_done_progress = flag(all, {"window", "workDoneProgress"});
  params.configuration = flag(all, {"workspace", "configuration"});
  params.configuration_registration =
      flag(all, {"workspace", "didChangeConfiguration", "dynamicRegistration"});
  params.versioned_edits = flag(all, {"workspace", "workspaceEdit", "documentChanges"});
  params.apply_edit = flag(all, {"workspace", "applyEdit"});
  const auto resolvable =
      strings_of(at_path(all, {"textDocument", "codeAction", "resolveSupport", "properties"}));
  params.code_action_resolve_edit =
      std::find(resolvable.begin(), resolvable.end(), "edit") != resolvable.end();
  params.code_action_data = flag(all, {"textDocument", "codeAction", "dataSupport"});
  const Json* lacuna = at_path(all, {"experimental", "lacuna"});
  params.lacuna = lacuna != nullptr && lacuna->is_object();
  params.preview_fill = flag(all, {"experimental", "lacuna", "previewFill"});
  params.inline_completion = at_path(all, {"textDocument", "inlineCompletion"}) != nullptr;
  return params;
}

Result<TextDocumentItem> read_did_open(const Json& params) {
  const Json* document = member(params, "textDocument");
  if (document == nullptr) return missing("textDocument");
  const Json* uri = member(*document, "uri");
  const Json* text = member(*document, "text");
  if (!is_string(uri)) return missing("textDocument.uri");
  if (!is_string(text)) return missing("textDocument.text");
  return TextDocumentItem{.uri = uri->get<std::string>(),
                          .language = string_or(*document, "languageId", ""),
                          .version = int64_of(member(*document, "version")).value_or(0),
                          .text = text->get<std::string>()};
}

Result<DidChange> read_did_change(const Json& params) {
  const Result<std::string> uri = read_document_uri(params);
  if (!uri) return uri.error();
  const std::optional<std::int64_t> version = read_document_version(params);
  if (!version) return missing("textDocument.version");
  const Json* changes = member(params, "contentChanges");
  if (changes == nullptr || !changes->is_array()) return missing("contentChanges");
  DidChange change{.uri = *uri, .version = *version, .changes = {}};
  for (const Json& json : *changes) {
    const Json* text = member(json, "text");
    if (!is_string(text)) return missing("contentChanges[].text");
    ContentChange one{.range = {}, .text = text->get<std::string>()};
    if (const Json* range = member(json, "range"); range != nullptr) {
      const Result<Range> parsed = read_range(*range);
      if (!parsed) return parsed.error();
      one.range = *parsed;
    }
    change.changes.push_back(std::move(one));
  }
  return change;
}

Result<std::string> read_document_uri(const Json& params) {
  const Json* uri = at_path(params, {"textDocument", "uri"});
  if (!is_string(uri)) return missing("textDocument.uri");
  return uri->get<std::string>();
}

std::optional<std::int64_t> read_document_version(const Json& params) {
  return int64_of(at_path(params, {"textDocument", "version"}));
}

Result<InlineCompletionParams> read_inline_completion(const Json& params) {
  const Result<std::string> uri = read_document_uri(params);
  if (!uri) return uri.error();
  const Json* position = member(params, "position");
  if (position == nullptr) return missing("position");
  const Result<Position> place = read_position(*position);
  if (!place) return place.error();
  InlineCompletionParams read{.uri = *uri,
                              .version = read_document_version(params),
                              .position = *place,
                              .invoked = false,
                              .selected_range = {},
                              .selected_text = {}};
  const Json* context = member(params, "context");
  if (context == nullptr) return read;
  const Json* trigger = member(*context, "triggerKind");
  read.invoked = trigger != nullptr && trigger->is_number_integer() && *trigger == 1;
  const Json* selected = member(*context, "selectedCompletionInfo");
  if (selected == nullptr || !selected->is_object()) return read;
  const Json* range = member(*selected, "range");
  if (range == nullptr) return missing("selectedCompletionInfo.range");
  const Result<Range> parsed = read_range(*range);
  if (!parsed) return parsed.error();
  read.selected_range = *parsed;
  read.selected_text = string_or(*selected, "text", "");
  return read;
}

Result<CodeActionParams> read_code_action(const Json& params) {
  const Result<std::string> uri = read_document_uri(params);
  if (!uri) return uri.error();
  const Json* range = member(params, "range");
  if (range == nullptr) return missing("range");
  const Result<Range> parsed = read_range(*range);
  if (!parsed) return parsed.error();
  const Json* trigger = at_path(params, {"context", "triggerKind"});
  const Json* diagnostics = at_path(params, {"context", "diagnostics"});
  const bool has_diagnostics = diagnostics != nullptr && diagnostics->is_array();
  return CodeActionParams{.uri = *uri,
                          .range = *parsed,
                          .only = strings_of(at_path(params, {"context", "only"})),
                          .automatic = trigger != nullptr && *trigger == 2,
                          .diagnostics = has_diagnostics ? *diagnostics : Json::array()};
}

Result<ExecuteCommandParams> read_execute_command(const Json& params) {
  const Json* command = member(params, "command");
  if (!is_string(command)) return missing("command");
  ExecuteCommandParams read;
  read.command = command->get<std::string>();
  const Json* arguments = member(params, "arguments");
  if (arguments != nullptr && arguments->is_array()) read.arguments = *arguments;
  if (const Json* token = member(params, "workDoneToken"); token != nullptr) {
    read.work_done_token = *token;
  }
  return read;
}

std::string path_of_uri(std::string_view uri) {
  constexpr std::string_view kScheme = "file://";
  if (!uri.starts_with(kScheme)) return {};
  uri.remove_prefix(kScheme.size());
  if (uri.starts_with("localhost/")) uri.remove_prefix(std::string_view("localhost").size());
  if (!uri.starts_with('/')) return {};
  std::string path;
  for (std::size_t i = 0; i < uri.size(); ++i) {
    const int high = uri[i] == '%' && i + 2 < uri.size() ? hex_digit(uri[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(uri[i + 2]) : -1;
    if (low < 0) {
      path += uri[i];
      continue;
    }
    path += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return path;
}

std::string uri_of_path(std::string_view path) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string uri = "file://";
  for (const char c : path) {
    if (kPlain.find(c) != std::string_view::npos) {
      uri += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    uri += '%';
    uri += kHex[byte >> 4];
    uri += kHex[byte & 15];
  }
  return uri;
}

}  // namespace lacuna::lsp
