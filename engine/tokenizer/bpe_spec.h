// A byte-level BPE tokenizer as its files describe it, read and type-checked but not yet checked
// as a whole: what the file readers give to make_bpe_tokenizer().
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/tokenizer/added_tokens.h"

namespace lacuna::engine {

// Past every published vocabulary (262,144) and small enough for tables indexed by id.
inline constexpr std::int32_t kMaxTokenId = (1 << 22) - 1;

struct BpeSpec {
  // Pieces in the byte alphabet of GPT-2 ("Ġthe"), with their ids in [0, kMaxTokenId].
  std::vector<std::pair<std::string, std::int32_t>> vocab;
  // "left right" in the same alphabet, the most urgent merge first.
  std::vector<std::string> merges;
  std::vector<AddedToken> added;
  // The split: as for make_regex_splitter().
  std::vector<std::string> patterns;
  bool nfc = false;
  // A word that is in the vocabulary is that token, whatever the merges would make of it.
  bool ignore_merges = false;
};

}  // namespace lacuna::engine
