#include "daemon/http/live_fill.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <nlohmann/json.hpp>

#include "daemon/http/json_fields.h"
#include "daemon/http/protocols.h"
#include "engine/analysis/ar_ness.h"
#include "engine/profile.h"
#include "support/language.h"
#include "support/text.h"

namespace lacuna::daemon::http {
namespace {

using Json = nlohmann::ordered_json;
using nlohmann::json;

constexpr std::size_t kMaxHoles = 256;
constexpr int kMaxArNessK = 8;

std::string event(std::string_view name, const std::string& data) {
  return "event: " + std::string(name) + "\n" + sse(data);
}

// Two decimals less than a float has: half the bytes of a step.
double rounded(float probability) { return std::round(probability * 1e4) / 1e4; }

std::vector<engine::Hole> read_holes(const json& list, int max_tokens, JsonFields& fields) {
  std::vector<engine::Hole> holes;
  for (const json& it : list) {
    if (!it.is_object() || holes.size() == kMaxHoles) {
      fields.refuse("\"holes\" must be an array of at most " + std::to_string(kMaxHoles) +
                    " objects {\"begin\": bytes, \"end\": bytes}");
      break;
    }
    JsonFields hole(it);
    const std::int64_t begin = hole.whole("begin", -1);
    const std::int64_t end = hole.whole("end", begin);
    const std::int64_t tokens = hole.whole("tokens", 0);
    std::string hint = hole.text("hint");
    if (const Result<void> ok = hole.check(); !ok) fields.refuse(ok.error().message);
    if (begin < 0 || end < begin) fields.refuse("a hole needs \"begin\" and \"end\" in bytes");
    if (tokens < 0 || tokens > max_tokens) {
      fields.refuse("\"tokens\" of a hole must be between 1 and " + std::to_string(max_tokens));
    }
    holes.push_back({.begin = static_cast<std::size_t>(std::max<std::int64_t>(0, begin)),
                     .end = static_cast<std::size_t>(std::max<std::int64_t>(0, end)),
                     .tokens = tokens > 0 ? std::optional(static_cast<int>(tokens)) : std::nullopt,
                     .hint = std::move(hint)});
  }
  return holes;
}

void read_options(JsonFields& fields, const Options& options, engine::InfillOptions& infill) {
  if (fields.has("profile")) {
    const auto profile = engine::profile_named(fields.text("profile"));
    if (profile) {
      engine::apply(*profile, infill);
    } else {
      fields.refuse(profile.error().message);
    }
  }
  if (fields.has("length")) {
    const auto mode = engine::parse_length_mode(fields.text("length"));
    if (mode) {
      infill.length = *mode;
    } else {
      fields.refuse(mode.error().message);
    }
  }
  infill.max_hole_tokens = static_cast<int>(std::clamp<std::int64_t>(
      fields.whole("max_tokens", infill.max_hole_tokens), 1, options.max_hole_tokens));
  infill.default_hole_tokens = std::min(
      infill.max_hole_tokens,
      static_cast<int>(std::clamp<std::int64_t>(fields.whole("tokens", infill.default_hole_tokens),
                                                1, options.max_hole_tokens)));
  infill.single_line = fields.flag("single_line", infill.single_line);
  const double temperature = fields.number("temperature", 0);
  if (temperature >= 1e-6) {
    infill.sampling.temperature = static_cast<float>(std::min(temperature, 2.0));
  }
  infill.sampling.seed =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, fields.whole("seed", 0)));
}

// AR-ness for k = 1, 2, ...; holes are no neighbours of each other.
Json ar_ness_json(const engine::InfillResult& result) {
  constexpr int kHoleDistance = 1'000'000;
  std::map<int, engine::TimedCommit> commits;  // by position: the last one stays
  int steps_before = 0;                        // of canvases that are done
  int last_step = 0;
  for (const engine::ReportedCommit& commit : result.commits) {
    if (commit.step < last_step) steps_before += last_step + 1;
    last_step = commit.step;
    const int position = commit.hole * kHoleDistance + commit.offset_in_hole;
    commits[position] = {
        .step = steps_before + commit.step, .position = position, .confidence = commit.probability};
  }
  std::vector<engine::TimedCommit> timed;
  timed.reserve(commits.size());
  for (const auto& [position, commit] : commits) timed.push_back(commit);
  const std::vector<int> order = engine::decode_order(std::move(timed));
  Json local = Json::array();
  Json global = Json::array();
  for (int k = 1; k <= kMaxArNessK && k < static_cast<int>(order.size()); ++k) {
    local.push_back(engine::local_ar_ness(order, k, engine::LocalNorm::Windows));
    global.push_back(engine::global_ar_ness(order, k));
  }
  return {{"local", local}, {"global", global}};
}

class LiveFill : public std::enable_shared_from_this<LiveFill> {
 public:
  LiveFill(std::shared_ptr<const CompletionContext> context, std::shared_ptr<Exchange> exchange,
           FillOrder order)
      : context_(std::move(context)), exchange_(std::move(exchange)), order_(std::move(order)) {}

  void start() {
    exchange_->begin_stream("text/event-stream");
    exchange_->send(event("start", live_start(order_, context_->fills.state())));
    ++context_->metrics->fills;
    id_ = context_->fills.submit(
        order_,
        [self = shared_from_this()](const FillStep& step) {
          self->exchange_->send(event("step", live_step(step)), Exchange::Loss::Allowed);
        },
        [self = shared_from_this()](Result<FillAnswer> answer) {
          self->on_done(std::move(answer));
        });
    exchange_->on_gone([self = std::weak_ptr<LiveFill>(shared_from_this())] {
      if (const auto fill = self.lock()) fill->on_gone();
    });
  }

 private:
  void on_gone() {
    ++context_->metrics->clients_gone;
    context_->fills.cancel(id_);
  }

  void on_done(Result<FillAnswer> answer) {
    --context_->metrics->fills;
    if (answer) {
      exchange_->send(event("done", live_done(order_, *answer)));
    } else {
      const Error& error = answer.error();
      exchange_->send(event("error", llama_error(status_of(error.code), error.message)));
    }
    exchange_->end_stream();
  }

  const std::shared_ptr<const CompletionContext> context_;
  const std::shared_ptr<Exchange> exchange_;
  const FillOrder order_;
  FillId id_ = 0;
};

}  // namespace

Result<FillOrder> parse_live_fill(const json& body, const Options& options, std::string document) {
  JsonFields fields(body);
  FillOrder order;
  order.session = document;
  order.document = std::move(document);
  order.priority = Priority::Requested;
  order.text = fields.required_text("text");
  order.options = options.infill;
  order.syntax = fields.flag("syntax", options.syntax);
  read_options(fields, options, order.options);
  const std::string path = fields.text("path");
  const std::string language = fields.text("language");
  if (const json* holes = fields.array("holes"); holes != nullptr) {
    order.holes = read_holes(*holes, options.max_hole_tokens, fields);
  } else {
    auto markers = engine::find_markers(order.text, options.max_hole_tokens);
    if (!markers) return markers.error();
    order.holes = std::move(*markers);
  }
  if (const Result<void> ok = fields.check(); !ok) return ok.error();
  if (order.holes.empty()) {
    return fail(ErrorCode::InvalidInput,
                "there is no hole: mark one with \u27E6?\u27E7, or give \"holes\"");
  }
  if (order.holes.size() > kMaxHoles) {
    return fail(ErrorCode::InvalidInput,
                "there are more than " + std::to_string(kMaxHoles) + " holes");
  }
  if (const auto ok = engine::check_and_sort(order.text, order.holes); !ok) return ok.error();
  const Language* known = language_named(language);
  if (known == nullptr) known = language_of_file(path, order.text);
  if (known != nullptr) order.language = known->model_name;
  return order;
}

std::string live_start(const FillOrder& order, const EngineState& engine) {
  Json around = Json::array();
  Json holes = Json::array();
  std::size_t at = 0;
  for (const engine::Hole& hole : order.holes) {
    around.push_back(order.text.substr(at, hole.begin - at));
    holes.push_back({{"begin", hole.begin}, {"end", hole.end}, {"hint", hole.hint}});
    at = hole.end;
  }
  around.push_back(order.text.substr(at));
  return compact(Json{{"model", engine.model.name},
                      {"phase", name_of(engine.phase)},
                      {"queued", engine.queued + engine.running},
                      {"language", order.language},
                      {"holes", holes},
                      {"around", around}});
}

std::string live_step(const FillStep& step) {
  Json holes = Json::array();
  for (const FillStep::HoleState& state : step.holes) {
    Json tokens = Json::array();
    for (const engine::HoleToken& token : state.tokens) {
      tokens.push_back(token.masked ? Json()
                                    : Json::array({token.text, rounded(token.probability)}));
    }
    holes.push_back({{"hole", state.hole}, {"tokens", std::move(tokens)}});
  }
  return compact(Json{{"step", step.step},
                      {"steps", step.steps},
                      {"masks_left", step.masks_left},
                      {"masks_total", step.masks_total},
                      {"seconds", step.seconds},
                      {"holes", std::move(holes)}});
}

std::string live_done(const FillOrder& order, const FillAnswer& answer) {
  const engine::InfillResult& result = answer.alternatives.front();
  Json holes = Json::array();
  for (std::size_t i = 0; i < result.fills.size(); ++i) {
    const engine::HoleFill& fill = result.fills[i];
    const HoleSyntax syntax = answer.syntax_of(0, i);
    holes.push_back({{"text", fill.text},
                     {"tokens", fill.canvas_tokens},
                     {"masks_left", fill.masks_left},
                     {"probability", rounded(fill.mean_probability)},
                     {"syntax", name_of(syntax.state)},
                     {"reason", syntax.reason}});
  }
  Json commits = Json::array();
  for (const engine::ReportedCommit& commit : result.commits) {
    commits.push_back({{"step", commit.step},
                       {"hole", commit.hole},
                       {"offset", commit.offset_in_hole},
                       {"text", commit.text},
                       {"probability", rounded(commit.probability)}});
  }
  return compact(Json{{"model", answer.model},
                      {"holes", std::move(holes)},
                      {"text", engine::splice(order.text, order.holes, result.fills)},
                      {"commits", std::move(commits)},
                      {"canvases", result.canvases},
                      {"canvas_tokens", result.canvas_tokens},
                      {"steps", result.steps},
                      {"forward_passes", result.forward_passes},
                      {"queued_seconds", answer.queued_seconds},
                      {"load_seconds", answer.load_seconds},
                      {"tokenize_seconds", result.tokenize_seconds},
                      {"denoise_seconds", result.denoise_seconds},
                      {"ar_ness", ar_ness_json(result)}});
}

void run_live_fill(const std::shared_ptr<const CompletionContext>& context,
                   std::shared_ptr<Exchange> exchange, FillOrder order) {
  std::make_shared<LiveFill>(context, std::move(exchange), std::move(order))->start();
}

}  // namespace lacuna::daemon::http
