#include "engine/model.h"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/device_memory.h"

namespace lacuna::engine {
namespace {

// Tokens that end a text in the chat formats of the supported models; eos and pad come from the
// config.
constexpr std::array<std::string_view, 4> kTextEnds = {"<|im_end|>", "<|dlm_pad|>", "<|endoftext|>",
                                                       "<|eot_id|>"};
// How models without mask_token_id in config.json spell their mask (Dream, LLaDA, Open-dCoder).
constexpr std::array<std::string_view, 4> kMaskSpellings = {"<|mask|>", "<|mdm_mask|>", "<M>",
                                                            "<mask>"};

Result<std::int32_t> find_mask_token(const ModelConfig& config, const Tokenizer* tokenizer) {
  if (config.mask_token) return *config.mask_token;
  if (tokenizer != nullptr) {
    for (const std::string_view spelling : kMaskSpellings) {
      const std::optional<std::int32_t> id = tokenizer->find(spelling);
      if (id && *id < config.vocab_size) return *id;
    }
  }
  return fail(ErrorCode::Corrupt,
              "the model has no mask token: config.json has no mask_token_id and the tokenizer "
              "none of <|mask|>, <|mdm_mask|>, <M>, <mask>; this is not a masked-diffusion model");
}

struct LoadedWeights {
  std::unique_ptr<kernels::Backend> device;
  Transformer transformer;
};

Result<LoadedWeights> load_on_gpu(const Checkpoint& checkpoint, kernels::CpuContext& context,
                                  const LoadOptions& options) {
  Result<std::unique_ptr<kernels::Backend>> device =
      open_gpu(checkpoint.config(), checkpoint.tensors(), options.format, options.device,
               options.vram, context.pool());
  if (!device) return device.error();
  if (kernels::StepDevice* steps = (*device)->step_device()) steps->set_records(options.graphs);
  try {
    Transformer transformer = Transformer::load(checkpoint.config(), checkpoint.tensors(), **device,
                                                options.format, options.on_progress);
    return LoadedWeights{.device = std::move(*device), .transformer = std::move(transformer)};
  } catch (const kernels::DeviceError& error) {
    return device_failure(error);
  }
}

Result<LoadedWeights> load_weights(const Checkpoint& checkpoint, kernels::CpuContext& context,
                                   const LoadOptions& options) {
  if (options.device.kind == DeviceKind::Cuda) return load_on_gpu(checkpoint, context, options);
  return LoadedWeights{
      .device = nullptr,
      .transformer = Transformer::load(checkpoint.config(), checkpoint.tensors(), context,
                                       options.format, options.on_progress)};
}

}  // namespace

std::vector<std::int32_t> text_end_tokens(const ModelConfig& config, const Tokenizer* tokenizer) {
  std::vector<std::int32_t> ends;
  if (config.eos_token) ends.push_back(*config.eos_token);
  if (config.pad_token) ends.push_back(*config.pad_token);
  for (const std::string_view spelling : kTextEnds) {
    const auto id = tokenizer == nullptr ? std::nullopt : tokenizer->find(spelling);
    if (id && *id < config.vocab_size) ends.push_back(*id);
  }
  return ends;
}

Model::Model(Checkpoint checkpoint, std::unique_ptr<kernels::Backend> device,
             Transformer transformer)
    : checkpoint_(std::move(checkpoint)),
      device_(std::move(device)),
      transformer_(std::move(transformer)) {}

void Model::allow_tokens() {
  const auto V = static_cast<std::size_t>(config().vocab_size);
  fill_tokens_.assign(V, 0);
  // Without a tokenizer nothing is known of the rows but the mask.
  const std::int32_t size = tokenizer_ ? tokenizer_->size() : config().vocab_size;
  for (std::int32_t id = 0; id < std::min(size, config().vocab_size); ++id) {
    fill_tokens_[id] = tokenizer_ && tokenizer_->is_control(id) ? 0 : 1;
  }
  fill_tokens_[mask_token_] = 0;
  if (config().delete_token) fill_tokens_[*config().delete_token] = 1;

  generate_tokens_ = fill_tokens_;
  for (const std::int32_t id : text_end_tokens(config(), tokenizer_.get())) {
    generate_tokens_[id] = 1;
  }
  generate_tokens_[mask_token_] = 0;

  line_end_tokens_.assign(V, 0);
  for (std::int32_t id = 0; tokenizer_ && id < std::min(size, config().vocab_size); ++id) {
    if (tokenizer_->is_control(id)) continue;
    if (tokenizer_->decode({&id, 1}).find('\n') != std::string::npos) line_end_tokens_[id] = 1;
  }
  if (tokenizer_) blank_pairs_ = blank_pairs_of(*tokenizer_, text_tokens());
}

CopyMixing Model::copy_mixing_of(CopyMixing mixing) const {
  mixing.length_tokens = {config().delete_token.value_or(-1), config().expand_token.value_or(-1)};
  return mixing;
}

std::vector<std::uint8_t> Model::text_tokens() const {
  std::vector<std::uint8_t> text = fill_tokens_;
  for (const auto& token : {config().delete_token, config().expand_token}) {
    if (token) text[*token] = 0;
  }
  return text;
}

Result<Model> Model::load(const std::filesystem::path& folder, kernels::CpuContext& context,
                          const LoadOptions& options) {
  Result<Checkpoint> checkpoint = Checkpoint::open(folder);
  if (!checkpoint) return checkpoint.error();
  std::unique_ptr<Tokenizer> tokenizer;
  Result<std::unique_ptr<Tokenizer>> found = load_tokenizer(folder);
  if (found) {
    tokenizer = std::move(*found);
  } else if (options.needs_tokenizer || found.error().code != ErrorCode::NotFound) {
    return found.error();
  }
  const Result<std::int32_t> mask = find_mask_token(checkpoint->config(), tokenizer.get());
  if (!mask) return mask.error();

  if (options.format == kernels::WeightFormat::Int8 &&
      checkpoint->config().intermediate_size > kernels::kMaxInt8Depth) {
    return fail(ErrorCode::InvalidInput,
                "the model is too wide for 8-bit products: intermediate_size is " +
                    std::to_string(checkpoint->config().intermediate_size) + ", the limit is " +
                    std::to_string(kernels::kMaxInt8Depth));
  }
  Result<LoadedWeights> weights = load_weights(*checkpoint, context, options);
  if (!weights) return weights.error();
  Model model(std::move(*checkpoint), std::move(weights->device), std::move(weights->transformer));
  model.context_ = &context;
  model.precision_ = options.precision;
  model.tokenizer_ = std::move(tokenizer);
  model.mask_token_ = *mask;
  model.allow_tokens();
  Result<LengthCalibration> calibration = load_calibration(folder);
  const bool has_own = calibration || calibration.error().code != ErrorCode::NotFound;
  if (has_own) model.length_calibration_ = std::move(calibration);
  model.copy_mixing_ = load_copy_mixing(folder);
  if (model.copy_mixing_) model.copy_mixing_ = model.copy_mixing_of(*model.copy_mixing_);
  return model;
}

}  // namespace lacuna::engine
