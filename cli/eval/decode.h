// A model's answers to cases.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "cli/common_options.h"
#include "cli/eval/cases.h"
#include "cli/eval/sandbox.h"
#include "engine/analysis/decode_trace.h"
#include "engine/infill.h"
#include "engine/model.h"

namespace lacuna::cli {

// One answer, and what became of it.
struct Sample {
  std::string completion;
  int canvas_tokens = 0;  // asked for
  int tokens = 0;         // of the completion, as the model's tokenizer counts
  int length_error = 0;   // tokens more or fewer than the reference has
  int committed = 0;      // tokens that forward passes decided
  int forward_passes = 0;
  double seconds = 0;                 // tokenising and denoising
  bool exact = false;                 // equal to the reference, byte for byte
  std::string error;                  // why there is no completion: it does not fit the model
  std::optional<RunOutcome> outcome;  // of its program; none where it was not run
};

// How cases are decoded: as `lacuna fill` does by default, with its options.
struct DecodeOptions {
  CommonOptions common;
  SamplingFlags sampling;
  std::string copy = "auto";     // passed engine::parse_copy_mode()
  std::optional<int> finalists;  // none: InfillOptions::length_finalists
};

// Fills the hole of a case, or continues its prompt, in a canvas of `length` tokens, from which
// `mode` may depart in a hole. `recorder` may be null. What the model has no room for becomes Sample::error; Cancelled when stopped.
Result<Sample> decode(const engine::Model& model, const DecodeOptions& options, EvalTask task,
                      const EvalCase& it, int length, engine::LengthMode mode, std::uint64_t seed,
                      std::stop_token stop, engine::TraceRecorder* recorder);

// Bits that the reference of a case with a suffix costs while all of it is masked, and how many
// tokens it has. InvalidInput when it does not fit.
struct AnswerBits {
  double bits;
  int tokens;
};
Result<AnswerBits> bits_of_reference(const engine::Model& model, const DecodeOptions& options,
                                     const EvalCase& it);

}  // namespace lacuna::cli
