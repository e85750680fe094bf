#include "engine/checkpoint/quote.h"

#include "support/text.h"

namespace lacuna::engine {

std::string printable(std::string_view text) {
  constexpr std::size_t kMaxBytes = 120;
  std::string out;
  while (!text.empty()) {
    const std::size_t length = utf8_sequence_length(text);
    if (out.size() + length > kMaxBytes) {
      out += "...";
      break;
    }
    const auto lead = static_cast<unsigned char>(text[0]);
    const bool ascii_control = length == 1 && (lead < 0x20 || lead == 0x7F);
    const bool c1_control =
        length == 2 && lead == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    if (length == 0 || ascii_control || c1_control) {
      out += '?';
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string quote(std::string_view text) { return "'" + printable(text) + "'"; }

}  // namespace lacuna::engine
