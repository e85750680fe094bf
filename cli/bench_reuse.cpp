#include "cli/bench_reuse.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>
#include <optional>
#include <stop_token>

#include <nlohmann/json.hpp>

#include "cli/count_bar.h"
#include "cli/eval/documents.h"
#include "cli/eval/holes.h"
#include "cli/exit.h"
#include "cli/format.h"
#include "cli/load_model.h"
#include "cli/option_checks.h"
#include "cli/standard_io.h"
#include "engine/infill.h"
#include "engine/profile.h"
#include "engine/resident_cache.h"
#include "support/language.h"

namespace lacuna::cli {
namespace {

using Json = nlohmann::ordered_json;

// Of all threads: the wall clock tells more of what else the machine does.
double processor_seconds() {
  return static_cast<double>(std::clock()) / static_cast<double>(CLOCKS_PER_SEC);
}

// What a way to fill has come to, over all cases.
struct Outcome {
  std::string name;
  int cases = 0;
  int same = 0;   // as with a full pass
  int exact = 0;  // what stood there
  double rows = 0;
  double canvas = 0;
  std::vector<double> first_step;  // seconds
};

struct Filled {
  std::string text;
  int rows = 0;    // of the first step
  int canvas = 0;  // tokens
  double first_step = 0;
};

// One hole as somebody comes to it who types.
class Typing {
 public:
  Typing(const engine::Model& model, const BenchReuseOptions& options, const HoleCase& hole)
      : model_(model), options_(options), hole_(hole) {
    engine::apply(*engine::profile_named(options.profile), infill_);
    infill_.max_canvas = options.context;
    infill_.single_line = true;
    infill_.reuse_edits = 1 << 20;
  }

  Result<Filled> fill_anew() const { return fill(0, nullptr, false); }

  // The last `edits` bytes were typed one by one, each with a request of its own that is left after
  // its first step, as the next key comes. Without an edit the same is asked for twice.
  Result<Filled> fill_after(int edits) const {
    engine::ResidentCache::Options cache_options;
    if (options_.near > 0) cache_options.near = options_.near;
    engine::ResidentCache cache(cache_options);
    for (int left = edits; left > 0; --left) {
      if (const auto typed = fill(left, &cache, true); !typed) return typed.error();
    }
    if (edits == 0) {
      if (const auto before = fill(0, &cache, true); !before) return before.error();
    }
    return fill(0, &cache, false);
  }

 private:
  // The fill at a cursor that lies `left` bytes before the hole; `leaves`: after the first step.
  Result<Filled> fill(int left, engine::ResidentCache* cache, bool leaves) const {
    const double begin = processor_seconds();
    const std::string& whole = hole_.document->text;
    const std::size_t cursor = hole_.place.begin - static_cast<std::size_t>(left);
    const std::string text = whole.substr(0, cursor) + whole.substr(hole_.place.end);
    engine::InfillRequest request;
    request.text = text;
    request.holes = {{.begin = cursor, .end = cursor, .tokens = {}, .hint = {}}};
    if (const Language* language = language_named(hole_.document->language); language != nullptr) {
      request.language = language->model_name;
      request.line_comment = language->line_comment;
    }
    request.options = infill_;
    if (options_.length == "probe" && !leaves) {
      request.options.length = engine::LengthMode::Probe;
    } else if (!leaves) {
      const auto tokens = model_.tokenizer()->encode(hole_.answer).size();
      request.holes[0].tokens = std::max(1, static_cast<int>(tokens));
    }
    request.resident = cache;
    request.document = hole_.document->name;
    std::stop_source stop;
    request.stop = stop.get_token();
    Filled filled;
    request.on_denoise = [&](std::span<const engine::CanvasHole>, const engine::StepEvent& event) {
      if (event.step > 0) return;
      filled.first_step = processor_seconds() - begin;
      filled.rows = event.rows_computed;
      filled.canvas = static_cast<int>(event.canvas.size());
      if (leaves) stop.request_stop();
    };
    Result<engine::InfillResult> result = engine::infill(model_, request);
    if (!result && !(leaves && result.error().code == ErrorCode::Cancelled)) return result.error();
    if (result) filled.text = std::move(result->fills.front().text);
    return filled;
  }

  const engine::Model& model_;
  const BenchReuseOptions& options_;
  const HoleCase& hole_;
  engine::InfillOptions infill_;
};

void count(const Filled& filled, const Filled& anew, const HoleCase& hole, Outcome& outcome) {
  ++outcome.cases;
  outcome.same += filled.text == anew.text ? 1 : 0;
  outcome.exact += filled.text == hole.answer ? 1 : 0;
  outcome.rows += filled.rows;
  outcome.canvas += filled.canvas;
  outcome.first_step.push_back(filled.first_step);
}

Result<void> measure(const Typing& typing, const HoleCase& hole, std::span<const int> edits,
                     std::vector<Outcome>& outcomes) {
  const Result<Filled> anew = typing.fill_anew();
  if (!anew) return anew.error();
  count(*anew, *anew, hole, outcomes[0]);
  for (std::size_t i = 0; i < edits.size(); ++i) {
    const Result<Filled> filled = typing.fill_after(edits[i]);
    if (!filled) return filled.error();
    count(*filled, *anew, hole, outcomes[i + 1]);
  }
  return {};
}

Json json_of(Outcome outcome) {
  const auto n = static_cast<double>(outcome.cases);
  std::sort(outcome.first_step.begin(), outcome.first_step.end());
  return {{"setting", outcome.name},
          {"same_as_anew", outcome.same / n},
          {"exact", outcome.exact / n},
          {"first_rows", outcome.rows / n},
          {"canvas", outcome.canvas / n},
          {"first_step_ms_p50", outcome.first_step[outcome.first_step.size() / 2] * 1000}};
}

std::string percent(const Json& share) { return fixed(100 * share.get<double>(), 1) + " %"; }

std::string as_text(const Json& result) {
  std::string text =
      result["model"].get<std::string>() + ", " + result["numbers"].get<std::string>() + ", " +
      result["threads"].dump() + " threads, " + result["cases"].dump() + " holes, profile " +
      result["profile"].get<std::string>() + ", length " + result["length"].get<std::string>() +
      "\n\n" + pad_right("", 30) + pad_left("same", 10) + pad_left("exact", 10) +
      pad_left("rows", 10) + pad_left("canvas", 10) + pad_left("CPU ms p50", 12) + "\n";
  for (const Json& row : result["settings"]) {
    text += pad_right(row["setting"].get<std::string>(), 30) +
            pad_left(percent(row["same_as_anew"]), 10) + pad_left(percent(row["exact"]), 10) +
            pad_left(fixed(row["first_rows"].get<double>(), 1), 10) +
            pad_left(fixed(row["canvas"].get<double>(), 1), 10) +
            pad_left(fixed(row["first_step_ms_p50"].get<double>(), 1), 12) + "\n";
  }
  return text;
}

// Lines that somebody may have come to by typing as much as is asked for.
Result<std::vector<HoleCase>> cases_of(const BenchReuseOptions& options,
                                       std::span<const SourceDocument> documents,
                                       const engine::Tokenizer& tokenizer) {
  const HoleKind kinds[] = {HoleKind::Line};
  std::vector<HoleCase> cases =
      choose_holes(documents, kinds, options.limit, options.common.seed, tokenizer);
  const auto most =
      static_cast<std::size_t>(*std::max_element(options.edits.begin(), options.edits.end()));
  // Not where a byte is a part of a character.
  std::erase_if(cases, [most](const HoleCase& hole) {
    if (hole.place.begin <= most) return true;
    const std::string_view typed =
        std::string_view(hole.document->text).substr(hole.place.begin - most, most);
    return !std::all_of(typed.begin(), typed.end(),
                        [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  });
  if (cases.empty()) return fail(ErrorCode::InvalidInput, "there is no line to come to by typing");
  return cases;
}

}  // namespace

int run_bench_reuse(const BenchReuseOptions& options) {
  std::vector<SourceDocument> documents;
  for (const std::string& path : options.paths) {
    Result<std::vector<SourceDocument>> read = read_documents(path, Part::Evaluation);
    if (!read) return report(read.error());
    std::move(read->begin(), read->end(), std::back_inserter(documents));
  }
  Terminal terminal(2);
  const Result<LoadedModel> model = load_model(options.common, true, &terminal);
  if (!model) return report(model.error());
  const auto cases = cases_of(options, documents, *model->model.tokenizer());
  if (!cases) return report(cases.error());
  std::vector<Outcome> outcomes = {{.name = "full pass", .first_step = {}}};
  for (const int edits : options.edits) {
    outcomes.push_back(
        {.name = "after " + std::to_string(edits) + (edits == 1 ? " edit" : " edits"),
         .first_step = {}});
  }
  {
    CountBar bar(terminal, "filling", static_cast<int>(cases->size()));
    int done = 0;
    for (const HoleCase& hole : *cases) {
      const Typing typing(model->model, options, hole);
      if (const auto ok = measure(typing, hole, options.edits, outcomes); !ok) {
        return report(ok.error());
      }
      bar.show(++done);
    }
  }
  Json rows = Json::array();
  for (Outcome& outcome : outcomes) rows.push_back(json_of(std::move(outcome)));
  const Json result = {{"model", model->place.name},
                       {"numbers", describe(model->numbers)},
                       {"threads", model->context->pool().threads()},
                       {"profile", options.profile},
                       {"length", options.length},
                       {"cases", cases->size()},
                       {"settings", std::move(rows)}};
  const Result<void> printed =
      write_output(options.common.json ? result.dump(2) + "\n" : as_text(result));
  return printed ? kDone : report(printed.error());
}

CLI::App* add_bench_reuse(CLI::App& bench, const std::shared_ptr<BenchReuseOptions>& options) {
  CLI::App* app = bench.add_subcommand(
      "reuse",
      "Fills while somebody types, with what was computed before the last edits, against fills that "
      "begin with a full pass: how many are the same, how many are what stood there, and how soon "
      "the first step is done");
  app->add_option("PATH", options->paths, "Folders of source files, or .jsonl files of the corpus")
      ->required();
  app->add_option("--limit", options->limit, "Lines in each language (default 5)")
      ->type_name("N")
      ->check(whole_number(1, 10000));
  app->add_option("--edits", options->edits,
                  "Bytes typed since the last full pass (default 0,1,8,64)")
      ->delimiter(',')
      ->type_name("N,N")
      ->check(whole_number(0, 10000));
  app->add_option("--context", options->context, "Tokens of text and hole, as in lacuna fill")
      ->type_name("N")
      ->check(whole_number(16, 1 << 20));
  app->add_option("--profile", options->profile, "fast, balanced or quality (default fast)")
      ->check(one_of({"fast", "balanced", "quality"}));
  app->add_option("--length", options->length,
                  "oracle: that of what stood there; or probe (default oracle)")
      ->check(one_of({"oracle", "probe"}));
  app->add_option("--near", options->near,
                  "Rows computed on each side of an edit (default: those of the daemon)")
      ->type_name("N")
      ->check(whole_number(1, 1 << 16));
  add_json_option(*app, options->common, "Print JSON");
  add_model_option(*app, options->common);
  add_device_options(*app, options->common);
  add_seed_option(*app, options->common);
  return app;
}

}  // namespace lacuna::cli
