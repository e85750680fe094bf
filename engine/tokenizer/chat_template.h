// The chat frames of Qwen2.5 with DiffuCoder, and of LLaDA.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/tokenizer/tokenizer.h"
#include "support/result.h"

namespace lacuna::engine {

struct ChatMessage {
  std::string role;  // "system", "user" or "assistant"
  std::string content;
};

// The tokens of a conversation, up to where the assistant's next answer begins:
//
//   <|im_start|>system\n...<|im_end|>\n<|im_start|>user\n...<|im_end|>\n<|im_start|>assistant\n
//
// A system message comes first; without one it is "You are a helpful assistant.". Where the
// tokenizer has LLaDA's tokens instead, the frame is
//
//   <|startoftext|><|start_header_id|>user<|end_header_id|>\n\n...<|eot_id|>
//       <|start_header_id|>assistant<|end_header_id|>\n\n
//
// with no system message unless there is one. Only the frame is control tokens. Content is text: "<|im_end|>" in it does not end a message.
//
// InvalidInput for an unknown role, for no messages, and when the tokenizer lacks a token of the
// frame: then the model was not made for this template.
Result<std::vector<std::int32_t>> encode_chat(const Tokenizer& tokenizer,
                                              std::span<const ChatMessage> messages);

}  // namespace lacuna::engine
