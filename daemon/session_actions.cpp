// Code actions and commands.
#include <algorithm>

#include "daemon/session_impl.h"
#include "grammar/holes.h"
#include "grammar/syntax_tree.h"
#include "support/language.h"

namespace lacuna::daemon {

using lsp::Message;
using lsp::RpcError;

namespace {

constexpr int kMaxHoleTokens = 1024;
constexpr int kMaxBodyTokens = 256;
constexpr std::string_view kQuickFix = "quickfix";
constexpr std::string_view kRewrite = "refactor.rewrite";

// The tree of a document, where its language has a parser.
std::optional<grammar::SyntaxTree> tree_of(const Document& document) {
  const grammar::Grammar* grammar = grammar::grammar_of(language_named(document.language));
  if (grammar == nullptr) return std::nullopt;
  return grammar::Parser(*grammar).parse(document.content.text());
}

// Whether a client that wants `only` wants `kind`: it names the kind or one above it.
bool wants_kind(const std::vector<std::string>& only, std::string_view kind) {
  return only.empty() || std::any_of(only.begin(), only.end(), [&](const std::string& wanted) {
           return kind == wanted || kind.starts_with(wanted + ".") || wanted.empty();
         });
}

// A part of a function that a glance can judge.
constexpr double kPartStrength = 0.3;

std::string called(const grammar::PickedHole& body) {
  return body.item_name.empty() ? "this function" : body.item_name;
}

// The body around a line is what functions are named by; stubs are those still to be written.
void offer_function(std::string_view text, const grammar::SyntaxTree& tree, lsp::Range range,
                    std::vector<Offer>& offers) {
  const auto bodies = grammar::holes_of_node(text, tree, std::to_string(range.start.line + 1));
  if (!bodies || bodies->empty()) return;
  const grammar::PickedHole& body = bodies->front();
  const auto stubs = grammar::stub_bodies(text, tree);
  const bool is_stub = std::any_of(stubs.begin(), stubs.end(), [&](const auto& stub) {
    return stub.span.begin == body.span.begin && stub.span.end == body.span.end;
  });
  if (is_stub) {
    offers.push_back({"Implement " + called(body), kQuickFix, "implement", range});
    return;
  }
  offers.push_back({"Rewrite " + called(body), kRewrite, "rewrite", range});
  offers.push_back({"Rewrite the least certain part of " + called(body), kRewrite, "rewrite", range,
                    kPartStrength});
}

// The first error that touches the lines [begin, end), as far as it lies in them: how far the parser
// lets an error reach says little.
std::optional<grammar::Span> error_in_lines(const grammar::SyntaxTree& tree, std::size_t begin,
                                            std::size_t end) {
  for (const grammar::SyntaxError& error : grammar::syntax_errors(tree)) {
    if (error.end < begin || error.begin > end) continue;
    return grammar::Span{std::max(error.begin, begin), std::min(error.end, end)};
  }
  return std::nullopt;
}

}  // namespace

void Session::Impl::on_code_action(const Message& message) {
  const auto params = lsp::read_code_action(message.params);
  if (!params) return answer_error(message.id, RpcError::InvalidParams, params.error().message);
  const Document* open = document(params->uri);
  if (open == nullptr || !open->excluded.empty() || open->out_of_step || !settings.values.enable) {
    return answer(message.id, nullptr);
  }
  Json actions = Json::array();
  for (const Offer& offer : offers_at(*open, params->range)) {
    if (!wants_kind(params->only, offer.kind)) continue;
    Json data = {{"what", offer.what},
                 {"uri", open->uri},
                 {"version", open->version},
                 {"range", lsp::to_json(offer.range)}};
    if (offer.strength < 1) data["strength"] = offer.strength;
    Json action = {{"title", offer.title}, {"kind", offer.kind}};
    if (offer.what == "fix" && !params->diagnostics.empty()) {
      action["diagnostics"] = params->diagnostics;
    }
    if (client.preview_fill) {
      action["command"] = {
          {"title", offer.title}, {"command", "lacuna.previewFill"}, {"arguments", {data}}};
    } else if (client.code_action_resolve_edit && client.code_action_data) {
      action["data"] = std::move(data);
    } else {
      action["command"] = {
          {"title", offer.title}, {"command", "lacuna.fillHoles"}, {"arguments", {data}}};
    }
    actions.push_back(std::move(action));
  }
  answer(message.id, std::move(actions));
}

std::vector<Offer> Session::Impl::offers_at(const Document& document, lsp::Range range) const {
  std::vector<Offer> offers;
  const std::string& text = document.content.text();
  const std::size_t begin = document.content.offset_of(range.start, encoding);
  const std::size_t end = document.content.offset_of(range.end, encoding);
  const auto range_of = [&](std::size_t from, std::size_t to) {
    return lsp::Range{document.content.position_of(from, encoding),
                      document.content.position_of(to, encoding)};
  };
  const auto markers = engine::find_markers(text, kMaxHoleTokens);
  const bool has_markers = markers && !markers->empty();
  if (has_markers) {
    for (const engine::Hole& hole : *markers) {
      if (hole.end < begin || hole.begin > end) continue;
      offers.push_back({"Fill this hole", kQuickFix, "hole", range_of(hole.begin, hole.end)});
      break;
    }
    offers.push_back({markers->size() == 1
                          ? "Fill the hole of this file"
                          : "Fill all " + std::to_string(markers->size()) + " holes of this file",
                      kQuickFix, "all", range});
  }
  if (begin < end) offers.push_back({"Rewrite the selection", kRewrite, "selection", range});
  const auto tree = tree_of(document);
  if (!tree) return offers;
  // A marker is an error of its own.
  if (tree->has_error() && !has_markers) {
    const std::size_t line = begin == 0 ? 0 : text.rfind('\n', begin - 1) + 1;  // npos + 1 is 0
    const std::size_t line_end = std::min(text.find('\n', end), text.size());
    if (const auto error = error_in_lines(*tree, line, line_end)) {
      offers.push_back(
          {"Fix this syntax error", kQuickFix, "fix", range_of(error->begin, error->end)});
    }
  }
  offer_function(text, *tree, range, offers);
  return offers;
}

Result<std::vector<engine::Hole>> Session::Impl::picked_holes(const Document& document,
                                                              std::string_view what,
                                                              lsp::Range range) const {
  const auto tree = tree_of(document);
  if (!tree) {
    return fail(ErrorCode::InvalidInput, "there is no grammar for this document's language");
  }
  const std::string& text = document.content.text();
  std::vector<grammar::PickedHole> picked;
  if (what == "fix") {
    picked = {grammar::hole_of_diagnostic(text, *tree,
                                          {document.content.offset_of(range.start, encoding),
                                           document.content.offset_of(range.end, encoding)})};
  } else {
    auto bodies = grammar::holes_of_node(text, *tree, std::to_string(range.start.line + 1));
    if (!bodies) return fail(ErrorCode::InvalidInput, bodies.error().message);
    picked = std::move(*bodies);
  }
  std::vector<engine::Hole> holes;
  holes.reserve(picked.size());
  for (const grammar::PickedHole& hole : picked) {
    holes.push_back({.begin = hole.span.begin, .end = hole.span.end, .tokens = {}, .hint = {}});
  }
  return holes;
}

Result<Session::Impl::FillWish> Session::Impl::wish_of(const Json& data) {
  const std::string uri = lsp::string_or(data, "uri", "");
  const Document* open = document(uri);
  if (open == nullptr) return fail(ErrorCode::InvalidInput, "the document is not open");
  FillWish wish;
  wish.uri = uri;
  const Json* version = lsp::member(data, "version");
  if (version != nullptr && version->is_number_integer())
    wish.version = version->get<std::int64_t>();
  if (wish.version && *wish.version != open->version) {
    return fail(ErrorCode::Cancelled, "the document has changed meanwhile");
  }
  const std::string what = lsp::string_or(data, "what", "all");
  auto markers = engine::find_markers(open->content.text(), kMaxHoleTokens);
  if (what == "all") {
    if (!markers) return markers.error();
    wish.holes = std::move(*markers);
  } else {
    const Json* json = lsp::member(data, "range");
    const Result<lsp::Range> range = json == nullptr
                                         ? fail(ErrorCode::InvalidInput, "there is no range")
                                         : lsp::read_range(*json);
    if (!range) return range.error();
    const std::size_t begin = open->content.offset_of(range->start, encoding);
    const std::size_t end = open->content.offset_of(range->end, encoding);
    if (what == "selection") {
      wish.holes = {{.begin = begin, .end = end, .tokens = {}, .hint = {}}};
    } else if (what == "implement" || what == "rewrite" || what == "fix") {
      auto picked = picked_holes(*open, what, *range);
      if (!picked) return picked.error();
      wish.holes = std::move(*picked);
      wish.must_parse = what == "fix";
      if (what != "fix") wish.max_tokens = kMaxBodyTokens;
      if (const Json* strength = lsp::member(data, "strength"); strength != nullptr) {
        wish.strength = strength->is_number() ? strength->get<double>() : -1;
        if (what != "rewrite" || !(wish.strength >= 0 && wish.strength <= 1)) {
          return fail(ErrorCode::InvalidInput,
                      "a strength is a number from 0 to 1, and belongs to a rewrite");
        }
      }
    } else if (what != "hole") {
      return fail(ErrorCode::InvalidInput, "there is nothing called " + what + " to fill");
    } else if (markers) {
      const auto found =
          std::find_if(markers->begin(), markers->end(),
                       [&](const engine::Hole& it) { return it.end >= begin && it.begin <= end; });
      if (found != markers->end()) wish.holes = {*found};
    }
  }
  if (wish.holes.empty()) {
    return fail(ErrorCode::InvalidInput, "there is no hole: mark one with \u27E6?\u27E7");
  }
  if (const auto ok = engine::check_and_sort(open->content.text(), wish.holes); !ok) {
    return ok.error();
  }
  return wish;
}

// An edit that changes nothing would look like success: it is an error with the reason instead.
bool Session::Impl::fills_nothing(const Json& id, const FillWish& wish, const FillAnswer& filled) {
  for (std::size_t i = 0; i < wish.holes.size(); ++i) {
    if (why_withheld(wish, filled, i).empty()) return false;
  }
  answer_error(id, RpcError::RequestFailed, withheld_summary(wish, filled));
  return true;
}

void Session::Impl::on_resolve(const Message& message) {
  const Json* data = lsp::member(message.params, "data");
  if (data == nullptr) return answer(message.id, message.params);
  Result<FillWish> wish = wish_of(*data);
  if (!wish) {
    const bool moved_on = wish.error().code == ErrorCode::Cancelled;
    return answer_error(message.id, moved_on ? RpcError::ContentModified : RpcError::InvalidParams,
                        wish.error().message);
  }
  fill(*pending_request(message.id), std::move(*wish),
       [id = message.id, action = message.params](
           Impl& self, const Document& document, const FillWish& wished, const FillAnswer& filled) {
         if (self.fills_nothing(id, wished, filled)) return;
         Json resolved = action;
         resolved["edit"] = self.workspace_edit(document, wished, filled);
         self.answer(id, std::move(resolved));
       });
}

void Session::Impl::on_execute_command(const Message& message) {
  const auto params = lsp::read_execute_command(message.params);
  if (!params) return answer_error(message.id, RpcError::InvalidParams, params.error().message);
  if (params->command == "lacuna.didAccept") {
    ++accepted;
    return answer(message.id, nullptr);
  }
  if (params->command == "lacuna.explainLast") return answer(message.id, explanation_json());
  if (params->command == "lacuna.cancel") {
    std::vector<Json> open;
    for (const auto& [key, request] : pending) {
      if (request.fill != 0) open.push_back(request.id);
    }
    for (const Json& id : open) {
      const PendingRequest& request = *pending_request(id);
      host.fills->cancel(request.fill);
      if (request.is_suggestion) {
        answer(id, nullptr);
      } else {
        answer_error(id, RpcError::RequestCancelled, "cancelled");
      }
    }
    return answer(message.id, {{"cancelled", open.size()}});
  }
  if (params->command == "lacuna.unloadModel") {
    const bool at_once = host.fills->release();
    return answer(message.id, {{"when", at_once ? "now" : "after the fill that runs"}});
  }
  if (params->command == "lacuna.shutdownDaemon") {
    if (!host.end_daemon) {
      return answer_error(message.id, RpcError::RequestFailed, "there is no daemon here");
    }
    answer(message.id, nullptr);
    return host.end_daemon();
  }
  if (params->command == "lacuna.fillHoles") return fill_and_apply(message, *params);
  answer_error(message.id, RpcError::InvalidParams, "there is no command " + params->command);
}

void Session::Impl::fill_and_apply(const Message& message,
                                   const lsp::ExecuteCommandParams& params) {
  const Json data = params.arguments.empty() ? Json::object() : params.arguments[0];
  Result<FillWish> wish = wish_of(data);
  if (!wish) {
    const bool moved_on = wish.error().code == ErrorCode::Cancelled;
    return answer_error(message.id, moved_on ? RpcError::ContentModified : RpcError::InvalidParams,
                        wish.error().message);
  }
  if (!client.apply_edit) {
    return answer_error(message.id, RpcError::RequestFailed,
                        "this editor cannot apply edits; use lacuna/fill");
  }
  PendingRequest& request = *pending_request(message.id);
  request.work_done_token = params.work_done_token;
  fill(request, std::move(*wish),
       [id = message.id](Impl& self, const Document& document, const FillWish& wished,
                         const FillAnswer& filled) {
         if (self.fills_nothing(id, wished, filled)) return;
         // The edit carries the version that it is for; from here on the editor's own changes are
         // the editor's to judge, and applying the edit is one of them.
         self.pending_request(id)->needs_same_version = false;
         self.ask("workspace/applyEdit",
                  {{"label", "Lacuna: fill holes"},
                   {"edit", self.workspace_edit(document, wished, filled)}},
                  [weak = self.weak_from_this(), id,
                   withheld = withheld_summary(wished, filled)](const Message& got) {
                    const auto session = weak.lock();
                    if (!session) return;
                    const bool applied = lsp::bool_or(got.result, "applied", false);
                    std::string reason = lsp::string_or(got.result, "failureReason", "");
                    if (applied) reason = withheld;
                    session->answer(id, {{"applied", applied}, {"reason", std::move(reason)}});
                  });
       });
}

}  // namespace lacuna::daemon
