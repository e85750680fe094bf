// The structs of LSP 3.18 that we use, read from JSON. Unknown members are ignored; a missing or
// wrong one that we need is InvalidInput, and the message names it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lsp/json.h"
#include "lsp/text_document.h"
#include "support/result.h"

namespace lacuna::lsp {

// The member of an object, or null when `json` is no object or has none.
const Json* member(const Json& json, std::string_view name);
// Members of a type; the fallback when there is none or it has another type.
std::string string_or(const Json& json, std::string_view name, std::string_view fallback);
bool bool_or(const Json& json, std::string_view name, bool fallback);

Result<Position> read_position(const Json& json);
Result<Range> read_range(const Json& json);
Json to_json(Position position);
Json to_json(Range range);

struct WorkspaceFolder {
  std::string uri;
  std::string name;
};

struct InitializeParams {
  std::optional<std::int64_t> process_id;
  std::string client_name;
  std::vector<std::string> position_encodings;
  std::vector<WorkspaceFolder> folders;  // rootUri counts where there are no folders
  Json options;                          // initializationOptions
  std::string trace = "off";
  bool work_done_progress = false;
  bool configuration = false;               // workspace/configuration can be asked
  bool configuration_registration = false;  // didChangeConfiguration can be registered
  bool versioned_edits = false;             // workspace.workspaceEdit.documentChanges
  bool apply_edit = false;                  // workspace/applyEdit can be asked
  bool code_action_resolve_edit = false;    // codeAction.resolveSupport has "edit"
  bool code_action_data = false;            // codeAction.dataSupport
  bool inline_completion = false;
  bool lacuna = false;        // capabilities.experimental.lacuna is an object: it knows our names
  bool preview_fill = false;  // and has the command lacuna.previewFill
};

InitializeParams read_initialize(const Json& json);

struct TextDocumentItem {
  std::string uri;
  std::string language;
  std::int64_t version = 0;
  std::string text;
};

Result<TextDocumentItem> read_did_open(const Json& params);

struct ContentChange {
  std::optional<Range> range;  // none: the whole text
  std::string text;
};

struct DidChange {
  std::string uri;
  std::int64_t version = 0;
  std::vector<ContentChange> changes;  // each applies to what those before it made
};

Result<DidChange> read_did_change(const Json& params);

// params.textDocument.uri
Result<std::string> read_document_uri(const Json& params);
// params.textDocument.version, where a client sends one.
std::optional<std::int64_t> read_document_version(const Json& params);

struct InlineCompletionParams {
  std::string uri;
  std::optional<std::int64_t> version;  // not in the standard; some clients send it
  Position position;
  bool invoked = false;                 // by a command; otherwise by typing
  std::optional<Range> selected_range;  // of the item that the completion menu has highlighted
  std::string selected_text;
};

Result<InlineCompletionParams> read_inline_completion(const Json& params);

struct CodeActionParams {
  std::string uri;
  Range range;
  std::vector<std::string> only;     // kinds; empty: all
  bool automatic = false;            // asked for by the editor, not by its user
  Json diagnostics = Json::array();  // of the range, from whatever servers; as they came
};

Result<CodeActionParams> read_code_action(const Json& params);

struct ExecuteCommandParams {
  std::string command;
  Json arguments = Json::array();
  Json work_done_token;  // null: none
};

Result<ExecuteCommandParams> read_execute_command(const Json& params);

// "file:///a%20b" -> "/a b"; empty for other schemes and hosts.
std::string path_of_uri(std::string_view uri);
std::string uri_of_path(std::string_view path);

}  // namespace lacuna::lsp
