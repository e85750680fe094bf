#include "engine/tokenizer/added_tokens.h"

#include <algorithm>

#include "engine/tokenizer/unicode.h"
#include "support/text.h"

namespace lacuna::engine {
namespace {

// The last character of `text`, if it ends in a well-formed one.
std::optional<Char> last_char(std::string_view text) {
  for (std::size_t length = 1; length <= 4 && length <= text.size(); ++length) {
    const std::string_view tail = text.substr(text.size() - length);
    if (utf8_sequence_length(tail) == length) return decode_char(tail, 0);
  }
  return std::nullopt;
}

std::optional<Char> first_char(std::string_view text) {
  if (utf8_sequence_length(text) == 0) return std::nullopt;
  return decode_char(text, 0);
}

bool is_word(const std::optional<Char>& c) { return c && is_word_char(c->code_point); }
bool is_space(const std::optional<Char>& c) {
  return c && char_class(c->code_point) == CharClass::Space;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::sort(tokens_.begin(), tokens_.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
  for (const AddedToken& token : tokens_) {
    starts_[static_cast<std::uint8_t>(token.content.front())] = true;
  }
}

// Narrows the range of tokens that begin with text[at, at + length) byte by byte. Within it the
// content that is exactly that long, if there is one, sorts first.
const AddedToken* AddedTokenMatcher::longest_at(std::string_view text, std::size_t at) const {
  const AddedToken* longest = nullptr;
  auto first = tokens_.begin();
  auto last = tokens_.end();
  for (std::size_t length = 0; at + length < text.size() && first != last; ++length) {
    const auto byte = static_cast<std::uint8_t>(text[at + length]);
    const auto byte_of = [length](const AddedToken& token) {  // -1 sorts ended contents first
      return length < token.content.size() ? static_cast<std::uint8_t>(token.content[length]) : -1;
    };
    first = std::partition_point(first, last,
                                 [&](const AddedToken& token) { return byte_of(token) < byte; });
    last = std::partition_point(first, last,
                                [&](const AddedToken& token) { return byte_of(token) <= byte; });
    if (first != last && first->content.size() == length + 1) longest = &*first;
  }
  return longest;
}

std::optional<AddedTokenMatcher::Match> AddedTokenMatcher::find(std::string_view text,
                                                                std::size_t from) const {
  for (std::size_t at = from; at < text.size();) {
    const AddedToken* token = nullptr;
    if (starts_[static_cast<std::uint8_t>(text[at])]) token = longest_at(text, at);
    if (token == nullptr) {
      ++at;
      continue;
    }
    Match match{at, at + token->content.size(), token->id};
    at = match.end;
    if (token->single_word && (is_word(last_char(text.substr(0, match.begin))) ||
                               is_word(first_char(text.substr(match.end))))) {
      continue;
    }
    if (token->lstrip) {
      for (auto c = last_char(text.substr(from, match.begin - from)); is_space(c);
           c = last_char(text.substr(from, match.begin - from))) {
        match.begin -= c->length;
      }
    }
    if (token->rstrip) {
      for (auto c = first_char(text.substr(match.end)); is_space(c);
           c = first_char(text.substr(match.end))) {
        match.end += c->length;
      }
    }
    return match;
  }
  return std::nullopt;
}

}  // namespace lacuna::engine
