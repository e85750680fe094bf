// A SentencePiece model small enough to read, as the bytes of a .model file that tests can alter.
#pragma once

#include <bit>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace lacuna::engine {

// Writes messages in the Protocol Buffers wire format.
class MessageWriter {
 public:
  MessageWriter& varint(int field, std::uint64_t value) { return tag(field, 0).raw_varint(value); }
  MessageWriter& bytes(int field, const std::string& value) {
    tag(field, 2).raw_varint(value.size());
    out_ += value;
    return *this;
  }
  MessageWriter& fixed32(int field, float value) {
    tag(field, 5);
    auto bits = std::bit_cast<std::uint32_t>(value);
    for (int i = 0; i < 4; ++i, bits >>= 8) out_ += static_cast<char>(bits & 0xFFU);
    return *this;
  }
  const std::string& str() const { return out_; }

 private:
  MessageWriter& tag(int field, unsigned wire) {
    return raw_varint((static_cast<std::uint64_t>(field) << 3) | wire);
  }
  MessageWriter& raw_varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80U);
    out_ += static_cast<char>(value);
    return *this;
  }

  std::string out_;
};

struct TinyPiece {
  std::string text;
  int type;  // 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
};

struct TinySentencePiece {
  std::vector<TinyPiece> pieces;
  int model_type = 2;  // BPE
  bool byte_fallback = true;
  bool add_dummy_prefix = false;
  bool remove_extra_whitespaces = false;
  bool escape_whitespaces = true;
  std::string character_map;

  // <unk> 0, <mask> 1, <pad> 2, line end 3, one and two tabs 4 and 5, a token that only looks
  // like one of control 6, the bytes from 7 on, then pieces of text from 263 on.
  TinySentencePiece() {
    pieces = {{"<unk>", 2}, {"<mask>", 3}, {"<pad>", 3}, {"\n", 4},
              {"\t", 4},    {"\t\t", 4},   {"<user>", 4}};
    for (int byte = 0; byte < 256; ++byte) {
      char text[8];
      std::snprintf(text, sizeof text, "<0x%02X>", byte);
      pieces.push_back({text, 6});
    }
    for (const char* text : {"re",
                             "\u2581\u2581",
                             "tu",
                             "retu",
                             "rn",
                             "return",
                             "\u2581return",
                             "self",
                             "se",
                             "lf",
                             "\u2581",
                             "r",
                             "e",
                             "t",
                             "u",
                             "n",
                             "s",
                             "l",
                             "f",
                             "<",
                             ">",
                             "m",
                             "a",
                             "k",
                             "\u00e9",
                             "\u4e2d"}) {
      pieces.push_back({text, 1});
    }
  }

  std::string build() const {
    MessageWriter model;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      model.bytes(1, MessageWriter()
                         .bytes(1, pieces[i].text)
                         .fixed32(2, -static_cast<float>(i))
                         .varint(3, static_cast<std::uint64_t>(pieces[i].type))
                         .str());
    }
    model.bytes(2, MessageWriter()
                       .varint(3, static_cast<std::uint64_t>(model_type))
                       .varint(35, byte_fallback ? 1 : 0)
                       .str());
    model.bytes(3, MessageWriter()
                       .bytes(1, "identity")
                       .bytes(2, character_map)
                       .varint(3, add_dummy_prefix ? 1 : 0)
                       .varint(4, remove_extra_whitespaces ? 1 : 0)
                       .varint(5, escape_whitespaces ? 1 : 0)
                       .str());
    return model.str();
  }
};

}  // namespace lacuna::engine
