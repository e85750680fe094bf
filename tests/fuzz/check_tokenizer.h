// What must hold for every tokenizer that loads, however strange its file.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "engine/tokenizer/tokenizer.h"

namespace lacuna::engine {

inline void check_tokenizer(const Tokenizer& tokenizer) {
  const std::string text =
      "def f(x):\n\treturn  caf\u00e9 \u2581\u4e2d 12'll <|mask|> <x>\xFF\xC3  \r\n\n        e";
  const std::vector<std::int32_t> ids = tokenizer.encode(text);
  for (const std::int32_t id : ids) {
    if (tokenizer.is_control(id) || id < 0 || id >= tokenizer.size()) std::abort();
  }
  if (tokenizer.decode(ids) != text) std::abort();  // the text is NFC
  const std::vector<std::int32_t> with_control = tokenizer.encode_with_control(text);
  tokenizer.decode(with_control, {.control_tokens = true});
  if (const auto mask = tokenizer.find("<|mask|>"); mask && !tokenizer.is_control(*mask)) {
    if (tokenizer.decode({&*mask, 1}) != "<|mask|>") std::abort();
  }
}

}  // namespace lacuna::engine
