// The byte alphabet of GPT-2: vocabularies spell every byte as one printable character, the space
// as "Ġ". tokenizer.json, vocab.json and merges.txt are written in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lacuna::engine {

// The bytes that a piece spells; none when a character is not of the alphabet.
std::optional<std::string> bytes_of_piece(std::string_view piece);

std::string piece_of_bytes(std::string_view bytes);

}  // namespace lacuna::engine
