#include "cli/calibrate.h"

#include <CLI/CLI.hpp>
#include <array>
#include <cmath>
#include <optional>
#include <random>

#include <nlohmann/json.hpp>

#include "cli/count_bar.h"
#include "cli/exit.h"
#include "cli/format.h"
#include "cli/load_model.h"
#include "cli/option_checks.h"
#include "cli/source_text.h"
#include "cli/standard_io.h"
#include "cli/terminal.h"
#include "engine/language.h"
#include "engine/length.h"
#include "support/file.h"

namespace lacuna::cli {
namespace {

constexpr std::array kLengths = {1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64};
constexpr int kContext = 512;  // tokens of the canvas: measuring a whole file takes longer
constexpr int kMaxTries = 50;  // places looked at for each sample

struct Source {
  std::string text;
  std::string language;
};

// The rest of a line, which a hole takes the place of.
struct Place {
  const Source* source;
  std::size_t begin;
  std::size_t end;
  int tokens;
};

// A place in the middle of a line that has a word or more after it.
std::optional<Place> draw_place(const std::vector<Source>& sources,
                                const engine::Tokenizer& tokenizer, std::mt19937& random) {
  for (int i = 0; i < kMaxTries; ++i) {
    const Source& source = sources[random() % sources.size()];
    if (source.text.size() < 2) continue;
    const std::size_t at = 1 + random() % (source.text.size() - 1);
    if (source.text[at - 1] == '\n' || (source.text[at] & 0xC0) == 0x80) continue;
    const std::size_t end = std::min(source.text.find_first_of("\r\n", at), source.text.size());
    const std::string_view rest = std::string_view(source.text).substr(at, end - at);
    if (rest.find_first_not_of(" \t") == std::string_view::npos) continue;
    const int tokens = static_cast<int>(tokenizer.encode(rest).size());
    if (tokens <= kLengths.back()) return Place{&source, at, end, tokens};
  }
  return std::nullopt;
}

Result<std::vector<engine::LengthSample>> measure(const engine::Model& model, const Place& place) {
  const std::vector<engine::Hole> holes = {
      {.begin = place.begin, .end = place.end, .tokens = {}, .hint = {}}};
  const auto canvas = engine::build_canvas(model, {.text = place.source->text,
                                                   .holes = holes,
                                                   .filled = {},
                                                   .language = place.source->language,
                                                   .line_comment = {},
                                                   .default_hole_tokens = kLengths.back(),
                                                   .max_tokens = kContext});
  if (!canvas) return canvas.error();
  const std::vector<double> confidence = engine::length_confidence(model, *canvas, 0, kLengths);
  std::vector<engine::LengthSample> samples;
  samples.reserve(confidence.size());
  for (std::size_t i = 0; i < confidence.size(); ++i) {
    samples.push_back(
        {.length = kLengths[i], .true_length = place.tokens, .confidence = confidence[i]});
  }
  return samples;
}

Result<std::vector<Source>> read_sources(const std::vector<std::string>& files) {
  std::vector<Source> sources;
  for (const std::string& file : files) {
    Result<std::string> text = read_source(file);
    if (!text) return text.error();
    const engine::Language* language = engine::language_of_file(file, *text);
    sources.push_back({.text = std::move(*text),
                       .language = language == nullptr ? "" : std::string(language->name)});
  }
  return sources;
}

}  // namespace

int run_calibrate(const CalibrateOptions& options) {
  const Result<std::vector<Source>> sources = read_sources(options.files);
  if (!sources) return report(sources.error());
  Terminal terminal(2);
  const Result<LoadedModel> model = load_model(options.common, true, &terminal);
  if (!model) return report(model.error());

  std::mt19937 random(static_cast<unsigned>(options.common.seed));
  std::vector<engine::LengthSample> samples;
  std::optional<CountBar> bar(std::in_place, terminal, "measuring", options.samples);
  for (int i = 0; i < options.samples; ++i) {
    const auto place = draw_place(*sources, *model->model.tokenizer(), random);
    if (!place) break;
    const auto measured = measure(model->model, *place);
    if (!measured) return report(measured.error());
    samples.insert(samples.end(), measured->begin(), measured->end());
    bar->show(i + 1);
  }
  bar.reset();
  const Result<engine::LengthCalibration> calibration =
      engine::fit_calibration(samples, static_cast<int>(kLengths.size()));
  if (!calibration) return report(calibration.error());
  const std::filesystem::path path = model->place.folder / engine::kCalibrationFile;
  const std::string content = engine::to_json(*calibration);
  if (const Result<void> written = write_file(path, content); !written) {
    return report(written.error());
  }
  const int per_hole = static_cast<int>(kLengths.size());
  const double published = engine::length_error(samples, per_hole, {});
  const double error = engine::length_error(samples, per_hole, *calibration);
  const auto holes = samples.size() / kLengths.size();
  const nlohmann::ordered_json json = {{"file", path.string()},
                                       {"calibration", nlohmann::ordered_json::parse(content)},
                                       {"holes", holes},
                                       {"log_error_published", published},
                                       {"log_error", error}};
  const std::string text = "wrote " + path.string() + "\n" + std::to_string(holes) +
                           " holes; on these lengths are off by a factor of " +
                           fixed(std::exp(error), 2) +
                           ", with the published calibration of other "
                           "models " +
                           fixed(std::exp(published), 2) + "\n";
  const Result<void> printed = write_output(options.common.json ? json.dump(2) + "\n" : text);
  return printed ? kDone : report(printed.error());
}

CLI::App* add_calibrate(CLI::App& model, const std::shared_ptr<CalibrateOptions>& options) {
  CLI::App* app = model.add_subcommand(
      "calibrate",
      "Measure on source files how sure the model is of holes of a wrong length, for "
      "fill --length probe; the result is kept beside the model");
  app->add_option("FILE", options->files, "Source files like those that will be filled")
      ->required();
  app->add_option("--samples", options->samples, "Holes to measure (default 100)")
      ->type_name("N")
      ->check(whole_number(10, 100000));
  add_json_option(*app, options->common, "Print JSON");
  add_model_option(*app, options->common);
  add_device_options(*app, options->common);
  add_seed_option(*app, options->common);
  return app;
}

}  // namespace lacuna::cli
