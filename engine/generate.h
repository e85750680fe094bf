// Dream's diffusion_generate: masks after a prompt, denoised.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/denoiser.h"
#include "engine/model.h"

namespace lacuna::engine {

struct ChatOptions {
  std::string system = "You are a helpful assistant.";
};

// A prompt as tokens: in the model's chat format with `chat`, else the text itself, begun as our
// own models are trained to see a file begin. Text never becomes control tokens.
Result<std::vector<std::int32_t>> encode_prompt(const Model& model, std::string_view text,
                                                const std::optional<ChatOptions>& chat);

struct GenerateRequest {
  std::vector<std::int32_t> prompt;  // tokens; masks in it are filled too, as in the reference
  int max_new_tokens = 128;
  SamplingOptions sampling;
  bool exact = false;  // as in InfillOptions
  int refresh = 8;     // of the block cache; not used when exact
  bool output_history = false;
  std::function<void(const StepEvent&)> on_step;
  std::stop_token stop;
};

struct GenerateResult {
  std::vector<std::int32_t> sequence;  // prompt and generation
  std::string text;                    // the generation up to the first token that ends a text
  std::vector<std::vector<std::int32_t>> history;  // the canvas after every step
  int steps_run = 0;
  int forward_passes = 0;
};

// InvalidInput when prompt and generation do not fit the model's positions.
Result<GenerateResult> generate(const Model& model, const GenerateRequest& request);

}  // namespace lacuna::engine
