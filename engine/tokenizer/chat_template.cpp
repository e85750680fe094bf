#include "engine/tokenizer/chat_template.h"

#include <optional>

namespace lacuna::engine {
namespace {

constexpr std::string_view kDefaultSystem = "You are a helpful assistant.";

void append(const std::vector<std::int32_t>& more, std::vector<std::int32_t>& ids) {
  ids.insert(ids.end(), more.begin(), more.end());
}

}  // namespace

Result<std::vector<std::int32_t>> encode_chat(const Tokenizer& tokenizer,
                                              std::span<const ChatMessage> messages) {
  const std::optional<std::int32_t> start = tokenizer.find("<|im_start|>");
  const std::optional<std::int32_t> end = tokenizer.find("<|im_end|>");
  if (!start || !end || !tokenizer.is_control(*start) || !tokenizer.is_control(*end)) {
    return fail(ErrorCode::InvalidInput,
                "the model has no chat template that Lacuna knows: its tokenizer has no "
                "<|im_start|> and <|im_end|>");
  }
  if (messages.empty()) return fail(ErrorCode::InvalidInput, "a chat needs a message");

  std::vector<std::int32_t> ids;
  // Role and content are one text to the published template, so they are encoded as one.
  const auto add = [&](std::string_view role, std::string_view content) {
    ids.push_back(*start);
    append(tokenizer.encode(std::string(role) + "\n" + std::string(content)), ids);
    ids.push_back(*end);
    append(tokenizer.encode("\n"), ids);
  };
  if (messages.front().role != "system") add("system", kDefaultSystem);
  for (const ChatMessage& message : messages) {
    if (message.role != "system" && message.role != "user" && message.role != "assistant") {
      return fail(ErrorCode::InvalidInput, "unknown chat role '" + message.role + "'");
    }
    add(message.role, message.content);
  }
  ids.push_back(*start);
  append(tokenizer.encode("assistant\n"), ids);
  return ids;
}

}  // namespace lacuna::engine
