// Added tokens: spellings that are tokens as a whole, beside the vocabulary of the model proper.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lacuna::engine {

// As in tokenizer.json. `special` is not kept: to Lacuna every added token is a control token.
struct AddedToken {
  std::string content;  // plain text, not empty
  std::int32_t id = 0;
  bool normalized = false;   // matched in the normalised text, not in the text as it came
  bool lstrip = false;       // takes the spaces before it
  bool rstrip = false;       // takes the spaces after it
  bool single_word = false;  // only where no word character stands on either side
};

// Finds added tokens in text. Immutable.
class AddedTokenMatcher {
 public:
  struct Match {
    std::size_t begin;  // with the spaces that the token takes
    std::size_t end;
    std::int32_t id;
  };

  AddedTokenMatcher() = default;
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

  // The leftmost match in text[from, end), the longest of those that start there, as Hugging
  // Face's matcher chooses; none when there is no more. `from` is 0 or the end of a match.
  std::optional<Match> find(std::string_view text, std::size_t from) const;

 private:
  const AddedToken* longest_at(std::string_view text, std::size_t at) const;

  std::vector<AddedToken> tokens_;  // sorted by content
  std::array<bool, 256> starts_{};  // bytes that some content starts with
};

}  // namespace lacuna::engine
