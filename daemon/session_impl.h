// The inside of Session, shared by its sources: session.cpp (lifecycle, documents, settings),
// session_completion.cpp, session_context.cpp, session_fill.cpp, session_actions.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/context_ranker.h"
#include "daemon/ignore.h"
#include "daemon/neighbour_files.h"
#include "daemon/session.h"
#include "daemon/suggestion.h"
#include "lsp/json_rpc.h"
#include "lsp/protocol.h"
#include "lsp/text_document.h"

namespace lacuna::daemon {

using lsp::Json;
using SteadyClock = std::chrono::steady_clock;

struct Document {
  std::string uri;
  std::string language_id;  // as the editor calls it
  std::string language;     // a name of support/language.h; may be empty
  std::string path;         // empty where the URI is no file
  std::int64_t version = 0;
  lsp::TextDocument content;
  std::string excluded;      // why it is never read; empty: it may be
  bool out_of_step = false;  // a change could not be applied: wrong until it is opened again
  SteadyClock::time_point last_edit;
  std::vector<std::size_t> edits;     // where it was edited lately, the last one first
  std::optional<ContextIndex> index;  // of `content`; none: it has changed, or was not needed yet
  SuggestionCache cache;
};

// A request of the client that has not been answered.
struct PendingRequest {
  Json id;
  std::string method;
  std::string uri;                  // of the document that it is about; may be empty
  bool is_suggestion = false;       // a newer one, or a change, answers it with null
  bool needs_same_version = false;  // a change answers it with ContentModified
  FillId fill = 0;
  Json work_done_token;  // null: none, or ended
  SteadyClock::time_point since;
};

// Why the last suggestion was shown, or was not, or what became of the last fill.
struct Explanation {
  std::string uri;
  lsp::Position position;
  std::string outcome = "nothing has been asked for yet";  // a clause
  bool shown = false;
  std::string source;  // "model", "cache"
  double seconds = 0;
  float confidence = 0;
  int context_pieces = 0;
  std::string place;  // what stands there, as far as a grammar told
};

// A code action.
struct Offer {
  std::string title;
  std::string_view kind;
  std::string_view what;  // of lacuna/fill
  lsp::Range range;
  double strength = 1;
};

struct Session::Impl : std::enable_shared_from_this<Session::Impl> {
  enum class State : std::uint8_t { New, Initialized, ShutDown, Exited };
  using Handler = void (Impl::*)(const lsp::Message&);

  Impl(std::string session_name, SessionHost session_host);

  // session.cpp: messages
  void receive(std::string_view body);
  void handle_request(const lsp::Message& message);
  void handle_notification(const lsp::Message& message);
  void handle_response(const lsp::Message& message);
  void send(std::string body) const { host.send(std::move(body)); }
  void notify(std::string_view method, Json params) const;
  void ask(std::string_view method, Json params,
           std::function<void(const lsp::Message&)> on_answer);
  // Both answer a request that is pending, once; for others they do nothing.
  void answer(const Json& id, Json result);
  void answer_error(const Json& id, lsp::RpcError code, std::string_view text);
  void log_to_client(int type, const std::string& text) const;
  PendingRequest& begin_request(const lsp::Message& message);
  PendingRequest* pending_request(const Json& id);

  // session.cpp: lifecycle and documents
  void on_initialize(const lsp::Message& message);
  void on_shutdown(const lsp::Message& message);
  void on_initialized(const lsp::Message& message);
  void on_cancel(const lsp::Message& message);
  void on_set_trace(const lsp::Message& message);
  void on_work_done_cancel(const lsp::Message& message);
  void on_did_open(const lsp::Message& message);
  void on_did_change(const lsp::Message& message);
  void on_did_close(const lsp::Message& message);
  void on_did_save(const lsp::Message& message);
  void on_configuration(const lsp::Message& message);
  void on_folders(const lsp::Message& message);
  void on_seen(const lsp::Message& message);  // didShow, didPartiallyAccept
  void on_focus(const lsp::Message& message);
  void on_status(const lsp::Message& message);
  void pull_configuration();
  void use_settings(const Json* editor_settings);
  void read_ignore_files();
  void exclude_where_needed(Document& document) const;
  Document* document(const std::string& uri);
  // Ends what a change of the document makes pointless.
  void document_changed(const std::string& uri);
  void on_phase_change();
  // didChangeStatus, for clients that know it.
  void tell_status();
  void begin_load_progress();
  void end_load_progress(const std::string& text);

  // session_completion.cpp
  void on_inline_completion(const lsp::Message& message);
  void on_completion(const lsp::Message& message);
  void suggest(const lsp::Message& message, const lsp::InlineCompletionParams& params,
               bool as_menu);
  std::string refusal(const Document& document, const Cursor& cursor, bool invoked) const;
  Json document_status(const Document& document) const;
  void supersede_suggestions(const std::string& uri);
  FillOrder order_for(const Document& document, std::string text, std::size_t offset,
                      Priority priority) const;
  void speculate(const std::string& uri, std::string text, std::size_t offset);
  void explain(const std::string& uri, lsp::Position position, bool shown, std::string outcome);
  Json explanation_json() const;

  // session_context.cpp
  std::vector<ContextPiece> context_for(const Document& document, std::size_t offset);
  // The files beside a document that were found last; looks for newer ones in the background.
  NeighbourFiles neighbours_of(const Document& document);
  // Applies one change of a didChange, and remembers where it was.
  void apply_change(Document& document, const lsp::ContentChange& change);

  // session_fill.cpp
  struct FillWish {
    std::string uri;
    std::optional<std::int64_t> version;
    std::vector<engine::Hole> holes;
    bool whole_lines = true;  // fills may have several lines
    double strength = 1;      // below 1 the model chooses the parts of the hole that are filled
    bool must_parse = false;  // the hole is a syntax error: no fill that leaves one is of use
    std::optional<int> max_tokens;
    Json partial_token;  // null: no partial results
  };
  using OnFilled = std::function<void(Impl&, const Document&, const FillWish&, const FillAnswer&)>;
  void on_fill(const lsp::Message& message);
  void on_holes(const lsp::Message& message);  // lacuna/holes
  // Fills for a pending request; answers it with an error when that fails or the document changes.
  void fill(PendingRequest& request, FillWish wish, OnFilled on_filled);
  Result<std::vector<engine::Hole>> holes_of(const Document& document, const Json& params) const;
  // Of the first alternative: why a hole keeps its text; empty where it is filled.
  static std::string why_withheld(const FillWish& wish, const FillAnswer& answer, std::size_t hole);
  // That of all holes in a clause; empty when all are filled.
  static std::string withheld_summary(const FillWish& wish, const FillAnswer& answer);
  void explain_fill(const FillWish& wish, const FillAnswer& answer);
  // Of the holes that are filled.
  Json workspace_edit(const Document& document, const FillWish& wish,
                      const FillAnswer& answer) const;
  Json fill_result(const Document& document, const FillWish& wish, const FillAnswer& answer) const;
  Json step_json(const FillWish& wish, const FillStep& step) const;
  Json range_json(const Document& document, const engine::Hole& hole) const;
  void report_work(const Json& token, std::string_view kind, const std::string& text,
                   std::optional<int> percent) const;

  // session_actions.cpp
  void on_code_action(const lsp::Message& message);
  void on_resolve(const lsp::Message& message);
  void on_execute_command(const lsp::Message& message);
  // Whether every hole was withheld; then the request has been answered with the reason.
  bool fills_nothing(const Json& id, const FillWish& wish, const FillAnswer& filled);
  void fill_and_apply(const lsp::Message& message, const lsp::ExecuteCommandParams& params);
  Result<FillWish> wish_of(const Json& data);
  std::vector<Offer> offers_at(const Document& document, lsp::Range range) const;
  Result<std::vector<engine::Hole>> picked_holes(const Document& document, std::string_view what,
                                                 lsp::Range range) const;

  std::string name;
  SessionHost host;
  State state = State::New;
  int exit_code = 1;
  lsp::InitializeParams client;
  lsp::PositionEncoding encoding = lsp::PositionEncoding::Utf16;
  SettingsState settings;
  std::set<std::string> warned;  // of settings; each is told once
  std::string trace = "off";
  std::map<std::string, Document> documents;                              // by URI
  std::map<std::string, PendingRequest> pending;                          // by id, as JSON
  std::map<std::string, std::function<void(const lsp::Message&)>> asked;  // by id
  std::uint64_t last_ask = 0;
  std::uint64_t last_token = 0;
  ReadRules rules;
  struct Neighbours {
    NeighbourFiles files;
    SteadyClock::time_point asked;
  };
  std::map<std::string, Neighbours> neighbours;  // by folder and language
  std::string focused;  // the document that the user looks at; may be empty
  Explanation last;
  std::uint64_t shown = 0;
  std::uint64_t accepted = 0;
  std::uint64_t partly_accepted = 0;
  FillService::ListenerId listener = 0;
  std::string load_token;  // of the progress that is shown; empty: none
  bool load_begun = false;
  std::string last_problem;
  double last_seconds = 0;  // of the last answer of the model
  std::string told_status;  // what didChangeStatus said last
};

}  // namespace lacuna::daemon
