// A split pattern up to the first line end, then a text for it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/tokenizer/splitter.h"
#include "support/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line_end = input.find('\n');
  if (line_end == std::string_view::npos) return 0;
  const std::string pattern(input.substr(0, line_end));
  const auto splitter = lacuna::engine::make_regex_splitter({pattern});
  if (!splitter) return 0;
  // Short, because a hostile pattern may take exponential time up to the match limit.
  const std::string text = lacuna::replace_invalid_utf8(input.substr(line_end + 1, 64));
  std::vector<std::size_t> ends;
  (*splitter)->split(text, ends);
  std::size_t last = 0;
  for (const std::size_t end : ends) {
    if (end <= last) std::abort();
    last = end;
  }
  if (last != text.size()) std::abort();
  return 0;
}
