#include "engine/tokenizer/piece_table.h"

#include <bit>
#include <cassert>

#include "engine/tokenizer/bpe_spec.h"
#include "engine/tokenizer/hash.h"

namespace lacuna::engine {

void PieceTable::reserve(std::size_t n_pieces) {
  assert(slots_.empty());
  slots_.assign(std::bit_ceil(2 * n_pieces + 2), -1);
}

Result<void> PieceTable::add(std::int32_t id, std::string_view text, Kind kind) {
  assert(id >= 0 && id <= kMaxTokenId && kind != Kind::None && !slots_.empty());
  if (this->kind(id) != Kind::None) {
    return fail(ErrorCode::Corrupt, "vocabulary: two tokens have the id " + std::to_string(id));
  }
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash_bytes(text) & mask;
  for (int probe = 0; slots_[slot] != -1; ++probe) {
    if (probe == kMaxProbe) return fail(ErrorCode::Corrupt, "vocabulary: too many collisions");
    slot = (slot + 1) & mask;
  }
  slots_[slot] = id;
  if (id >= size()) {
    extents_.resize(static_cast<std::size_t>(id) + 1);
    kinds_.resize(static_cast<std::size_t>(id) + 1, Kind::None);
  }
  extents_[static_cast<std::size_t>(id)] = {static_cast<std::uint32_t>(texts_.size()),
                                            static_cast<std::uint32_t>(text.size())};
  kinds_[static_cast<std::size_t>(id)] = kind;
  texts_ += text;
  return {};
}

std::string_view PieceTable::text(std::int32_t id) const {
  if (kind(id) == Kind::None) return {};
  const Extent extent = extents_[static_cast<std::size_t>(id)];
  return std::string_view(texts_).substr(extent.begin, extent.length);
}

template <class Accept>
std::size_t PieceTable::find_slot(std::string_view text, Accept accept) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash_bytes(text) & mask;
  while (slots_[slot] != -1 && !(accept(slots_[slot]) && this->text(slots_[slot]) == text)) {
    slot = (slot + 1) & mask;
  }
  return slot;
}

std::int32_t PieceTable::find(std::string_view text) const {
  return slots_[find_slot(text, [&](std::int32_t id) { return kind(id) == Kind::Text; })];
}

bool PieceTable::contains(std::string_view text) const {
  return slots_[find_slot(text, [](std::int32_t) { return true; })] != -1;
}

}  // namespace lacuna::engine
