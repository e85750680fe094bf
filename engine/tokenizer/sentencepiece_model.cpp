#include "engine/tokenizer/sentencepiece_model.h"

#include <array>
#include <bit>
#include <cmath>
#include <optional>
#include <unordered_set>

#include "engine/tokenizer/bpe_spec.h"
#include "support/text.h"

namespace lacuna::engine {
namespace {

using Piece = SentencePieceModel::Piece;
using Type = SentencePieceModel::Type;

// Ranks or logarithms of probabilities. The library subtracts ten from the smallest to get that of
// an unknown character, which must not vanish in rounding.
constexpr float kMaxScore = 1e7F;

// Of one piece. The library walks pieces recursively when some are marked unused.
constexpr std::size_t kMaxPieceBytes = 4096;

Error corrupt(const std::string& what) {
  return fail(ErrorCode::Corrupt, "SentencePiece model: " + what);
}
Error unsupported(const std::string& what) {
  return fail(ErrorCode::InvalidInput, "SentencePiece model: " + what + " is not supported");
}

// The Protocol Buffers wire format: fields of a message one after the other.
class Fields {
 public:
  enum class Wire : std::uint8_t { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };
  struct Field {
    std::uint64_t number;
    Wire wire;
    std::uint64_t value;     // Varint, Fixed32
    std::string_view bytes;  // Bytes
  };

  explicit Fields(std::string_view message) : rest_(message) {}

  // The next field; none at the end and after damage.
  std::optional<Field> next() {
    if (rest_.empty() || damaged_) return std::nullopt;
    const std::uint64_t tag = varint();
    Field field{tag >> 3, static_cast<Wire>(tag & 7U), 0, {}};
    switch (field.wire) {
      case Wire::Varint:
        field.value = varint();
        break;
      case Wire::Fixed64:
        take(8);
        break;
      case Wire::Bytes:
        field.bytes = take(varint());
        break;
      case Wire::Fixed32:
        for (const char byte : take(4)) {
          field.value = (field.value >> 8) | (std::uint64_t{static_cast<std::uint8_t>(byte)} << 24);
        }
        break;
      default:
        damaged_ = true;
    }
    if (damaged_ || field.number == 0) {
      damaged_ = true;
      return std::nullopt;
    }
    return field;
  }

  bool damaged() const { return damaged_; }

 private:
  std::string_view take(std::uint64_t length) {
    if (length > rest_.size()) {
      damaged_ = true;
      return {};
    }
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<std::uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) return value;
    }
    damaged_ = true;
    return 0;
  }

  std::string_view rest_;
  bool damaged_ = false;
};

using Wire = Fields::Wire;

// The parts of TrainerSpec and NormalizerSpec that matter, with their defaults in the format.
struct Rules {
  std::uint64_t model_type = 1;  // unigram
  bool byte_fallback = false;
  bool whitespace_as_suffix = false;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool has_character_map = false;
};

bool read_flag(const Fields::Field& field, bool& flag) {
  flag = field.value != 0;
  return field.wire == Wire::Varint;
}

bool read_trainer_spec(std::string_view message, Rules& rules) {
  Fields fields(message);
  bool ok = true;
  while (const auto field = fields.next()) {
    if (field->number == 3) {
      rules.model_type = field->value;
      ok = ok && field->wire == Wire::Varint;
    } else if (field->number == 24) {
      ok = ok && read_flag(*field, rules.whitespace_as_suffix);
    } else if (field->number == 35) {
      ok = ok && read_flag(*field, rules.byte_fallback);
    }
  }
  return ok && !fields.damaged();
}

bool read_normalizer_spec(std::string_view message, Rules& rules) {
  Fields fields(message);
  bool ok = true;
  while (const auto field = fields.next()) {
    if (field->number == 2) {
      rules.has_character_map = rules.has_character_map || !field->bytes.empty();
      ok = ok && field->wire == Wire::Bytes;
    } else if (field->number == 3) {
      ok = ok && read_flag(*field, rules.add_dummy_prefix);
    } else if (field->number == 4) {
      ok = ok && read_flag(*field, rules.remove_extra_whitespaces);
    } else if (field->number == 5) {
      ok = ok && read_flag(*field, rules.escape_whitespaces);
    }
  }
  return ok && !fields.damaged();
}

std::optional<Piece> read_piece(std::string_view message) {
  Fields fields(message);
  Piece piece;
  bool ok = true;
  while (const auto field = fields.next()) {
    if (field->number == 1) {
      piece.text = std::string(field->bytes);
      ok = ok && field->wire == Wire::Bytes;
    } else if (field->number == 2) {
      const auto score = std::bit_cast<float>(static_cast<std::uint32_t>(field->value));
      ok = ok && field->wire == Wire::Fixed32 && std::abs(score) <= kMaxScore;
    } else if (field->number == 3) {
      piece.type = static_cast<Type>(field->value);
      ok = ok && field->wire == Wire::Varint && field->value >= 1 && field->value <= 6;
    }
  }
  ok = ok && !fields.damaged() && !piece.text.empty() && piece.text.size() <= kMaxPieceBytes;
  // The library passes user-defined pieces and those of unigram models on as C strings: a NUL would
  // cut them short, or leave a key of no bytes, which it answers with an exception.
  ok = ok && piece.text.find('\0') == std::string::npos;
  return ok && is_valid_utf8(piece.text) ? std::optional(piece) : std::nullopt;
}

std::optional<Error> check_pieces(const std::vector<Piece>& pieces) {
  std::unordered_set<std::string_view> texts;
  std::array<bool, 256> bytes{};
  int n_unknown = 0;
  bool has_space = false;  // else the library writes it as the bytes of U+2581
  for (const Piece& piece : pieces) {
    if (!texts.insert(piece.text).second) return corrupt("piece '" + piece.text + "' repeats");
    if (piece.type == Type::Unknown) ++n_unknown;
    if (piece.type == Type::Normal && piece.text == "\u2581") has_space = true;
    if (piece.type != Type::Byte) continue;
    const int byte = byte_of_piece(piece.text);
    if (byte < 0) return corrupt("'" + piece.text + "' is not a byte");
    bytes[static_cast<std::size_t>(byte)] = true;
  }
  if (n_unknown != 1) return corrupt("it has not exactly one unknown piece");
  for (const bool present : bytes) {
    if (!present) return unsupported("a vocabulary without all byte pieces");
  }
  if (!has_space) return unsupported("a vocabulary without a piece for the space");
  return std::nullopt;
}

std::optional<Error> check_rules(const Rules& rules) {
  if (rules.model_type != 1 && rules.model_type != 2) {
    return unsupported("a model that is neither unigram nor BPE");
  }
  if (!rules.byte_fallback) return unsupported("a vocabulary without byte_fallback");
  if (rules.has_character_map) return unsupported("a normalisation rule");
  if (rules.remove_extra_whitespaces) return unsupported("remove_extra_whitespaces");
  if (!rules.escape_whitespaces) return unsupported("escape_whitespaces=false");
  if (rules.whitespace_as_suffix) return unsupported("treat_whitespace_as_suffix");
  return std::nullopt;
}

}  // namespace

int byte_of_piece(std::string_view text) {
  const auto digit = [&](std::size_t i) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    const std::size_t value = kDigits.find(text[i]);
    return value == std::string_view::npos ? -1 : static_cast<int>(value);
  };
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return -1;
  return digit(3) < 0 || digit(4) < 0 ? -1 : 16 * digit(3) + digit(4);
}

Result<SentencePieceModel> parse_sentencepiece_model(std::string_view bytes) {
  SentencePieceModel model;
  Rules rules;
  Rules unused_rules;  // of the denormaliser
  Fields fields(bytes);
  while (const auto field = fields.next()) {
    bool ok = field->wire == Wire::Bytes || field->number > 5;
    if (field->number == 1) {
      std::optional<Piece> piece = read_piece(field->bytes);
      if (!piece || model.pieces.size() > static_cast<std::size_t>(kMaxTokenId)) {
        return corrupt("piece " + std::to_string(model.pieces.size()) + " is damaged");
      }
      model.pieces.push_back(std::move(*piece));
    } else if (field->number == 2) {
      ok = ok && read_trainer_spec(field->bytes, rules);
    } else if (field->number == 3) {
      ok = ok && read_normalizer_spec(field->bytes, rules);
    } else if (field->number == 5) {
      ok = ok && read_normalizer_spec(field->bytes, unused_rules);
    }
    if (!ok) return corrupt("damaged");
  }
  if (fields.damaged() || model.pieces.empty()) return corrupt("damaged, or not such a file");
  rules.has_character_map = rules.has_character_map || unused_rules.has_character_map;
  model.add_dummy_prefix = rules.add_dummy_prefix;
  model.is_bpe = rules.model_type == 2;
  if (const std::optional<Error> error = check_rules(rules)) return *error;
  if (const std::optional<Error> error = check_pieces(model.pieces)) return *error;
  return model;
}

}  // namespace lacuna::engine
