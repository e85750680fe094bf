// lacuna/fill: any holes of a document at once, every step told.
#include <algorithm>
#include <memory>

#include "daemon/context_ranker.h"
#include "daemon/session_impl.h"
#include "engine/profile.h"
#include "support/text.h"

namespace lacuna::daemon {

using lsp::Message;
using lsp::RpcError;

namespace {

constexpr int kMaxHoleTokens = 1024;
constexpr std::size_t kMaxHoles = 256;
constexpr std::size_t kMaxDocument = std::size_t{32} << 20;

RpcError rpc_error_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidInput:
      return RpcError::InvalidParams;
    case ErrorCode::Cancelled:
      return RpcError::RequestCancelled;
    case ErrorCode::Internal:
      return RpcError::InternalError;
    case ErrorCode::NotFound:
    case ErrorCode::Unavailable:
    case ErrorCode::Corrupt:
      break;
  }
  return RpcError::RequestFailed;
}

std::optional<int> int_of(const Json& json, std::string_view name) {
  const Json* found = lsp::member(json, name);
  if (found == nullptr || !found->is_number_integer()) return std::nullopt;
  if (*found < 1 || *found > kMaxHoleTokens) return std::nullopt;
  return found->get<int>();
}

}  // namespace

Json Session::Impl::range_json(const Document& document, const engine::Hole& hole) const {
  return lsp::to_json(lsp::Range{document.content.position_of(hole.begin, encoding),
                                 document.content.position_of(hole.end, encoding)});
}

Json Session::Impl::step_json(const FillWish& wish, const FillStep& step) const {
  Json holes = Json::array();
  const Document& document = documents.at(wish.uri);  // unchanged while the request waits
  for (const FillStep::HoleState& hole : step.holes) {
    Json tokens = Json::array();
    for (const engine::HoleToken& token : hole.tokens) {
      if (token.masked) {
        tokens.push_back({{"masked", true}});
      } else {
        tokens.push_back(
            {{"text", replace_invalid_utf8(token.text)}, {"probability", token.probability}});
      }
    }
    const engine::Hole& place = wish.holes[static_cast<std::size_t>(hole.hole)];
    holes.push_back({{"hole", hole.hole},
                     {"range", range_json(document, place)},
                     {"tokens", std::move(tokens)}});
  }
  return {{"step", step.step},
          {"steps", step.steps},
          {"masksLeft", step.masks_left},
          {"masksTotal", step.masks_total},
          {"holes", std::move(holes)}};
}

void Session::Impl::report_work(const Json& token, std::string_view kind, const std::string& text,
                                std::optional<int> percent) const {
  Json value = {{"kind", kind}};
  if (kind == "begin") {
    value["title"] = "Lacuna";
    value["cancellable"] = true;
    value["percentage"] = 0;
  }
  if (!text.empty()) value["message"] = text;
  if (percent) value["percentage"] = *percent;
  notify("$/progress", {{"token", token}, {"value", std::move(value)}});
}

Result<std::vector<engine::Hole>> Session::Impl::holes_of(const Document& document,
                                                          const Json& params) const {
  const std::string& text = document.content.text();
  const Json* ranges = lsp::member(params, "ranges");
  const Json* list = lsp::member(params, "holes");
  if (ranges == nullptr && list == nullptr) {
    Result<std::vector<engine::Hole>> holes = engine::find_markers(text, kMaxHoleTokens);
    if (holes && holes->empty()) {
      return fail(ErrorCode::InvalidInput,
                  "there is no hole: mark one with \u27E6?\u27E7, or send ranges or holes");
    }
    return holes;
  }
  std::vector<engine::Hole> holes;
  const auto add = [&](const Json& range_json, const Json& extra) -> Result<void> {
    const Result<lsp::Range> range = lsp::read_range(range_json);
    if (!range) return range.error();
    holes.push_back({.begin = document.content.offset_of(range->start, encoding),
                     .end = document.content.offset_of(range->end, encoding),
                     .tokens = int_of(extra, "tokens"),
                     .hint = lsp::string_or(extra, "hint", "")});
    return {};
  };
  for (const Json* items : {ranges, list}) {
    if (items == nullptr) continue;
    if (!items->is_array() || items->size() > kMaxHoles) {
      return fail(ErrorCode::InvalidInput,
                  "holes and ranges must be lists of at most " + std::to_string(kMaxHoles));
    }
    for (const Json& item : *items) {
      const Json* range = items == ranges ? &item : lsp::member(item, "range");
      if (range == nullptr) return fail(ErrorCode::InvalidInput, "a hole has no range");
      if (const Result<void> added = add(*range, item); !added) return added.error();
    }
  }
  if (holes.empty()) return fail(ErrorCode::InvalidInput, "there is no hole to fill");
  if (const auto sorted = engine::check_and_sort(text, holes); !sorted) return sorted.error();
  return holes;
}

void Session::Impl::fill(PendingRequest& request, FillWish wish, OnFilled on_filled) {
  const Json id = request.id;
  const Document* open = document(wish.uri);
  if (open == nullptr) {
    return answer_error(id, RpcError::InvalidParams, "the document is not open");
  }
  if (!open->excluded.empty()) return answer_error(id, RpcError::RequestFailed, open->excluded);
  if (open->out_of_step) {
    return answer_error(id, RpcError::ContentModified,
                        "a change could not be applied; open the document again");
  }
  if (wish.version && *wish.version != open->version) {
    return answer_error(id, RpcError::ContentModified, "the document has changed meanwhile");
  }
  if (open->content.text().size() > kMaxDocument) {
    return answer_error(id, RpcError::RequestFailed, "the document has more than 32 MiB");
  }
  request.uri = wish.uri;
  request.needs_same_version = true;
  FillOrder order;
  order.session = name;
  order.document = wish.uri;
  order.priority = Priority::Requested;
  order.text = open->content.text();
  order.holes = wish.holes;
  order.language = open->language;
  order.context = context_for(*open, wish.holes.front().begin);
  engine::apply(*engine::profile_named(settings.values.profile), order.options);
  order.options.length = engine::LengthMode::Probe;
  order.options.max_hole_tokens = wish.max_tokens.value_or(64);
  order.options.single_line = !wish.whole_lines;
  order.syntax = settings.values.syntax || wish.must_parse;
  if (wish.must_parse) order.options.exact = false;  // under the profile exact nothing is checked
  if (wish.strength < 1) order.least_certain = wish.strength;
  const bool begins = request.fill == 0;  // not when its holes have just been chosen
  if (begins && !request.work_done_token.is_null())
    report_work(request.work_done_token, "begin", "", {});
  // What the steps and the end need: the document may be gone by then, the request is not.
  const auto shared = std::make_shared<const FillWish>(std::move(wish));
  const std::string key = id.dump();
  request.fill = host.fills->submit(
      std::move(order),
      [weak = weak_from_this(), shared, key](const FillStep& step) {
        const auto self = weak.lock();
        const auto found = self ? self->pending.find(key) : decltype(self->pending.end())();
        if (!self || found == self->pending.end()) return;
        if (!shared->partial_token.is_null()) {
          self->notify("$/progress", {{"token", shared->partial_token},
                                      {"value", self->step_json(*shared, step)}});
        }
        const Json& token = found->second.work_done_token;
        if (token.is_null() || step.masks_total == 0) return;
        self->report_work(token, "report", "",
                          100 * (step.masks_total - step.masks_left) / step.masks_total);
      },
      [weak = weak_from_this(), id, shared,
       on_filled = std::move(on_filled)](const Result<FillAnswer>& filled) {
        const auto self = weak.lock();
        if (!self || self->pending_request(id) == nullptr) return;
        if (!filled) {
          return self->answer_error(id, rpc_error_of(filled.error().code), filled.error().message);
        }
        if (shared->strength < 1) {
          FillWish parts = *shared;
          parts.strength = 1;
          parts.holes = filled->least_certain;
          if (parts.holes.empty()) {
            return self->answer_error(id, RpcError::RequestFailed, "there is nothing to rewrite");
          }
          return self->fill(*self->pending_request(id), std::move(parts), on_filled);
        }
        self->explain_fill(*shared, *filled);
        on_filled(*self, *self->document(shared->uri), *shared, *filled);
      });
  if (host.fills->state().phase == ModelPhase::Loading) begin_load_progress();
  tell_status();
}

std::string Session::Impl::why_withheld(const FillWish& wish, const FillAnswer& answer,
                                        std::size_t hole) {
  if (answer.alternatives.front().fills[hole].masks_left > 0) {
    return "the model did not finish it; try another profile";
  }
  const HoleSyntax syntax = answer.syntax_of(0, hole);
  if (wish.must_parse && syntax.state == SyntaxState::Unchecked) {
    return "whether it parses cannot be told: " + syntax.reason;
  }
  if (wish.must_parse && syntax.state == SyntaxState::NoWorse) {
    return "no fill was found with which the text around it parses";
  }
  if (syntax.state != SyntaxState::Withheld) return "";
  return "no fill was found that parses: " + syntax.reason;
}

std::string Session::Impl::withheld_summary(const FillWish& wish, const FillAnswer& answer) {
  const std::size_t holes = answer.alternatives.front().fills.size();
  std::size_t withheld = 0;
  std::string first;
  for (std::size_t i = 0; i < holes; ++i) {
    std::string why = why_withheld(wish, answer, i);
    if (why.empty()) continue;
    ++withheld;
    if (first.empty()) first = std::move(why);
  }
  if (withheld == 0) return "";
  if (holes == 1) return "the hole was left as it was: " + first;
  return std::to_string(withheld) + " of " + std::to_string(holes) +
         " holes were left as they were: " + first;
}

// For lacuna.explainLast: a fill is the last thing that was asked for, too.
void Session::Impl::explain_fill(const FillWish& wish, const FillAnswer& answer) {
  const Document& document = documents.at(wish.uri);
  std::string withheld = withheld_summary(wish, answer);
  const bool any = !withheld.empty();
  explain(wish.uri, document.content.position_of(wish.holes.front().begin, encoding), !any,
          any ? std::move(withheld) : "filled");
  last.source = "model";
  last.seconds = answer.queued_seconds + answer.load_seconds + answer.denoise_seconds;
  last.confidence = answer.alternatives.front().fills.front().mean_probability;
  last.context_pieces = answer.context_pieces;
}

Json Session::Impl::workspace_edit(const Document& document, const FillWish& wish,
                                   const FillAnswer& answer) const {
  Json edits = Json::array();
  for (std::size_t i = 0; i < wish.holes.size(); ++i) {
    if (!why_withheld(wish, answer, i).empty()) continue;
    edits.push_back({{"range", range_json(document, wish.holes[i])},
                     {"newText", answer.alternatives.front().fills[i].text}});
  }
  if (!client.versioned_edits) return {{"changes", {{document.uri, std::move(edits)}}}};
  return {{"documentChanges",
           {{{"textDocument", {{"uri", document.uri}, {"version", document.version}}},
             {"edits", std::move(edits)}}}}};
}

Json Session::Impl::fill_result(const Document& document, const FillWish& wish,
                                const FillAnswer& answer) const {
  const engine::InfillResult& result = answer.alternatives.front();
  Json holes = Json::array();
  for (std::size_t i = 0; i < wish.holes.size(); ++i) {
    const engine::Hole& place = wish.holes[i];
    const engine::HoleFill& fill = result.fills[i];
    const HoleSyntax syntax = answer.syntax_of(0, i);
    const std::string withheld = why_withheld(wish, answer, i);
    const std::string own = document.content.text().substr(place.begin, place.end - place.begin);
    Json hole = {
        {"range", range_json(document, place)}, {"newText", withheld.empty() ? fill.text : own},
        {"confidence", fill.mean_probability},  {"tokens", fill.canvas_tokens},
        {"withheld", !withheld.empty()},        {"syntax", name_of(syntax.state)}};
    if (const std::string& why = withheld.empty() ? syntax.reason : withheld; !why.empty()) {
      hole["reason"] = why;
    }
    holes.push_back(std::move(hole));
  }
  Json json = {{"version", document.version},
               {"holes", std::move(holes)},
               {"edit", workspace_edit(document, wish, answer)},
               {"model", answer.model},
               {"steps", result.steps},
               {"forwardPasses", result.forward_passes},
               {"seconds",
                {{"queued", answer.queued_seconds},
                 {"load", answer.load_seconds},
                 {"denoise", answer.denoise_seconds}}}};
  if (std::string problem = withheld_summary(wish, answer); !problem.empty()) {
    json["problem"] = std::move(problem);
  }
  return json;
}

void Session::Impl::on_fill(const Message& message) {
  const Result<std::string> uri = lsp::read_document_uri(message.params);
  if (!uri) return answer_error(message.id, RpcError::InvalidParams, uri.error().message);
  const Document* open = document(*uri);
  if (open == nullptr) {
    return answer_error(message.id, RpcError::InvalidParams, "the document is not open");
  }
  FillWish wish;
  if (lsp::member(message.params, "what") != nullptr) {
    Json data = message.params;  // as that of a code action
    data["uri"] = *uri;
    if (const auto version = lsp::read_document_version(message.params)) data["version"] = *version;
    Result<FillWish> named = wish_of(data);
    if (!named) {
      const bool moved_on = named.error().code == ErrorCode::Cancelled;
      return answer_error(message.id,
                          moved_on ? RpcError::ContentModified : RpcError::InvalidParams,
                          named.error().message);
    }
    wish = std::move(*named);
  } else {
    wish.uri = *uri;
    wish.version = lsp::read_document_version(message.params);
    if (wish.version && *wish.version != open->version) {
      return answer_error(message.id, RpcError::ContentModified,
                          "the document has changed meanwhile");
    }
    Result<std::vector<engine::Hole>> holes = holes_of(*open, message.params);
    if (!holes) return answer_error(message.id, RpcError::InvalidParams, holes.error().message);
    wish.holes = std::move(*holes);
  }
  if (const auto tokens = int_of(message.params, "maxTokens")) wish.max_tokens = tokens;
  wish.whole_lines = !lsp::bool_or(message.params, "singleLine", false);
  if (const Json* token = lsp::member(message.params, "partialResultToken"); token != nullptr) {
    wish.partial_token = *token;
  }
  PendingRequest& request = *pending_request(message.id);
  if (const Json* token = lsp::member(message.params, "workDoneToken"); token != nullptr) {
    request.work_done_token = *token;
  }
  fill(request, std::move(wish),
       [id = message.id](Impl& self, const Document& document, const FillWish& wished,
                         const FillAnswer& filled) {
         self.answer(id, self.fill_result(document, wished, filled));
       });
}

void Session::Impl::on_holes(const Message& message) {
  const Result<std::string> uri = lsp::read_document_uri(message.params);
  const Document* open = uri ? document(*uri) : nullptr;
  if (open == nullptr) {
    return answer_error(message.id, RpcError::InvalidParams, "the document is not open");
  }
  const auto markers = engine::find_markers(open->content.text(), kMaxHoleTokens);
  if (!markers) return answer_error(message.id, RpcError::InvalidParams, markers.error().message);
  Json holes = Json::array();
  for (const engine::Hole& hole : *markers) {
    Json json = {{"range", range_json(*open, hole)}};
    if (!hole.hint.empty()) json["hint"] = hole.hint;
    holes.push_back(std::move(json));
  }
  answer(message.id, {{"version", open->version}, {"holes", std::move(holes)}});
}

}  // namespace lacuna::daemon
