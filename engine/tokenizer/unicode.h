// What the tokenizers need of Unicode: the classes that split patterns name, and NFC.
//
// Classes and compositions come from libutf8proc, so characters younger than its version of
// Unicode count as unassigned: "other", and never composed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lacuna::engine {

// Letter is \p{L}, Number is \p{N}, Space is White_Space. That is \s of the regular expressions
// that Hugging Face uses (Oniguruma), not of PCRE2, which adds U+180E.
enum class CharClass : std::uint8_t { Letter, Number, Space, Other };

struct Char {
  char32_t code_point;
  std::uint8_t length;  // in bytes
};

// The character that starts at text[at]. `text` is valid UTF-8 there and `at` < text.size().
Char decode_char(std::string_view text, std::size_t at);

CharClass char_class(char32_t code_point);

// A character that \w matches: letters, marks, decimal and letter numbers, connectors.
bool is_word_char(char32_t code_point);

// The number of bytes at the start of `text` that are well-formed UTF-8.
std::size_t valid_utf8_prefix(std::string_view text);

// The NFC form of `text`, which must be valid UTF-8: `text` itself when nothing changes that a
// quick look could see, else the content of `buffer`. Linear in the length, also for long runs of
// combining marks.
std::string_view to_nfc(std::string_view text, std::string& buffer);

// True for characters of which to_nfc() knows without looking further that they stay as they are
// and that a composition can only begin, not continue, with them. Exposed for its test.
bool is_nfc_boundary(char32_t code_point);

}  // namespace lacuna::engine
