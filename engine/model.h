// A model directory, loaded: checkpoint, tokenizer, weights ready to run.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/blank_pairs.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/copy_calibration.h"
#include "engine/device.h"
#include "engine/length_calibration.h"
#include "engine/tokenizer/tokenizer.h"
#include "engine/transformer.h"

namespace lacuna::engine {

struct LoadOptions {
  // F32: weights kept as float32, the reference arithmetic. Bf16: half the memory. Int8: a
  // quarter, and products of integers.
  kernels::WeightFormat format = kernels::WeightFormat::F32;
  kernels::Precision precision = kernels::Precision::F32;
  bool needs_tokenizer = true;
  // On a GPU F32 weights are multiplied in float and all others in bf16, whatever `precision`.
  Device device = {};
  std::uint64_t vram = 0;  // the most bytes of a GPU that the model may take; 0: what is free
  // Whether a GPU takes steps down and starts each in one call (kernels/step.h).
  bool graphs = true;
  LoadProgress on_progress = {};
};

class Model {
 public:
  // Unavailable where the model does not fit the device, or the device fails.
  static Result<Model> load(const std::filesystem::path& folder, kernels::CpuContext& context,
                            const LoadOptions& options);

  const ModelConfig& config() const { return checkpoint_.config(); }
  const GenerationDefaults& generation() const { return checkpoint_.generation_defaults(); }
  const Transformer& transformer() const { return transformer_; }
  kernels::CpuContext& context() const { return *context_; }
  kernels::Precision precision() const { return precision_; }
  // Null when LoadOptions said that none is needed and the folder has none.
  const Tokenizer* tokenizer() const { return tokenizer_.get(); }
  // The id that stands for a masked position: config.json's, else the tokenizer's.
  std::int32_t mask_token() const { return mask_token_; }

  // One byte for each vocabulary row, 1 where a fill may put it: ordinary tokens and the delete
  // token; not the mask, control tokens, or rows that no token uses.
  const std::vector<std::uint8_t>& fill_tokens() const { return fill_tokens_; }
  // As fill_tokens(), and the tokens that end a text (eos, pad, <|im_end|>).
  const std::vector<std::uint8_t>& generate_tokens() const { return generate_tokens_; }
  // One byte for each vocabulary row, 1 where the token's text holds a line end.
  const std::vector<std::uint8_t>& line_end_tokens() const { return line_end_tokens_; }
  // The model's own, where `lacuna model calibrate` has measured it; an error when that file makes
  // no sense, which concerns nobody who does not need it.
  const Result<LengthCalibration>& length_calibration() const { return length_calibration_; }
  // How copies of the file are mixed in, where that has been measured; else NotFound, or an error
  // when the file makes no sense.
  const Result<CopyMixing>& copy_mixing() const { return copy_mixing_; }
  // `mixing` with this model's tokens that say how long a hole is.
  CopyMixing copy_mixing_of(CopyMixing mixing) const;
  // One byte for each vocabulary row, 1 for tokens of text: fill_tokens() without the delete token.
  std::vector<std::uint8_t> text_tokens() const;
  // Of text_tokens(); empty without a tokenizer.
  const BlankPairs& blank_pairs() const { return blank_pairs_; }

 private:
  Model(Checkpoint checkpoint, std::unique_ptr<kernels::Backend> device, Transformer transformer);
  void allow_tokens();

  Checkpoint checkpoint_;  // mapped as long as the transformer reads its embedding table
  std::unique_ptr<kernels::Backend> device_;  // where the transformer is; null: on the CPU
  Transformer transformer_;
  kernels::CpuContext* context_ = nullptr;
  kernels::Precision precision_ = kernels::Precision::F32;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::int32_t mask_token_ = 0;
  std::vector<std::uint8_t> fill_tokens_;
  std::vector<std::uint8_t> generate_tokens_;
  std::vector<std::uint8_t> line_end_tokens_;
  BlankPairs blank_pairs_;
  Result<LengthCalibration> length_calibration_ = LengthCalibration{};
  Result<CopyMixing> copy_mixing_ = CopyMixing{};
};

// The tokens that end a generated text: eos and pad of the config, and the chat formats' own ends
// where the tokenizer has them. `tokenizer` may be null.
std::vector<std::int32_t> text_end_tokens(const ModelConfig& config, const Tokenizer* tokenizer);

}  // namespace lacuna::engine
