#include "engine/tokenizer/byte_level.h"

#include <array>
#include <cstdint>

#include "engine/tokenizer/unicode.h"
#include "support/text.h"

namespace lacuna::engine {
namespace {

// Printable bytes of Latin-1 stand for themselves, the other 68 are U+0100 and up in order.
struct Alphabet {
  std::array<std::uint16_t, 256> code_point{};
  std::array<std::int16_t, 256 + 68> byte{};  // -1: not of the alphabet

  constexpr Alphabet() {
    byte.fill(-1);
    std::uint16_t next = 256;
    for (std::uint16_t b = 0; b < 256; ++b) {
      const bool printable = (b > 0x20 && b < 0x7F) || (b > 0xA0 && b != 0xAD);
      code_point[b] = printable ? b : next++;
      byte[code_point[b]] = static_cast<std::int16_t>(b);
    }
  }
};
constexpr Alphabet kAlphabet;

}  // namespace

std::optional<std::string> bytes_of_piece(std::string_view piece) {
  std::string bytes;
  bytes.reserve(piece.size());
  for (std::size_t at = 0; at < piece.size();) {
    if (utf8_sequence_length(piece.substr(at)) == 0) return std::nullopt;
    const Char c = decode_char(piece, at);
    if (c.code_point >= kAlphabet.byte.size() || kAlphabet.byte[c.code_point] < 0) {
      return std::nullopt;
    }
    bytes += static_cast<char>(kAlphabet.byte[c.code_point]);
    at += c.length;
  }
  return bytes;
}

std::string piece_of_bytes(std::string_view bytes) {
  std::string piece;
  for (const char byte : bytes) {
    const std::uint16_t c = kAlphabet.code_point[static_cast<std::uint8_t>(byte)];
    if (c < 0x80) {
      piece += static_cast<char>(c);
    } else {
      piece += static_cast<char>(0xC0U | (c >> 6));
      piece += static_cast<char>(0x80U | (c & 0x3FU));
    }
  }
  return piece;
}

}  // namespace lacuna::engine
