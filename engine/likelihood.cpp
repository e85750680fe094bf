#include "engine/likelihood.h"

#include <numeric>

#include "engine/canvas.h"
#include "engine/transformer_predictor.h"

namespace lacuna::engine {

Result<std::vector<float>> answer_probabilities(const Model& model, const InfillRequest& request,
                                                std::string_view answer) {
  const std::vector<std::int32_t> tokens = model.tokenizer()->encode(answer);
  if (tokens.empty()) return fail(ErrorCode::InvalidInput, "the answer has no token");
  const Result<std::optional<CopyMixing>> mixing = copy_mixing_for(model, request.options);
  if (!mixing) return mixing.error();
  std::vector<Hole> holes = request.holes;
  holes.front().tokens = static_cast<int>(tokens.size());
  const Result<Canvas> canvas =
      build_canvas(model, {.text = request.text,
                           .holes = holes,
                           .filled = {},
                           .language = request.language,
                           .line_comment = request.line_comment,
                           .default_hole_tokens = static_cast<int>(tokens.size()),
                           .max_tokens = canvas_limit(model, request.options),
                           .beyond_bytes = *mixing ? kCopyBytes : 0});
  if (!canvas) return canvas.error();
  std::optional<CopySource> copies;
  if (*mixing) copies.emplace(copy_source_of(model, **mixing, *canvas));

  TransformerPredictor predictor(model.transformer(), model.context(),
                                 static_cast<int>(canvas->tokens.size()), model.precision());
  std::vector<std::int32_t> rows(canvas->tokens.size());
  std::iota(rows.begin(), rows.end(), 0);
  std::vector<std::int32_t> masked(tokens.size());
  std::iota(masked.begin(), masked.end(), canvas->holes[0].begin);
  const std::vector<std::uint8_t> text = model.text_tokens();
  const Random random(0);
  PredictRequest wanted{.canvas = canvas->tokens,
                        .rows = rows,
                        .masked = masked,
                        .draw = {},
                        .random = &random,
                        .step = 0,
                        .given = tokens,
                        .copies = copies ? &*copies : nullptr};
  wanted.draw.allowed = text;
  std::vector<Candidate> candidates(tokens.size());
  predictor.predict(wanted, candidates);
  std::vector<float> probabilities;
  probabilities.reserve(candidates.size());
  for (const Candidate& it : candidates) probabilities.push_back(it.probability);
  return probabilities;
}

}  // namespace lacuna::engine
