// Second thoughts: what does the model give a committed token when it sees everything but that
// token? Tokens that fall short are masked again (WINO, Hong et al., "Wide-in, narrow-out",
// 2507.18578). The questions are variants of the canvas and ride along with its pass.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/predictor.h"

namespace lacuna::engine {

class Revocation {
 public:
  // For up to `positions` committed positions of a canvas of `canvas_size` tokens; 0: nothing is
  // asked.
  Revocation(int positions, int canvas_size);

  // Appends a question for each position to the pass. Where logits are shifted the row before the
  // position is computed as well: it is what predicts it.
  void ask(const PredictRequest& pass, std::span<const std::int32_t> positions,
           std::int32_t mask_token, bool row_before, std::vector<PredictRequest>& batch,
           int& n_candidates);

  // The positions asked about whose tokens are less probable than `least`, least probable first,
  // at most `most` of them. Valid until the next ask().
  std::span<const std::int32_t> unsure(std::span<const Candidate> answers, float least, int most);

 private:
  struct Question {
    std::vector<std::int32_t> canvas;
    std::vector<std::int32_t> rows;
    std::int32_t position = 0;
    std::int32_t token = 0;
  };

  std::vector<Question> questions_;  // reused
  int asked_ = 0;
  int first_candidate_ = 0;
  std::vector<std::int32_t> unsure_;
};

}  // namespace lacuna::engine
