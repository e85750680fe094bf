#include "cli/calibrate_copies.h"

#include <limits>
#include <optional>

#include "engine/canvas.h"
#include "engine/copy_source.h"
#include "engine/hole.h"
#include "engine/infill.h"
#include "engine/sampler/candidate.h"
#include "engine/transformer_predictor.h"

namespace lacuna::cli {
namespace {

std::size_t index_of(int sharpness) {
  return static_cast<std::size_t>(sharpness - kSharpness.front());
}

// Leaves each position of the hole masked with a probability that is itself drawn, and one at least.
std::vector<std::int32_t> reveal(std::span<const std::int32_t> answer, int begin,
                                 std::mt19937& random, std::vector<std::int32_t>& canvas) {
  const auto share = static_cast<double>(random()) / std::mt19937::max();
  const std::size_t kept = random() % answer.size();
  std::vector<std::int32_t> masked;
  for (std::size_t i = 0; i < answer.size(); ++i) {
    const auto position = static_cast<std::size_t>(begin) + i;
    const bool shown = static_cast<double>(random()) / std::mt19937::max() < share;
    if (shown && i != kept) {
      canvas[position] = answer[i];
    } else {
      masked.push_back(static_cast<std::int32_t>(position));
    }
  }
  return masked;
}

}  // namespace

Result<void> measure_copies(const engine::Model& model, std::string_view text,
                            std::string_view language, std::size_t begin, std::size_t end,
                            int max_canvas, std::mt19937& random, CopyMeasurements& found) {
  const std::vector<std::int32_t> answer =
      model.tokenizer()->encode(text.substr(begin, end - begin));
  const std::vector<engine::Hole> holes = {
      {.begin = begin, .end = end, .tokens = static_cast<int>(answer.size()), .hint = {}}};
  Result<engine::Canvas> canvas = engine::build_canvas(model, {.text = text,
                                                               .holes = holes,
                                                               .filled = {},
                                                               .language = language,
                                                               .line_comment = {},
                                                               .default_hole_tokens = 1,
                                                               .max_tokens = max_canvas,
                                                               .beyond_bytes = engine::kCopyBytes});
  if (!canvas) return canvas.error();
  const int first = canvas->holes[0].begin;
  const std::vector<std::int32_t> masked = reveal(answer, first, random, canvas->tokens);
  const auto V = static_cast<std::size_t>(model.config().vocab_size);
  std::vector<float> logits(masked.size() * V);
  engine::TransformerPredictor predictor(model.transformer(), model.context(),
                                         static_cast<int>(canvas->tokens.size()),
                                         model.precision());
  predictor.logits(canvas->tokens, masked, logits.data());
  const std::vector<std::uint8_t> is_text = model.text_tokens();
  engine::DrawScratch scratch;
  for (const int sharpness : kSharpness) {
    const engine::CopySource source =
        engine::copy_source_of(model, {.sharpness = sharpness}, *canvas);
    for (std::size_t i = 0; i < masked.size(); ++i) {
      const std::span<float> row(logits.data() + i * V, V);
      for (std::size_t token = 0; token < V; ++token) {
        if (is_text[token] == 0) row[token] = -std::numeric_limits<float>::infinity();
      }
      source.find(canvas->tokens, masked[i], scratch.copies);
      const std::int32_t token = answer[static_cast<std::size_t>(masked[i] - first)];
      const engine::CopyEvidence evidence = scratch.copies;
      const auto sample = engine::copy_sample(row, evidence, source.mixing(), token, scratch);
      if (sample) found.samples[index_of(sharpness)].push_back(*sample);
    }
  }
  found.masked += static_cast<int>(masked.size());
  return {};
}

Result<engine::CopyMixing> fit(const CopyMeasurements& found) {
  std::optional<engine::CopyMixing> best;
  double best_bits = std::numeric_limits<double>::infinity();
  for (const int sharpness : kSharpness) {
    const std::vector<engine::CopySample>& samples = found.samples[index_of(sharpness)];
    const Result<engine::CopyMixing> fitted = engine::fit_copy_mixing(samples, sharpness);
    if (!fitted) return fitted.error();
    const double bits = engine::copy_bits(samples, *fitted);
    if (bits >= best_bits) continue;
    best_bits = bits;
    best = *fitted;
  }
  return *best;
}

CopyGain gain(const CopyMeasurements& found, const engine::CopyMixing& mixing) {
  const std::vector<engine::CopySample>& samples = found.samples[index_of(mixing.sharpness)];
  engine::CopyMixing none;
  none.weights[0] = -1000;  // lambda is 0
  return {.model_bits = engine::copy_bits(samples, none),
          .mixed_bits = engine::copy_bits(samples, mixing)};
}

}  // namespace lacuna::cli
