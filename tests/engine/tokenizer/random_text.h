// Random text for property tests: code, Unicode, control characters, long blanks, broken UTF-8.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace lacuna::engine {

class RandomText {
 public:
  explicit RandomText(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return random_() % n; }

  // Valid UTF-8 of up to some 300 bytes, mostly of characters that trouble tokenizers.
  std::string valid() {
    // clang-format off
    static const std::vector<std::string_view> kParts = {
        "def ", "return", "self", "foo_bar", "x", "Hello", "\u00e9", "e\u0301", "\u017f", "n\u0303",
        "\u043d\u0435", "\u4e2d\u6587", "\u0e01\u0e33", "\uac00", "\u1100\u1161\u11a8", "\u212b",
        "0", "42", "\u0663", "\u00bd", "\u2167",
        " ", "  ", "    ", "\t", "\n", "\r\n", "\r", "\n\n", "\v", "\f", "\u0085", "\u00a0",
        "\u180e", "\u2003", "\u2028", "\u3000", "\u200b", "\ufeff", "\u2581",
        "'", "'s", "'S", "'\u017f", "'re", "'LL", "'l", "''", "\"", "(", "){", "->", "==", "...",
        "\U0001F600", "\U0001F468\u200D\U0001F469", "\u2764\uFE0F", "\u0301", "\u0323\u0301",
        "<|mask|>", "<|endoftext|>", "<mask>", "<unk>", "<tool>", "<|", "|>", "<0x0A>"};
    // clang-format on
    std::string text;
    for (std::size_t n = below(24); n > 0; --n) {
      switch (below(8)) {
        case 0:
          append_code_point(static_cast<char32_t>(below(0x100)), text);
          break;
        case 1:
          append_code_point(static_cast<char32_t>(below(0x3000)), text);
          break;
        case 2:
          for (std::size_t i = below(40), part = below(kParts.size()); i > 0; --i) {
            text += kParts[part];
          }
          break;
        default:
          text += kParts[below(kParts.size())];
      }
    }
    return text;
  }

  // As valid(), with bytes changed, dropped and put in.
  std::string bytes() {
    std::string text = valid();
    for (std::size_t n = below(6); n > 0 && !text.empty(); --n) {
      const std::size_t at = below(text.size());
      if (below(2) == 0) {
        text.erase(at, 1);
      } else {
        text[at] = static_cast<char>(below(256));
      }
    }
    return text;
  }

 private:
  static void append_code_point(char32_t c, std::string& text) {
    if (c < 0x80) {
      text += static_cast<char>(c);
    } else if (c < 0x800) {
      text += static_cast<char>(0xC0U | (c >> 6));
      text += static_cast<char>(0x80U | (c & 0x3FU));
    } else {  // below U+3000, so never a surrogate
      text += static_cast<char>(0xE0U | (c >> 12));
      text += static_cast<char>(0x80U | ((c >> 6) & 0x3FU));
      text += static_cast<char>(0x80U | (c & 0x3FU));
    }
  }

  std::mt19937 random_;
};

}  // namespace lacuna::engine
