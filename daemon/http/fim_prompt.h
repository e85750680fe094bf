// Prompts with fill-in-the-middle sentinels, as clients write them for the models they know: the
// text before the hole and after it, taken out again.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/fill_service.h"
#include "daemon/http/completion.h"

namespace lacuna::daemon::http {

struct FimPrompt {
  std::string prefix;
  std::string suffix;
  std::vector<ContextPiece> context;  // what stood before the hole's own file
  std::string path;                   // of that file, where the prompt names it
};

// Knows Qwen and CodeGemma, StarCoder and its kin, CodeLlama, DeepSeek, Codestral, CodeGeeX and
// Seed-Coder, prefix first or suffix first. Nothing when the prompt has no complete set of one
// family's sentinels.
std::optional<FimPrompt> parse_fim_prompt(std::string_view prompt);

// A prefix with files before it, each under a line `+++++ path`: how Codestral's clients write them
// with and without sentinels. The last file is the hole's own.
FimPrompt split_files(std::string_view prefix, std::string_view suffix);

// Writes what a prompt holds into a completion.
void take(FimPrompt prompt, Completion& completion);

}  // namespace lacuna::daemon::http
