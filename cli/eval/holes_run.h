// A model's answers to holes in held-out files, under several settings.
#pragma once

#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "cli/eval/decode.h"
#include "cli/eval/holes.h"
#include "cli/eval/length.h"

namespace lacuna::cli {

// Under which a hole is filled.
struct HolesSetting {
  std::string copy;  // passed engine::parse_copy_mode()
  LengthRegime length;
};

struct HoleResult {
  HoleCase asked;
  int answer_tokens = 0;
  // For each copy mode the bits of all of the answer while all of it is masked; empty where it does
  // not fit.
  std::vector<double> bits = {};
  std::vector<Sample> answers = {};  // for each copy mode one for each length
  // Whether the file parses, as it is and with each of the answers. A file that does not parse as it
  // is says nothing about answers; nor does one whose language has no grammar.
  bool parsed = false;
  std::vector<bool> parses = {};
};

struct HolesPlan {
  std::vector<std::string> copies;
  std::vector<LengthRegime> lengths;
  DecodeOptions options;  // but for `copy`
};

// All settings, in the order of HoleResult::answers.
std::vector<HolesSetting> settings_of(const HolesPlan& plan);

// All settings answer a hole before the next hole is asked, so that a machine which is slow for a
// while is slow for all of them. `on_done(n)` is called when n answers are there. Cancelled when
// stopped.
Result<std::vector<HoleResult>> answer_holes(const engine::Model& model, const HolesPlan& plan,
                                             std::span<const HoleCase> cases,
                                             const std::function<void(int)>& on_done,
                                             std::stop_token stop);

// What one row of the table says of the holes of one kind.
struct KindSummary {
  int holes = 0;
  int exact = 0;
  int did_not_fit = 0;
  int judged = 0;           // answers to holes of files that parse as they are
  int parses = 0;           // of these, such that the file still parses
  double bits = 0;          // of one token of the answer; 0 without any
  double length_error = 0;  // tokens more or fewer than the answer has, on average
};

struct HolesSummary {
  std::vector<KindSummary> kinds;  // as asked for
  double forward_passes = 0;       // of a hole, on average over all kinds
  double seconds = 0;
};

// `setting` is an index into settings_of(); `language` may be empty for all.
HolesSummary summarise_holes(const HolesPlan& plan, std::span<const HoleResult> results,
                             std::span<const HoleKind> kinds, std::size_t setting,
                             std::string_view language);

}  // namespace lacuna::cli
