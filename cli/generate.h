// `lacuna generate`: Dream's diffusion_generate.
#pragma once

#include <optional>
#include <string>

#include "cli/common_options.h"

namespace lacuna::cli {

struct GenerateOptions {
  std::optional<std::string> prompt;
  std::string prompt_file;   // used when `prompt` is not set; "" or "-": standard input
  std::optional<bool> chat;  // not set: when the model's files have a chat template
  std::optional<std::string> system;
  std::optional<int> max_new_tokens;
  bool logits_eos_inf = false;  // as in engine::GenerateRequest
  bool confidence_eos_eot_inf = false;
  bool watch = false;
  CommonOptions common;
  SamplingFlags sampling;
};

int run_generate(const GenerateOptions& options);

}  // namespace lacuna::cli
