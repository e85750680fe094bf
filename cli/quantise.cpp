#include "cli/quantise.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cli/compare_models.h"
#include "cli/exit.h"
#include "cli/format.h"
#include "cli/interrupts.h"
#include "cli/load_model.h"
#include "cli/option_checks.h"
#include "cli/source_text.h"
#include "cli/standard_io.h"
#include "cli/text_width.h"
#include "engine/checkpoint/quantise.h"

namespace lacuna::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr int kDefaultGroup = 32;

constexpr const char* kDescription =
    "Write a copy of a model whose weights take 8 or 4 bits each, and say what the rounding costs: "
    "the relative error of every matrix, and how far the predictions for masked tokens move. "
    "Embedding and head always keep 8 bits; norms and biases stay as they are.";

constexpr const char* kExamples =
    "Examples:\n"
    "  lacuna model quantise ./DiffuCoder-7B-Instruct ./DiffuCoder-7B-8bit\n"
    "  lacuna model quantise lacuna-small ./small-4bit --bits 4 --text main.py --json";

struct QuantiseOptions {
  CommonOptions common;  // model: the source
  std::string out;
  int bits = 8;
  std::optional<int> group;
  std::string text;
};

// What was made, and how it compares.
struct Outcome {
  ModelPlace source;
  fs::path out;
  engine::QuantisedWeights weights;
  std::vector<engine::MatrixError> errors;
  Result<Comparison> comparison;
};

// A bar on the terminal while matrices are rounded.
class Progress {
 public:
  explicit Progress(Terminal& terminal) : terminal_(terminal), screen_(terminal) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { screen_.erase(); }

  void show(const engine::QuantiseProgress& progress) {
    constexpr auto kPause = std::chrono::milliseconds(50);
    if (!terminal_.can_draw() || Clock::now() - drawn_ < kPause) return;
    drawn_ = Clock::now();
    constexpr int kMostOfBar = 24;
    const Viewport viewport = terminal_.viewport();
    const auto percent_done =
        static_cast<int>(100 * progress.done / std::max<std::int64_t>(1, progress.total));
    const std::string text =
        "  " + std::to_string(percent_done) + " %  " + std::string(progress.tensor);
    screen_.show({draw_bar(percent_done, 100, viewport) +
                  fit_width(text, std::max(0, viewport.width - kMostOfBar))});
  }

 private:
  Terminal& terminal_;
  Screen screen_;
  Clock::time_point drawn_;
};

std::uint64_t bytes_of_weights(const fs::path& folder) {
  std::uint64_t bytes = 0;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".safetensors") bytes += entry.file_size(ignored);
  }
  return bytes;
}

Json comparison_json(const Result<Comparison>& comparison) {
  if (!comparison) return {{"skipped", comparison.error().message}};
  return {{"positions", comparison->positions},
          {"mean_kl", comparison->mean_kl},
          {"same_token", comparison->same_token}};
}

std::string to_json(const Outcome& outcome) {
  Json tensors = Json::array();
  for (const engine::MatrixError& error : outcome.errors) {
    tensors.push_back({{"name", error.name},
                       {"shape", error.shape},
                       {"bits", error.bits},
                       {"relative_error", error.relative}});
  }
  Json json = {{"source", outcome.source.folder.string()},
               {"out", outcome.out.string()},
               {"bits", outcome.weights.bits}};
  if (outcome.weights.bits == 4) json["group"] = outcome.weights.group;
  json["source_bytes"] = bytes_of_weights(outcome.source.folder);
  json["bytes"] = bytes_of_weights(outcome.out);
  json["tensors"] = std::move(tensors);
  json["logits"] = comparison_json(outcome.comparison);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string percent(double share) { return fixed(100 * share, 2); }

// Matrices of layers come in the same order in each: a row of the table for a layer.
std::string table_of(const std::vector<engine::MatrixError>& errors) {
  constexpr int kMatrices = 7;
  constexpr int kName = 12;
  constexpr int kNumber = 8;
  std::string table = pad_right("layer", kName);
  for (const char* name : {"q", "k", "v", "o", "gate", "up", "down"}) {
    table += pad_left(name, kNumber);
  }
  // The first is the embedding; a head that is not tied comes last.
  const std::size_t layers = (errors.size() - 1) / kMatrices;
  for (std::size_t layer = 0; layer < layers; ++layer) {
    table += "\n" + pad_right(std::to_string(layer), kName);
    for (std::size_t i = 0; i < kMatrices; ++i) {
      table += pad_left(percent(errors[1 + layer * kMatrices + i].relative), kNumber);
    }
  }
  table += "\n" + pad_right("embedding", kName) + pad_left(percent(errors[0].relative), kNumber);
  if (errors.size() > 1 + layers * kMatrices) {
    table += "\n" + pad_right("head", kName) + pad_left(percent(errors.back().relative), kNumber);
  }
  return table + "\n";
}

std::string to_text(const Outcome& outcome) {
  std::string text =
      outcome.source.name + " with " + std::to_string(outcome.weights.bits) + " bits" +
      (outcome.weights.bits == 4 ? " in groups of " + std::to_string(outcome.weights.group) : "") +
      ": " + outcome.out.string() + "\n\nrelative error of the weights in %\n" +
      table_of(outcome.errors) + "\n" + pad_right("weights", 12) +
      human_bytes(bytes_of_weights(outcome.source.folder)) + " before, " +
      human_bytes(bytes_of_weights(outcome.out)) + " now\n" + pad_right("predictions", 12);
  if (!outcome.comparison)
    return text + "not compared: " + outcome.comparison.error().message + "\n";
  return text + "the same token at " + percent(outcome.comparison->same_token) + " % of " +
         std::to_string(outcome.comparison->positions) + " masks, mean KL divergence " +
         fixed(outcome.comparison->mean_kl, 5) + " nats\n";
}

Result<std::string> text_of(const QuantiseOptions& options) {
  if (options.text.empty()) return std::string(sample_source());
  return read_source(options.text);
}

Result<Outcome> quantise(const QuantiseOptions& options, Terminal& terminal,
                         Interrupts& interrupts) {
  const Result<std::string> text = text_of(options);
  if (!text) return text.error();
  Result<ModelPlace> place = place_of_model(options.common);
  if (!place) return place.error();
  const int threads =
      options.common.threads > 0 ? options.common.threads : engine::default_threads();
  engine::QuantiseRequest request;
  request.source = place->folder;
  request.out = options.out;
  request.weights.bits = options.bits;
  if (options.bits == 4) request.weights.group = options.group.value_or(kDefaultGroup);
  request.stop = interrupts.token();
  Result<std::vector<engine::MatrixError>> errors = [&] {
    Progress progress(terminal);
    const Interrupts::Cooperative cooperative(interrupts);
    request.on_progress = [&](const engine::QuantiseProgress& now) { progress.show(now); };
    kernels::CpuContext context(kernels::best_isa(), threads);
    return engine::quantise_model(request, context);
  }();
  if (!errors) return errors.error();
  const Notice notice(&terminal, "comparing the predictions of both models ...");
  return Outcome{.source = *place,
                 .out = request.out,
                 .weights = request.weights,
                 .errors = std::move(*errors),
                 .comparison = compare_models(place->folder, request.out, *text, threads)};
}

int run_quantise(const QuantiseOptions& options) {
  if (options.bits == 8 && options.group) {
    return report_usage("model quantise", "--group goes with --bits 4");
  }
  Terminal terminal(STDERR_FILENO);
  Interrupts interrupts(terminal);
  const Result<Outcome> outcome = quantise(options, terminal, interrupts);
  if (interrupts.exit_code() != 0) return interrupts.exit_code();
  if (!outcome) return report(outcome.error());
  const auto written = write_output(options.common.json ? to_json(*outcome) : to_text(*outcome));
  return written ? kDone : report(written.error());
}

}  // namespace

Command add_quantise(CLI::App& model) {
  CLI::App* app = model.add_subcommand("quantise", "Copy a model with weights of 8 or 4 bits");
  app->description(kDescription);
  app->footer(kExamples);
  const auto options = std::make_shared<QuantiseOptions>();
  app->add_option("SOURCE", options->common.model, "The model, by name or folder")->required();
  app->add_option("OUT", options->out, "The folder to make; it must not exist")->required();
  app->add_option("--bits", options->bits, "8 or 4 (default 8)")
      ->type_name("N")
      ->check(one_of({"8", "4"}));
  app->add_option(
         "--group", options->group,
         "With 4 bits: how many weights share a step and an offset, 8 to 1024 (default 32)")
      ->type_name("N")
      ->check(whole_number(8, 1024));
  app->add_option("--text", options->text,
                  "Compare the predictions on this file (default: a few lines of code)")
      ->type_name("FILE");
  app->add_option("--threads", options->common.threads, "CPU threads (default: all that may run)")
      ->type_name("N")
      ->check(whole_number(1, 1024));
  add_json_option(*app, options->common, "Print JSON");
  return {app, [options] { return run_quantise(*options); }};
}

}  // namespace lacuna::cli
