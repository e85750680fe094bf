#include "engine/generate.h"

#include <algorithm>

#include "engine/device_memory.h"
#include "engine/tokenizer/chat_template.h"
#include "engine/transformer_predictor.h"

namespace lacuna::engine {

Result<std::vector<std::int32_t>> encode_prompt(const Model& model, std::string_view text,
                                                const std::optional<ChatOptions>& chat) {
  if (model.tokenizer() == nullptr) {
    return fail(ErrorCode::NotFound, "the model has no tokenizer; a text needs one");
  }
  if (chat) {
    std::vector<ChatMessage> messages;
    if (chat->system) messages.push_back({.role = "system", .content = *chat->system});
    messages.push_back({.role = "user", .content = std::string(text)});
    return encode_chat(*model.tokenizer(), messages);
  }
  std::vector<std::int32_t> tokens;
  if (const auto& format = model.config().document_format) {
    if (format->begin) tokens.push_back(*format->begin);
    if (format->any_language) tokens.push_back(*format->any_language);
  }
  const std::vector<std::int32_t> encoded = model.tokenizer()->encode(text);
  tokens.insert(tokens.end(), encoded.begin(), encoded.end());
  return tokens;
}

namespace {

// All tokens when exact, else those that a text may hold, without the end of the text.
std::vector<std::uint8_t> tokens_without_eos(const Model& model, bool exact) {
  std::vector<std::uint8_t> allowed =
      exact ? std::vector<std::uint8_t>(static_cast<std::size_t>(model.config().vocab_size), 1)
            : model.generate_tokens();
  if (const auto eos = model.config().eos_token) allowed[static_cast<std::size_t>(*eos)] = 0;
  return allowed;
}

std::vector<std::int32_t> distrusted_tokens(const Model& model, const GenerateRequest& request) {
  std::vector<std::int32_t> tokens;
  const bool reaches_eos = !request.exact || request.sampling.temperature == 0;
  if (model.config().eos_token && reaches_eos) tokens.push_back(*model.config().eos_token);
  const auto eot =
      model.tokenizer() == nullptr ? std::nullopt : model.tokenizer()->find("<|eot_id|>");
  if (eot && *eot < model.config().vocab_size) tokens.push_back(*eot);
  return tokens;
}

}  // namespace

Result<GenerateResult> generate(const Model& model, const GenerateRequest& request) {
  const auto length = static_cast<long>(request.prompt.size()) + request.max_new_tokens;
  if (request.max_new_tokens < 1) {
    return fail(
        ErrorCode::InvalidInput,
        "max_new_tokens is " + std::to_string(request.max_new_tokens) + "; it must be at least 1");
  }
  if (length > model.config().max_positions) {
    return fail(ErrorCode::InvalidInput,
                "prompt and generation have " + std::to_string(length) + " tokens; the model has " +
                    std::to_string(model.config().max_positions) + " positions");
  }
  DenoiseRequest denoising;
  denoising.canvas = request.prompt;
  denoising.mask_token = model.mask_token();
  denoising.canvas.resize(static_cast<std::size_t>(length), model.mask_token());
  denoising.sampling = request.sampling;
  if (!request.exact) denoising.allowed = model.generate_tokens();
  std::vector<std::uint8_t> without_eos;  // these two live as long as `denoising`
  std::vector<std::int32_t> distrusted;
  if (request.logits_eos_inf) {
    without_eos = tokens_without_eos(model, request.exact);
    denoising.allowed = without_eos;
  }
  if (request.confidence_eos_eot_inf) {
    distrusted = distrusted_tokens(model, request);
    denoising.distrusted = distrusted;
  }
  denoising.stop = request.stop;

  GenerateResult result;
  denoising.on_step = [&](const StepEvent& event) {
    if (request.output_history)
      result.history.emplace_back(event.canvas.begin(), event.canvas.end());
    if (request.on_step) request.on_step(event);
  };
  if (!request.exact) denoising.cache = request.cache;

  const auto run = [&]() -> Result<DenoiseResult> {
    try {
      TransformerPredictor predictor(model.transformer(), model.context(), limits_of(denoising),
                                     model.precision());
      return denoise(predictor, denoising);
    } catch (const kernels::DeviceError& error) {
      return device_failure(error);
    }
  };
  Result<DenoiseResult> denoised = run();
  if (!denoised) return denoised.error();
  result.sequence = std::move(denoised->canvas);
  result.steps_run = denoised->steps_run;
  result.forward_passes = denoised->forward_passes;
  if (model.tokenizer() != nullptr) {
    const std::vector<std::int32_t> ends = text_end_tokens(model.config(), model.tokenizer());
    const auto begin = result.sequence.begin() + static_cast<long>(request.prompt.size());
    const auto end = std::find_first_of(begin, result.sequence.end(), ends.begin(), ends.end());
    result.text = model.tokenizer()->decode({begin, end});
  }
  return result;
}

}  // namespace lacuna::engine
