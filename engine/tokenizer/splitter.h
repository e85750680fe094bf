// Cutting text into the pieces ("words") that byte-level BPE then merges inside of, never across.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace lacuna::engine {

// Immutable; any number of threads may split at once.
class Splitter {
 public:
  virtual ~Splitter() = default;

  // Replaces `ends` by the end offset of each piece. The pieces follow each other and cover all
  // of `text`, which must be valid UTF-8.
  virtual void split(std::string_view text, std::vector<std::size_t>& ends) const = 0;
};

// The split of Qwen2, Qwen2.5, Dream and DiffuCoder, and that of GPT-2.
inline constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// kQwen2Pattern by hand, several times faster than a regular expression. Linear in the length.
std::unique_ptr<Splitter> make_qwen2_splitter();

// One or more regular expressions: each cuts the pieces of the one before it; its matches are
// pieces, and so is what lies between them (Hugging Face's "Isolated"). It sees only its piece.
//
// InvalidInput for a pattern that PCRE2 does not accept, and for one that it would read in
// another way than Oniguruma, for which these patterns are written (\w, \b, nested classes, ...).
// A match that needs too much work ends the search: the rest of that piece stays whole. None of
// the published patterns comes near that, also not on a megabyte of blanks.
Result<std::unique_ptr<Splitter>> make_regex_splitter(const std::vector<std::string>& patterns);

// A pattern that matches `text` and nothing else.
std::string quote_pattern(std::string_view text);

}  // namespace lacuna::engine
