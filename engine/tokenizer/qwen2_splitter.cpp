// Qwen2's split pattern by hand. Each function below is one alternative of the pattern, tried in
// the order of the pattern; a test compares the result with PCRE2's.
#include <array>
#include <cstdint>

#include "engine/tokenizer/splitter.h"
#include "engine/tokenizer/unicode.h"

namespace lacuna::engine {
namespace {

constexpr std::array<CharClass, 128> make_ascii_classes() {
  std::array<CharClass, 128> classes{};
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool number = c >= '0' && c <= '9';
    const bool space = c == ' ' || (c >= 0x09 && c <= 0x0D);
    classes[c] = letter   ? CharClass::Letter
                 : number ? CharClass::Number
                 : space  ? CharClass::Space
                          : CharClass::Other;
  }
  return classes;
}
constexpr std::array<CharClass, 128> kAsciiClasses = make_ascii_classes();

struct Peek {
  CharClass cls;
  std::uint8_t length;  // 0 at the end of the text, where `cls` means nothing
};

Peek peek(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {CharClass::Other, 0};
  const auto byte = static_cast<std::uint8_t>(text[at]);
  if (byte < 0x80) return {kAsciiClasses[byte], 1};
  const Char c = decode_char(text, at);
  return {char_class(c.code_point), c.length};
}

bool is_newline(char c) { return c == '\r' || c == '\n'; }

std::size_t skip_class(std::string_view text, std::size_t at, CharClass cls) {
  for (Peek next = peek(text, at); next.length != 0 && next.cls == cls; next = peek(text, at)) {
    at += next.length;
  }
  return at;
}

std::size_t skip_newlines(std::string_view text, std::size_t at) {
  while (at < text.size() && is_newline(text[at])) ++at;
  return at;
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d) at an apostrophe: its length, or 0.
std::size_t contraction_length(std::string_view text, std::size_t at) {
  const auto lower = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<char>(text[at + i] | 0x20) : '\0';
  };
  switch (lower(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return lower(2) == 'e' ? 3 : 0;
    case 'l':
      return lower(2) == 'l' ? 3 : 0;
    default:  // U+017F, the long s, is a case variant of s
      return text.substr(at + 1, 2) == "\u017F" ? 3 : 0;
  }
}

// \s*[\r\n]+|\s+(?!\S)|\s+ at a space: up to the last line end of the run of spaces; without one
// all of the run, less its last character when something follows that may take it as a prefix.
std::size_t spaces_end(std::string_view text, std::size_t begin) {
  std::size_t newlines_end = begin;
  std::size_t last = begin;
  std::size_t at = begin;
  for (Peek next = peek(text, at); next.length != 0 && next.cls == CharClass::Space;
       next = peek(text, at)) {
    if (is_newline(text[at])) newlines_end = at + 1;
    last = at;
    at += next.length;
  }
  if (newlines_end != begin) return newlines_end;
  return at == text.size() || last == begin ? at : last;
}

std::size_t piece_end(std::string_view text, std::size_t at) {
  const Peek first = peek(text, at);
  const std::size_t next = at + first.length;
  if (first.cls == CharClass::Letter) return skip_class(text, next, CharClass::Letter);
  if (first.cls == CharClass::Number) return next;
  if (text[at] == '\'') {
    if (const std::size_t length = contraction_length(text, at); length != 0) return at + length;
  }
  const Peek second = peek(text, next);
  if (second.length != 0 && second.cls == CharClass::Letter && !is_newline(text[at])) {
    return skip_class(text, next + second.length, CharClass::Letter);
  }
  const bool symbol = first.cls == CharClass::Other;
  if (symbol || (text[at] == ' ' && second.length != 0 && second.cls == CharClass::Other)) {
    return skip_newlines(text, skip_class(text, next, CharClass::Other));
  }
  return spaces_end(text, at);
}

class Qwen2Splitter : public Splitter {
 public:
  void split(std::string_view text, std::vector<std::size_t>& ends) const override {
    ends.clear();
    for (std::size_t at = 0; at < text.size();) {
      at = piece_end(text, at);
      ends.push_back(at);
    }
  }
};

}  // namespace

std::unique_ptr<Splitter> make_qwen2_splitter() { return std::make_unique<Qwen2Splitter>(); }

}  // namespace lacuna::engine
