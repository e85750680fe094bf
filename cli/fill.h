// `lacuna fill`: the holes of a file, filled.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/common_options.h"
#include "engine/hole.h"
#include "engine/infill.h"
#include "support/language.h"

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11 calls itself so
class App;
}

namespace lacuna::cli {

inline constexpr int kMaxHoleTokens = 4096;
inline constexpr int kDefaultHoleTokens = 16;

struct FillOptions {
  std::string file;
  std::vector<std::string> at;     // LINE:COL
  std::vector<std::string> spans;  // LINE:COL-LINE:COL
  std::vector<std::string> nodes;  // names, lines, or kinds of nodes
  bool stubs = false;              // the bodies that say that they are still to be written
  std::optional<int> tokens;       // none: kDefaultHoleTokens
  std::string profile;             // empty, or passed engine::profile_named()
  std::string length;              // empty, or passed engine::parse_length_mode()
  std::string copy = "auto";       // passed engine::parse_copy_mode()
  std::optional<int> finalists;    // none: InfillOptions::length_finalists
  int max_tokens = 64;
  bool single_line = false;
  std::string language;  // empty: by the file's name; "none"
  bool no_syntax = false;
  int alternatives = 0;  // 0: one fill, as the whole file
  bool write = false;
  bool watch = false;
  int context = 0;  // tokens of the canvas; 0: what the model was trained for
  CommonOptions common;
  SamplingFlags sampling;
};

// The language that the options or the file's name say. Null when there is none.
const Language* language_for(std::string_view text, const FillOptions& options);

// The holes that the options name in a text, or its markers when they name none; checked and
// sorted. InvalidInput when there is none.
Result<std::vector<engine::Hole>> holes_of(std::string_view text, const FillOptions& options);

// What the options mean to the engine. They must be ones that `lacuna fill` accepts.
engine::InfillOptions infill_options(const FillOptions& options);

// The usage errors that no single option can see; empty when there is none.
std::string problem_of_fill(const FillOptions& options);

// Adds what `fill` and `rewrite` have in common: everything but the places and their lengths.
void add_shared_fill_options(CLI::App& app, FillOptions& options);

int run_fill(const FillOptions& options);

}  // namespace lacuna::cli
