// Suggestions at the cursor: textDocument/inlineCompletion, and textDocument/completion for editors
// without it.
#include <algorithm>

#include "daemon/session_impl.h"
#include "engine/profile.h"

namespace lacuna::daemon {

using lsp::Message;
using lsp::RpcError;

namespace {

// Larger documents are generated, or no code; copying them for each keystroke costs too much.
constexpr std::size_t kMaxDocument = std::size_t{4} << 20;
constexpr std::size_t kMaxLine = 20000;
// A suggestion that took longer than this is of no use to somebody who types.
constexpr double kSuggestionSeconds = 20;

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Whatever the file's line ends are: editors write their own, and some would show a "\r".
std::string with_newlines(std::string text) {
  std::erase(text, '\r');
  return text;
}

Json inline_item(const std::string& text, lsp::Range range) {
  return {{"insertText", with_newlines(text)},
          {"range", lsp::to_json(range)},
          {"command",
           {{"title", "Lacuna: accepted"},
            {"command", "lacuna.didAccept"},
            {"arguments", Json::array()}}}};
}

// Where an answer goes: the cursor, or what the completion menu has selected.
struct Place {
  lsp::Range range;      // that is replaced
  std::string selected;  // with which the inserted text begins
};

Json inline_answer(const std::vector<std::string>& texts, const Place& place) {
  if (texts.empty()) return nullptr;
  Json items = Json::array();
  for (const std::string& text : texts) {
    items.push_back(inline_item(place.selected + text, place.range));
  }
  return {{"items", std::move(items)}};
}

// An item of the menu replaces the word before the cursor by itself and what follows, so that
// editors do not filter it out.
Json menu_answer(const std::vector<std::string>& texts, std::string_view line_before,
                 lsp::Position position) {
  if (texts.empty()) return nullptr;
  std::size_t begin = line_before.size();
  while (begin > 0 && is_word_byte(line_before[begin - 1])) --begin;
  const std::string word(line_before.substr(begin));
  lsp::Range range = {position, position};
  range.start.character -= static_cast<std::uint32_t>(word.size());  // ASCII in every encoding
  Json items = Json::array();
  for (const std::string& text : texts) {
    constexpr int kKindText = 1;
    const std::string label = word + text.substr(0, text.find_first_of("\r\n"));
    items.push_back(
        {{"label", label},
         {"kind", kKindText},
         {"detail", "Lacuna"},
         {"sortText", "\x7f"},  // behind what the language's own server says
         {"filterText", word + text},
         {"textEdit", {{"range", lsp::to_json(range)}, {"newText", with_newlines(word + text)}}}});
  }
  return {{"isIncomplete", true}, {"items", std::move(items)}};
}

// Where a suggestion is wanted.
struct Wanted {
  Place place;
  std::size_t offset = 0;
  // The text as it would be with the menu's item in place; none: the document as it is.
  std::optional<std::string> text;
};

Wanted wanted_at(const lsp::TextDocument& content, const lsp::InlineCompletionParams& params,
                 bool as_menu, lsp::PositionEncoding encoding) {
  if (!params.selected_range || as_menu) {
    return {.place = {{params.position, params.position}, {}},
            .offset = content.offset_of(params.position, encoding),
            .text = {}};
  }
  const std::size_t begin = content.offset_of(params.selected_range->start, encoding);
  const std::size_t end = content.offset_of(params.selected_range->end, encoding);
  std::string text = content.text();
  text.replace(begin, end - begin, params.selected_text);
  return {.place = {*params.selected_range, params.selected_text},
          .offset = begin + params.selected_text.size(),
          .text = std::move(text)};
}

// What of an answer is shown.
struct Shown {
  std::vector<std::string> texts;  // different ones, best first
  std::string why_nothing;         // of the first that is not shown
  float confidence = 0;            // of the first that is
};

Shown shown_of(const Cursor& cursor, const FillAnswer& filled, const Settings& settings) {
  const bool several_lines = filled.several_lines && settings.several_lines;
  Shown visible;
  for (std::size_t i = 0; i < filled.alternatives.size(); ++i) {
    const engine::HoleFill& fill = filled.alternatives[i].fills.front();
    Suggestion suggestion = suggestion_of(cursor, fill, settings.min_confidence, several_lines);
    if (const HoleSyntax syntax = filled.syntax_of(i, 0); syntax.state == SyntaxState::Withheld) {
      suggestion = {.text = {}, .why_nothing = "no fill was found that parses: " + syntax.reason};
    }
    if (visible.why_nothing.empty()) visible.why_nothing = suggestion.why_nothing;
    const auto& texts = visible.texts;
    if (suggestion.text.empty()) continue;
    if (std::find(texts.begin(), texts.end(), suggestion.text) != texts.end()) continue;
    if (texts.empty()) visible.confidence = fill.mean_probability;
    visible.texts.push_back(std::move(suggestion.text));
  }
  return visible;
}

}  // namespace

void Session::Impl::explain(const std::string& uri, lsp::Position position, bool is_shown,
                            std::string outcome) {
  last = {};
  last.uri = uri;
  last.position = position;
  last.shown = is_shown;
  last.outcome = std::move(outcome);
}

Json Session::Impl::explanation_json() const {
  return {{"uri", last.uri},
          {"position", lsp::to_json(last.position)},
          {"shown", last.shown},
          {"outcome", last.outcome},
          {"source", last.source},
          {"seconds", last.seconds},
          {"confidence", last.confidence},
          {"place", last.place},
          {"contextPieces", last.context_pieces}};
}

void Session::Impl::supersede_suggestions(const std::string& uri) {
  std::vector<Json> old;
  for (const auto& [key, request] : pending) {
    if (request.is_suggestion && request.uri == uri) old.push_back(request.id);
  }
  for (const Json& id : old) {
    host.fills->cancel(pending_request(id)->fill);
    answer(id, nullptr);
  }
}

std::string Session::Impl::refusal(const Document& document, const Cursor& cursor,
                                   bool invoked) const {
  if (!settings.values.enable) return "Lacuna is switched off (setting enable)";
  if (!document.excluded.empty()) return document.excluded;
  const std::string& language =
      document.language.empty() ? document.language_id : document.language;
  if (!wants_language(settings.values, language) ||
      !wants_language(settings.values, document.language_id)) {
    return "suggestions are switched off for the language " + language;
  }
  if (!invoked && settings.values.trigger == "manual") {
    return "suggestions only come when asked for (setting inlineCompletion.trigger)";
  }
  if (document.out_of_step) return "a change could not be applied; open the document again";
  if (cursor.text.size() > kMaxDocument) return "the document has more than 4 MiB";
  if (cursor.line_before().size() + cursor.line_after().size() > kMaxLine) {
    return "the line has more than 20,000 bytes";
  }
  if (cursor.text.find('\0') != std::string_view::npos) return "the document is not text";
  return "";
}

Json Session::Impl::document_status(const Document& document) const {
  const std::string why = refusal(document, {document.content.text(), 0}, true);
  return {{"active", why.empty()}, {"reason", why}, {"language", document.language}};
}

FillOrder Session::Impl::order_for(const Document& document, std::string text, std::size_t offset,
                                   Priority priority) const {
  FillOrder order;
  order.session = name;
  order.document = document.uri;
  order.priority = priority;
  order.text = std::move(text);
  order.holes = {hole_at({order.text, offset})};
  order.language = document.language;
  engine::apply(*engine::profile_named(settings.values.profile), order.options);
  order.options.length = engine::LengthMode::Probe;
  order.options.max_hole_tokens = settings.values.max_tokens;
  order.options.default_hole_tokens = std::min(16, settings.values.max_tokens);
  order.options.single_line = true;
  order.options.reuse_edits = settings.values.reuse_edits;
  order.at_cursor = settings.values.several_lines;
  order.syntax = settings.values.syntax;
  order.timeout_seconds = kSuggestionSeconds;
  return order;
}

void Session::Impl::on_inline_completion(const Message& message) {
  const auto params = lsp::read_inline_completion(message.params);
  if (!params) return answer_error(message.id, RpcError::InvalidParams, params.error().message);
  suggest(message, *params, false);
}

void Session::Impl::on_completion(const Message& message) {
  auto params = lsp::read_inline_completion(message.params);
  if (!params) return answer_error(message.id, RpcError::InvalidParams, params.error().message);
  params->invoked = false;  // its trigger kinds are others
  if (!settings.values.completion) return answer(message.id, nullptr);
  suggest(message, *params, true);
}

void Session::Impl::suggest(const Message& message, const lsp::InlineCompletionParams& params,
                            bool as_menu) {
  supersede_suggestions(params.uri);
  focused = params.uri;
  Document* document = this->document(params.uri);
  if (document == nullptr) {
    explain(params.uri, params.position, false, "the document is not open");
    return answer(message.id, nullptr);
  }
  if (params.version && *params.version != document->version) {
    explain(params.uri, params.position, false, "the document has changed meanwhile");
    return answer(message.id, nullptr);
  }
  const Wanted where = wanted_at(document->content, params, as_menu, encoding);
  const std::string& text = where.text ? *where.text : document->content.text();
  const std::size_t offset = where.offset;
  const Cursor cursor = {text, offset};
  if (std::string why = refusal(*document, cursor, params.invoked); !why.empty()) {
    explain(params.uri, params.position, false, std::move(why));
    tell_status();
    return answer(message.id, nullptr);
  }
  const std::size_t wanted =
      params.invoked ? static_cast<std::size_t>(settings.values.alternatives) : 1;
  const auto answer_with = [as_menu, place = where.place, position = params.position](
                               const std::vector<std::string>& texts, const Cursor& at) {
    return as_menu ? menu_answer(texts, at.line_before(), position) : inline_answer(texts, place);
  };
  if (auto found = document->cache.find(cursor);
      found && (!params.invoked || found->texts.size() >= wanted)) {
    explain(params.uri, params.position, !found->texts.empty(),
            found->texts.empty() ? "nothing fits here, as found before" : "shown");
    last.source = "cache";
    last.confidence = found->confidence;
    if (!params.invoked && found->texts.size() > 1) found->texts.resize(1);
    return answer(message.id, answer_with(found->texts, cursor));
  }

  PendingRequest& request = *pending_request(message.id);
  request.uri = params.uri;
  request.is_suggestion = true;
  FillOrder order = order_for(*document, text, offset, Priority::Interactive);
  order.alternatives = static_cast<int>(wanted);
  order.context = context_for(*document, std::min(offset, document->content.text().size()));
  explain(params.uri, params.position, false, "the model is still at work");
  request.fill = host.fills->submit(
      std::move(order), nullptr,
      [weak = weak_from_this(), id = message.id, params, text, offset,
       answer_with](const Result<FillAnswer>& filled) {
        const auto self = weak.lock();
        if (!self || self->pending_request(id) == nullptr) return;  // superseded, or cancelled
        if (!filled) {
          self->explain(params.uri, params.position, false, filled.error().message);
          return self->answer(id, nullptr);
        }
        const Cursor at = {text, offset};
        const Shown visible = shown_of(at, *filled, self->settings.values);
        const bool is_shown = !visible.texts.empty();
        self->explain(params.uri, params.position, is_shown,
                      is_shown ? "shown" : visible.why_nothing);
        self->last.source = "model";
        self->last.confidence = visible.confidence;
        self->last.context_pieces = filled->context_pieces;
        self->last.place = filled->place;
        const PendingRequest& done = *self->pending_request(id);
        self->last.seconds = std::chrono::duration<double>(SteadyClock::now() - done.since).count();
        self->last_seconds = self->last.seconds;
        if (Document* open = self->document(params.uri); open != nullptr) {
          open->cache.add(at, visible.texts, visible.confidence);
        }
        self->answer(id, answer_with(visible.texts, at));
        if (!is_shown) return;
        std::string next = text;
        next.insert(offset, visible.texts.front());
        self->speculate(params.uri, std::move(next), offset + visible.texts.front().size());
      });
  if (host.fills->state().phase == ModelPhase::Loading) begin_load_progress();
  tell_status();
}

// Computes what will be asked for when the suggestion has been accepted.
void Session::Impl::speculate(const std::string& uri, std::string text, std::size_t offset) {
  Document* document = this->document(uri);
  if (!settings.values.speculate || document == nullptr) return;
  const Cursor cursor = {text, offset};
  if (document->cache.find(cursor)) return;
  FillOrder order = order_for(*document, text, offset, Priority::Background);
  order.context = context_for(*document, std::min(offset, document->content.text().size()));
  host.fills->submit(std::move(order), nullptr,
                     [weak = weak_from_this(), uri, text = std::move(text),
                      offset](const Result<FillAnswer>& filled) {
                       const auto self = weak.lock();
                       if (!self || !filled) return;
                       Document* open = self->document(uri);
                       if (open == nullptr) return;
                       const Cursor at = {text, offset};
                       const Shown visible = shown_of(at, *filled, self->settings.values);
                       open->cache.add(at, visible.texts, visible.confidence);
                     });
}

}  // namespace lacuna::daemon
