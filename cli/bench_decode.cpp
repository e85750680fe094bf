#include "cli/bench_decode.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <numeric>

#include <nlohmann/json.hpp>

#include "cli/count_bar.h"
#include "cli/eval/cases.h"
#include "cli/exit.h"
#include "cli/format.h"
#include "cli/load_model.h"
#include "cli/option_checks.h"
#include "cli/standard_io.h"
#include "engine/infill.h"
#include "engine/profile.h"
#include "support/language.h"

namespace lacuna::cli {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

struct Setting {
  std::string name;
  engine::InfillOptions options;
};

engine::InfillOptions one_by_one(int refresh) {
  engine::InfillOptions options;
  options.sampling.tokens_per_step = 1;
  options.cache.refresh = refresh;
  options.copy = engine::CopyMode::Off;
  return options;
}

// Each in turn departs from the first in one thing: how often the context is computed anew, and
// how many tokens a pass commits. `copies`: the model can mix them in.
std::vector<Setting> settings(bool copies) {
  std::vector<Setting> all;
  const auto add = [&all](std::string name, int refresh, auto change) {
    Setting setting{std::move(name), one_by_one(refresh)};
    change(setting.options);
    all.push_back(std::move(setting));
  };
  const auto nothing = [](engine::InfillOptions&) {};
  add("one token a pass, no cache", 1, nothing);
  for (const int refresh : {2, 4, 8, 16, 1000}) {
    add("cache, refresh " + std::to_string(refresh), refresh, nothing);
  }
  using engine::CacheScope;
  // Without a block length the block reaches from the first hole to the last.
  add("dual cache", 1000,
      [](engine::InfillOptions& options) { options.cache.scope = CacheScope::Block; });
  add("prefix cache", 1000,
      [](engine::InfillOptions& options) { options.cache.scope = CacheScope::Prefix; });
  add("cache, refresh at half", 1000,
      [](engine::InfillOptions& options) { options.cache.refresh_share = 0.5F; });
  for (const float drift : {0.9F, 0.99F, 0.999F}) {
    add("cache, refresh at drift " + fixed(drift, 3), 1000,
        [drift](engine::InfillOptions& options) { options.cache.refresh_drift = drift; });
  }
  for (const int look : {4, 16}) {
    add("cache, refresh 1000, look " + std::to_string(look), 1000,
        [look](engine::InfillOptions& options) {
          options.cache.look_before = look;
          options.cache.look_after = look;
        });
  }
  add("cache, refresh 8, verify 4", 8,
      [](engine::InfillOptions& options) { options.sampling.verify = 4; });
  const auto parallel = [&](const std::string& name, auto change) {
    add(name, 8, [&](engine::InfillOptions& options) {
      options.sampling.tokens_per_step.reset();
      change(options.sampling);
    });
  };
  using engine::SamplingOptions;
  for (const int n : {2, 4, 8}) {
    parallel(std::to_string(n) + " tokens a pass",
             [n](SamplingOptions& sampling) { sampling.tokens_per_step = n; });
  }
  for (const float threshold : {0.95F, 0.9F, 0.7F, 0.5F}) {
    parallel("threshold " + fixed(threshold, 2),
             [threshold](SamplingOptions& sampling) { sampling.threshold = threshold; });
  }
  for (const float factor : {0.5F, 1.0F, 2.0F}) {
    parallel("factor " + fixed(factor, 1),
             [factor](SamplingOptions& sampling) { sampling.factor = factor; });
  }
  for (const float budget : {0.1F, 0.3F, 1.0F, 3.0F}) {
    parallel("entropy budget " + fixed(budget, 1),
             [budget](SamplingOptions& sampling) { sampling.entropy_budget = budget; });
  }
  if (copies) {
    add("cache, refresh 8, copies", 8,
        [](engine::InfillOptions& options) { options.copy = engine::CopyMode::On; });
  }
  parallel("threshold 0.60, revoke 0.90", [](SamplingOptions& sampling) {
    sampling.threshold = 0.6F;
    sampling.revoke = 0.9F;
  });
  for (const int refresh : {1, 2, 8}) {
    const std::string cache =
        refresh == 1 ? "no cache" : "cache, refresh " + std::to_string(refresh);
    add("info gain 8, " + cache, refresh,
        [](engine::InfillOptions& options) { options.sampling.info_gain = 8; });
  }
  for (const engine::Profile& profile : engine::profiles()) {
    Setting setting{"profile " + std::string(profile.name), {}};
    engine::apply(profile, setting.options);
    all.push_back(std::move(setting));
  }
  return all;
}

struct Outcome {
  std::vector<std::string> fills;  // one for each hole
  int passes = 0;
  int tokens = 0;
  std::vector<double> seconds;
};

// A text with holes, and what stood in them.
struct Task {
  std::string text;
  std::vector<engine::Hole> holes;
  std::vector<std::string> references;
};

// A case, and with it every second line that follows until there are `holes`, if the text has them.
Task task_of(const EvalCase& it, int holes, const engine::Tokenizer& tokenizer) {
  Task task;
  const auto add = [&](std::string reference) {
    const auto tokens = static_cast<int>(tokenizer.encode(reference).size());
    task.holes.push_back({.begin = task.text.size(),
                          .end = task.text.size(),
                          .tokens = std::max(1, tokens),
                          .hint = {}});
    task.references.push_back(std::move(reference));
  };
  task.text = it.prompt;
  add(it.reference);
  const std::string& suffix = *it.suffix;
  bool keeps = true;
  for (std::size_t begin = 0; begin < suffix.size();) {
    const std::size_t end = std::min(suffix.find('\n', begin), suffix.size() - 1) + 1;
    const std::string line = suffix.substr(begin, end - begin);
    const bool is_blank = line.find_first_not_of(" \n") == std::string::npos;
    if (!keeps && !is_blank && static_cast<int>(task.holes.size()) < holes) {
      const std::size_t code = line.find_first_not_of(' ');
      task.text += line.substr(0, code);
      add(line.substr(code, line.find('\n') - code));
      if (line.back() == '\n') task.text += '\n';
      keeps = true;
    } else {
      task.text += line;
      if (!is_blank) keeps = false;
    }
    begin = end;
  }
  return task;
}

Result<void> fill(const engine::Model& model, const engine::InfillOptions& options,
                  const Task& task, Outcome& outcome) {
  engine::InfillRequest request;
  request.text = task.text;
  request.holes = task.holes;
  request.language = "python";
  request.line_comment = "#";
  request.options = options;
  const Clock::time_point begin = Clock::now();
  Result<engine::InfillResult> result = engine::infill(model, request);
  if (!result) return result.error();
  outcome.seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  outcome.passes += result->forward_passes;
  for (engine::HoleFill& hole : result->fills) {
    outcome.tokens += hole.canvas_tokens;
    outcome.fills.push_back(std::move(hole.text));
  }
  return {};
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double share_equal(std::span<const std::string> a, std::span<const std::string> b) {
  int equal = 0;
  for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i] ? 1 : 0;
  return a.empty() ? 0 : static_cast<double>(equal) / static_cast<double>(a.size());
}

// 1 less the edit distance in bytes over the longer one's length.
double similarity(std::string_view a, std::string_view b) {
  if (a.empty() && b.empty()) return 1;
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return 1 - static_cast<double>(row.back()) / static_cast<double>(std::max(a.size(), b.size()));
}

double mean_similarity(std::span<const std::string> a, std::span<const std::string> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += similarity(a[i], b[i]);
  return a.empty() ? 0 : sum / static_cast<double>(a.size());
}

Json row_of(const std::string& name, const Outcome& outcome, const Outcome& first,
            std::span<const std::string> references) {
  const auto cases = static_cast<double>(outcome.seconds.size());
  return {{"setting", name},
          {"passes_per_fill", outcome.passes / cases},
          {"tokens_per_pass", static_cast<double>(outcome.tokens) / std::max(1, outcome.passes)},
          {"median_ms", median(outcome.seconds) * 1000},
          {"same_as_first", share_equal(outcome.fills, first.fills)},
          {"exact", share_equal(outcome.fills, references)},
          {"similarity", mean_similarity(outcome.fills, references)}};
}

std::string percent(const Json& share) { return fixed(100 * share.get<double>(), 1) + " %"; }

std::string as_text(const Json& result) {
  std::string text = result["model"].get<std::string>() + ", " +
                     result["numbers"].get<std::string>() + ", " + result["threads"].dump() +
                     " threads, " + result["cases"].dump() + " texts with " +
                     result["holes"].dump() + " holes\n\n" + pad_right("", 30) +
                     pad_left("passes", 10) + pad_left("tokens/pass", 13) + pad_left("ms p50", 10) +
                     pad_left("same", 10) + pad_left("exact", 10) + pad_left("similar", 10) + "\n";
  for (const Json& row : result["settings"]) {
    text += pad_right(row["setting"].get<std::string>(), 30) +
            pad_left(fixed(row["passes_per_fill"].get<double>(), 2), 10) +
            pad_left(fixed(row["tokens_per_pass"].get<double>(), 2), 13) +
            pad_left(fixed(row["median_ms"].get<double>(), 1), 10) +
            pad_left(percent(row["same_as_first"]), 10) + pad_left(percent(row["exact"]), 10) +
            pad_left(percent(row["similarity"]), 10) + "\n";
  }
  return text;
}

}  // namespace

int run_bench_decode(const BenchDecodeOptions& options) {
  Result<std::vector<EvalCase>> cases = read_cases(EvalTask::Infilling, options.files);
  if (!cases) return report(cases.error());
  Terminal terminal(2);
  const Result<LoadedModel> model = load_model(options.common, true, &terminal);
  if (!model) return report(model.error());
  std::vector<Task> tasks;
  std::vector<std::string> references;
  for (const std::size_t i : sample_of(cases->size(), static_cast<std::size_t>(options.limit))) {
    Task task = task_of((*cases)[i], options.holes, *model->model.tokenizer());
    if (static_cast<int>(task.holes.size()) < options.holes) continue;
    references.insert(references.end(), task.references.begin(), task.references.end());
    tasks.push_back(std::move(task));
  }
  if (tasks.empty()) {
    return report("no text has lines for " + std::to_string(options.holes) +
                  " holes; ask for fewer with --holes");
  }
  std::vector<Setting> all = settings(model->model.copy_mixing().has_value());
  std::vector<Outcome> outcomes(all.size());
  {
    CountBar bar(terminal, "filling", static_cast<int>(tasks.size()));
    // All settings of a text after each other: what else the machine does disturbs them alike.
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      for (std::size_t s = 0; s < all.size(); ++s) {
        all[s].options.max_canvas = options.context;
        const Result<void> filled = fill(model->model, all[s].options, tasks[t], outcomes[s]);
        if (!filled) return report(filled.error());
      }
      bar.show(static_cast<int>(t) + 1);
    }
  }
  Json rows = Json::array();
  for (std::size_t s = 0; s < all.size(); ++s) {
    rows.push_back(row_of(all[s].name, outcomes[s], outcomes[0], references));
  }
  const Json result = {{"model", model->place.name},
                       {"numbers", describe(model->numbers)},
                       {"threads", model->context->pool().threads()},
                       {"cases", tasks.size()},
                       {"holes", references.size()},
                       {"settings", std::move(rows)}};
  const Result<void> printed =
      write_output(options.common.json ? result.dump(2) + "\n" : as_text(result));
  return printed ? kDone : report(printed.error());
}

CLI::App* add_bench_decode(CLI::App& bench, const std::shared_ptr<BenchDecodeOptions>& options) {
  CLI::App* app = bench.add_subcommand(
      "decode",
      "Passes, time and changes of each way to decode, over the holes of a benchmark, "
      "each with the length of its reference");
  app->add_option("FILE", options->files, "HumanEval-Infilling, .jsonl or .jsonl.gz")->required();
  app->add_option("--limit", options->limit,
                  "Holes, chosen at random but always the same (default 50)")
      ->type_name("N")
      ->check(whole_number(1, 1 << 20));
  app->add_option("--context", options->context, "Tokens of text and hole, as in lacuna fill")
      ->type_name("N")
      ->check(whole_number(16, 1 << 20));
  app->add_option("--holes", options->holes,
                  "Holes in each text: the benchmark's and every second line after it; texts that "
                  "have fewer lines are left out (default 1)")
      ->type_name("N")
      ->check(whole_number(1, 64));
  add_json_option(*app, options->common, "Print JSON");
  add_model_option(*app, options->common);
  add_device_options(*app, options->common);
  return app;
}

}  // namespace lacuna::cli
