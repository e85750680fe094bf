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
  std::optional<std::string> system;  // none: what the model's frame has
};

// A prompt as tokens: in the model's chat format with `chat`, else the text itself, begun as our
// own models are trained to see a file begin. Text never becomes control tokens.
Result<std::vector<std::int32_t>> encode_prompt(const Model& model, std::string_view text,
                                                const std::optional<ChatOptions>& chat);

struct GenerateRequest {
  std::vector<std::int32_t> prompt;  // tokens; masks in it are filled too, as in the reference
  int max_new_tokens = 128;
  SamplingOptions sampling;
  bool exact = false;       // as in InfillOptions
  CacheOptions cache = {};  // not used when exact
  // LLaDA's two ways against texts that end too early: the eos token cannot be drawn; or it and
  // <|eot_id|> may be drawn but are committed last. At temperature > 0 the published code reaches
  // only the latter with the second, and so do we when exact.
  bool logits_eos_inf = false;
  bool confidence_eos_eot_inf = false;
  bool output_history = false;
  std::function<void(const StepEvent&)> on_step = {};
  std::stop_token stop = {};
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
