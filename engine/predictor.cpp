#include "engine/predictor.h"

namespace lacuna::engine {

Candidate candidate_for(const PredictRequest& request, int index, std::span<const float> logits,
                        DrawScratch& scratch) {
  const int position = request.masked[static_cast<std::size_t>(index)];
  DrawOptions options = request.draw;
  if (request.copies != nullptr) {
    request.copies->find(request.canvas, position, scratch.copies);
    options.copies = &scratch.copies;
    options.copy_mixing = &request.copies->mixing();
  }
  if (!request.given.empty()) {
    return score(logits, position, request.given[static_cast<std::size_t>(index)], options,
                 scratch);
  }
  const std::span<const std::int32_t> banned = request.banned_at(position);
  if (request.draw.gumbel && request.draw.temperature > 0) {
    scratch.uniforms.resize(logits.size());
    request.random->fill(Random::Purpose::Token, request.step, position,
                         static_cast<int>(banned.size()), scratch.uniforms);
    return draw_gumbel(logits, position, options, banned, scratch.uniforms, scratch);
  }
  return draw(logits, position, options, banned, request.uniform_at(position), scratch);
}

}  // namespace lacuna::engine
