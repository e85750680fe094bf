#include "cli/calibrate.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <optional>
#include <random>

#include <nlohmann/json.hpp>

#include "cli/calibrate_copies.h"
#include "cli/count_bar.h"
#include "cli/eval/documents.h"
#include "cli/exit.h"
#include "cli/format.h"
#include "cli/load_model.h"
#include "cli/option_checks.h"
#include "cli/source_text.h"
#include "cli/standard_io.h"
#include "cli/terminal.h"
#include "engine/copy_source.h"
#include "engine/infill.h"
#include "engine/length.h"
#include "support/file.h"
#include "support/language.h"

namespace lacuna::cli {
namespace {

constexpr std::array kLengths = {1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64};
constexpr int kContext = 512;  // tokens of the canvas: measuring a whole file takes longer
constexpr int kMaxTries = 50;  // places looked at for each sample

// The rest of a line, which a hole takes the place of.
struct Place {
  const SourceDocument* source;
  std::size_t begin;
  std::size_t end;
  int tokens;
};

// A place in the middle of a line that has a word or more after it.
std::optional<Place> draw_place(const std::vector<SourceDocument>& sources,
                                const engine::Tokenizer& tokenizer, std::mt19937& random) {
  for (int i = 0; i < kMaxTries; ++i) {
    const SourceDocument& source = sources[random() % sources.size()];
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

// `mixing` is how copies are mixed in when such a hole is filled; null: they are not.
Result<std::vector<engine::LengthSample>> measure(const engine::Model& model, const Place& place,
                                                  const engine::CopyMixing* mixing) {
  const std::vector<engine::Hole> holes = {
      {.begin = place.begin, .end = place.end, .tokens = {}, .hint = {}}};
  const auto canvas = engine::build_canvas(model, {.text = place.source->text,
                                                   .holes = holes,
                                                   .filled = {},
                                                   .language = place.source->language,
                                                   .line_comment = {},
                                                   .default_hole_tokens = kLengths.back(),
                                                   .max_tokens = kContext,
                                                   .beyond_bytes = engine::kCopyBytes});
  if (!canvas) return canvas.error();
  std::optional<engine::CopySource> copies;
  if (mixing != nullptr) copies.emplace(engine::copy_source_of(model, *mixing, *canvas));
  const std::vector<double> confidence =
      engine::length_confidence(model, *canvas, 0, kLengths, copies ? &*copies : nullptr);
  std::vector<engine::LengthSample> samples;
  samples.reserve(confidence.size());
  for (std::size_t i = 0; i < confidence.size(); ++i) {
    samples.push_back(
        {.length = kLengths[i], .true_length = place.tokens, .confidence = confidence[i]});
  }
  return samples;
}

// Files as they are; of a folder or a file of the corpus tool the part that is for calibration.
Result<std::vector<SourceDocument>> read_sources(const std::vector<std::string>& paths) {
  std::vector<SourceDocument> sources;
  for (const std::string& path : paths) {
    if (is_document_set(path)) {
      Result<std::vector<SourceDocument>> documents = read_documents(path, Part::Calibration);
      if (!documents) return documents.error();
      std::move(documents->begin(), documents->end(), std::back_inserter(sources));
      continue;
    }
    Result<std::string> text = read_source(path);
    if (!text) return text.error();
    const Language* language = language_of_file(path, *text);
    sources.push_back({.name = path,
                       .language = language == nullptr ? "" : std::string(language->model_name),
                       .text = std::move(*text)});
  }
  return sources;
}

std::vector<Place> draw_places(const std::vector<SourceDocument>& sources,
                               const engine::Tokenizer& tokenizer,
                               const CalibrateOptions& options) {
  std::mt19937 random(static_cast<unsigned>(options.common.seed));
  std::vector<Place> places;
  for (int i = 0; i < options.samples; ++i) {
    const auto place = draw_place(sources, tokenizer, random);
    if (!place) break;
    places.push_back(*place);
  }
  return places;
}

struct Measurements {
  std::vector<engine::LengthSample> lengths;
  CopyMeasurements copies;
  // Files may repeat nothing; the lengths are worth keeping all the same.
  Result<engine::CopyMixing> mixing = engine::CopyMixing{};
};

// Copies first: lengths are chosen with them.
Result<Measurements> measure_all(const engine::Model& model, const std::vector<Place>& places,
                                 const CalibrateOptions& options, Terminal& terminal) {
  Measurements found;
  std::mt19937 random(static_cast<unsigned>(options.common.seed));
  int done = 0;
  CountBar bar(terminal, "measuring", static_cast<int>(2 * places.size()));
  for (const Place& place : places) {
    const Result<void> copies =
        measure_copies(model, place.source->text, place.source->language, place.begin, place.end,
                       kContext, random, found.copies);
    if (!copies) return copies.error();
    bar.show(++done);
  }
  found.mixing = fit(found.copies);
  if (found.mixing) found.mixing = model.copy_mixing_of(*found.mixing);
  for (const Place& place : places) {
    const auto measured = measure(model, place, found.mixing ? &*found.mixing : nullptr);
    if (!measured) return measured.error();
    found.lengths.insert(found.lengths.end(), measured->begin(), measured->end());
    bar.show(++done);
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
  const Result<std::vector<SourceDocument>> sources = read_sources(options.files);
  if (!sources) return report(sources.error());
  Terminal terminal(2);
  const Result<LoadedModel> model = load_model(options.common, true, &terminal);
  if (!model) return report(model.error());
  const Result<Measurements> found = measure_all(
      model->model, draw_places(*sources, *model->model.tokenizer(), options), options, terminal);
  if (!found) return report(found.error());
  const Result<engine::LengthCalibration> calibration =
      engine::fit_calibration(found->lengths, static_cast<int>(kLengths.size()));
  if (!calibration) return report(calibration.error());
  const Result<engine::CopyMixing>& mixing = found->mixing;

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
  app->add_option(
         "FILE", options->files,
         "Source files like those that will be filled; of a folder of them, or of a .jsonl "
         "file of the corpus tool, the quarter of the files that eval holes leaves out")
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
