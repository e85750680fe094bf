#include "engine/tokenizer/chat_template.h"

#include <optional>

namespace lacuna::engine {
namespace {

constexpr std::string_view kDefaultSystem = "You are a helpful assistant.";

// A control token by its spelling; none when it is absent or ordinary text.
std::optional<std::int32_t> control(const Tokenizer& tokenizer, std::string_view spelling) {
  const std::optional<std::int32_t> id = tokenizer.find(spelling);
  return id && tokenizer.is_control(*id) ? id : std::nullopt;
}

// Tokens put one after the other: control tokens by id, everything else as text.
class Frame {
 public:
  explicit Frame(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void control(std::int32_t id) { ids_.push_back(id); }
  void text(const std::string& text) {
    const std::vector<std::int32_t> more = tokenizer_.encode(text);
    ids_.insert(ids_.end(), more.begin(), more.end());
  }
  std::vector<std::int32_t> take() { return std::move(ids_); }

 private:
  const Tokenizer& tokenizer_;
  std::vector<std::int32_t> ids_;
};

struct Qwen2Tokens {
  std::int32_t start, end;
};

std::vector<std::int32_t> qwen2_chat(const Tokenizer& tokenizer, const Qwen2Tokens& tokens,
                                     std::span<const ChatMessage> messages) {
  Frame frame(tokenizer);
  // Role and content are one text to the published template, so they are encoded as one.
  const auto add = [&](std::string_view role, std::string_view content) {
    frame.control(tokens.start);
    frame.text(std::string(role) + "\n" + std::string(content));
    frame.control(tokens.end);
    frame.text("\n");
  };
  if (messages.front().role != "system") add("system", kDefaultSystem);
  for (const ChatMessage& message : messages) add(message.role, message.content);
  frame.control(tokens.start);
  frame.text("assistant\n");
  return frame.take();
}

struct LladaTokens {
  std::int32_t text, start, end, turn;
};

std::vector<std::int32_t> llada_chat(const Tokenizer& tokenizer, const LladaTokens& tokens,
                                     std::span<const ChatMessage> messages) {
  Frame frame(tokenizer);
  const auto header = [&](const std::string& role) {
    frame.control(tokens.start);
    frame.text(role);
    frame.control(tokens.end);
  };
  frame.control(tokens.text);
  for (const ChatMessage& message : messages) {
    header(message.role);
    frame.text("\n\n" + message.content);
    frame.control(tokens.turn);
  }
  header("assistant");
  frame.text("\n\n");
  return frame.take();
}

}  // namespace

Result<std::vector<std::int32_t>> encode_chat(const Tokenizer& tokenizer,
                                              std::span<const ChatMessage> messages) {
  if (messages.empty()) return fail(ErrorCode::InvalidInput, "a chat needs a message");
  for (const ChatMessage& message : messages) {
    if (message.role != "system" && message.role != "user" && message.role != "assistant") {
      return fail(ErrorCode::InvalidInput, "unknown chat role '" + message.role + "'");
    }
  }
  const auto start = control(tokenizer, "<|im_start|>");
  const auto end = control(tokenizer, "<|im_end|>");
  if (start && end) return qwen2_chat(tokenizer, {*start, *end}, messages);

  const auto text = control(tokenizer, "<|startoftext|>");
  const auto header = control(tokenizer, "<|start_header_id|>");
  const auto header_end = control(tokenizer, "<|end_header_id|>");
  const auto turn = control(tokenizer, "<|eot_id|>");
  if (text && header && header_end && turn) {
    return llada_chat(tokenizer, {*text, *header, *header_end, *turn}, messages);
  }
  return fail(ErrorCode::InvalidInput,
              "the model has no chat template that Lacuna knows: its tokenizer has neither "
              "<|im_start|> and <|im_end|> nor LLaDA's <|startoftext|>, <|start_header_id|>, "
              "<|end_header_id|> and <|eot_id|>");
}

}  // namespace lacuna::engine
