// What a SentencePiece .model file says, read without the library.
//
// The library's installed headers do not show the types of pieces nor the rules for text, and it
// trusts parts of the file (a hostile character map makes it read out of bounds). So the file is
// read here first, strictly, and only what passed is given to the library.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace lacuna::engine {

struct SentencePieceModel {
  enum class Type : std::uint8_t {  // numbers of the file format
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
  };
  struct Piece {
    std::string text;  // "▁" stands for the space
    Type type = Type::Normal;
  };

  std::vector<Piece> pieces;  // by id
  bool add_dummy_prefix = true;
  bool is_bpe = false;  // else unigram
};

// Corrupt when `bytes` is not such a file or contradicts itself: wrong fields, empty, overlong or
// repeated pieces, not exactly one unknown piece, byte pieces that are not the 256 bytes.
// InvalidInput for models that cannot give every text back: words or characters as model,
// a character map, blanks removed or not escaped, no byte pieces, no piece for the space.
Result<SentencePieceModel> parse_sentencepiece_model(std::string_view bytes);

// The byte of a byte piece, "<0x0A>" -> 10; -1 for any other text.
int byte_of_piece(std::string_view text);

}  // namespace lacuna::engine
