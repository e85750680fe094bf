#include "cli/calibrate.h"

#include <CLI/CLI.hpp>
#include <array>
#include <cmath>
#include <optional>
#include <random>

#include <nlohmann/json.hpp>

#include "cli/calibrate_copies.h"
#include "cli/count_bar.h"
#include "cli/exit.h"
#include "cli/format.h"
#include "cli/load_model.h"
#include "cli/option_checks.h"
#include "cli/source_text.h"
#include "cli/standard_io.h"
#include "cli/terminal.h"
#include "engine/length.h"
#include "support/file.h"
#include "support/language.h"

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
    const Language* language = language_of_file(file, *text);
    sources.push_back({.text = std::move(*text),
                       .language = language == nullptr ? "" : std::string(language->model_name)});
  }
  return sources;
}

struct Measurements {
  std::vector<engine::LengthSample> lengths;
  CopyMeasurements copies;
};

Result<Measurements> measure_all(const engine::Model& model, const std::vector<Source>& sources,
                                 const CalibrateOptions& options, Terminal& terminal) {
  Measurements found;
  std::mt19937 random(static_cast<unsigned>(options.common.seed));
  std::mt19937 random_masks(static_cast<unsigned>(options.common.seed));
  CountBar bar(terminal, "measuring", options.samples);
  for (int i = 0; i < options.samples; ++i) {
    const auto place = draw_place(sources, *model.tokenizer(), random);
    if (!place) break;
    const auto measured = measure(model, *place);
    if (!measured) return measured.error();
    found.lengths.insert(found.lengths.end(), measured->begin(), measured->end());
    const Result<void> copies =
        measure_copies(model, place->source->text, place->source->language, place->begin,
                       place->end, kContext, random_masks, found.copies);
    if (!copies) return copies.error();
    bar.show(i + 1);
  }
  return found;
}

nlohmann::ordered_json lengths_json(const Measurements& found,
                                    const engine::LengthCalibration& calibration,
                                    const std::filesystem::path& path) {
  const int per_hole = static_cast<int>(kLengths.size());
  return {{"file", path.string()},
          {"calibration", nlohmann::ordered_json::parse(engine::to_json(calibration))},
          {"holes", found.lengths.size() / kLengths.size()},
          {"log_error_published", engine::length_error(found.lengths, per_hole, {})},
          {"log_error", engine::length_error(found.lengths, per_hole, calibration)}};
}

nlohmann::ordered_json copies_json(const Measurements& found, const engine::CopyMixing& mixing,
                                   const std::filesystem::path& path) {
  const CopyGain bits = gain(found.copies, mixing);
  return {{"file", path.string()},
          {"mixing", nlohmann::ordered_json::parse(engine::to_json(mixing))},
          {"masked", found.copies.masked},
          {"with_copies", found.copies.samples[0].size()},
          {"bits_model", bits.model_bits},
          {"bits_mixed", bits.mixed_bits}};
}

std::string as_text(const nlohmann::ordered_json& result) {
  std::string text = "wrote " + result["file"].get<std::string>() + "\n" +
                     std::to_string(result["holes"].get<std::size_t>()) +
                     " holes; on these lengths are off by a factor of " +
                     fixed(std::exp(result["log_error"].get<double>()), 2) +
                     ", with the published calibration of other models " +
                     fixed(std::exp(result["log_error_published"].get<double>()), 2) + "\n";
  const nlohmann::ordered_json& copies = result["copies"];
  if (copies.contains("error")) {
    return text + "copies were not measured: " + copies["error"].get<std::string>() + "\n";
  }
  return text + "wrote " + copies["file"].get<std::string>() + "\n" +
         std::to_string(copies["with_copies"].get<int>()) + " of " +
         std::to_string(copies["masked"].get<int>()) +
         " masked tokens have something to copy; bits of one of them: " +
         fixed(copies["bits_model"].get<double>(), 2) + " by the model, " +
         fixed(copies["bits_mixed"].get<double>(), 2) + " with copies mixed in\n";
}

}  // namespace

int run_calibrate(const CalibrateOptions& options) {
  const Result<std::vector<Source>> sources = read_sources(options.files);
  if (!sources) return report(sources.error());
  Terminal terminal(2);
  const Result<LoadedModel> model = load_model(options.common, true, &terminal);
  if (!model) return report(model.error());
  const Result<Measurements> found = measure_all(model->model, *sources, options, terminal);
  if (!found) return report(found.error());
  const Result<engine::LengthCalibration> calibration =
      engine::fit_calibration(found->lengths, static_cast<int>(kLengths.size()));
  if (!calibration) return report(calibration.error());
  // Files may repeat nothing; the lengths are worth keeping all the same.
  const Result<engine::CopyMixing> mixing = fit(found->copies);

  const std::filesystem::path lengths_path = model->place.folder / engine::kCalibrationFile;
  const std::filesystem::path copies_path = model->place.folder / engine::kCopyMixingFile;
  if (const auto written = write_file(lengths_path, engine::to_json(*calibration)); !written) {
    return report(written.error());
  }
  if (mixing) {
    if (const auto written = write_file(copies_path, engine::to_json(*mixing)); !written) {
      return report(written.error());
    }
  }
  nlohmann::ordered_json result = lengths_json(*found, *calibration, lengths_path);
  result["copies"] = mixing ? copies_json(*found, *mixing, copies_path)
                            : nlohmann::ordered_json{{"error", mixing.error().message}};
  const Result<void> printed =
      write_output(options.common.json ? result.dump(2) + "\n" : as_text(result));
  return printed ? kDone : report(printed.error());
}

CLI::App* add_calibrate(CLI::App& model, const std::shared_ptr<CalibrateOptions>& options) {
  CLI::App* app = model.add_subcommand(
      "calibrate",
      "Measure on source files how sure the model is of holes of a wrong length, for "
      "fill --length probe, and how far copies of the file are to be trusted beside it, for "
      "--copy; the results are kept beside the model");
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
