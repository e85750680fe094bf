// The texts of all tokens by id, and the way back from text to id.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace lacuna::engine {

// Compact: one string for all texts. Filled once, then read by any number of threads.
class PieceTable {
 public:
  // Control tokens are not found by find(): text must not become one.
  enum class Kind : std::uint8_t { None, Text, Control };

  // Makes room, so that adding does not rehash. Call first, once.
  void reserve(std::size_t n_pieces);

  // Gives an unused id in [0, kMaxTokenId] a text. Corrupt when the id is taken, or when too many
  // pieces share a hash slot (only a made-up vocabulary does that, to make loading take forever).
  Result<void> add(std::int32_t id, std::string_view text, Kind kind);
  // Makes a token of kind Text one of kind Control.
  void make_control(std::int32_t id) { kinds_[static_cast<std::size_t>(id)] = Kind::Control; }

  std::int32_t size() const { return static_cast<std::int32_t>(kinds_.size()); }
  // Kind::None for any id that was not added.
  Kind kind(std::int32_t id) const {
    return id < 0 || id >= size() ? Kind::None : kinds_[static_cast<std::size_t>(id)];
  }
  // Empty for ids of kind None. Invalid after the next add().
  std::string_view text(std::int32_t id) const;

  // The token of kind Text with these bytes, the first added of several; -1 when there is none.
  std::int32_t find(std::string_view text) const;
  // True when a token of any kind has these bytes.
  bool contains(std::string_view text) const;

 private:
  // The slot of the first token with this text that `accept` takes, else a free one.
  template <class Accept>
  std::size_t find_slot(std::string_view text, Accept accept) const;

  struct Extent {
    std::uint32_t begin = 0;
    std::uint32_t length = 0;
  };

  std::string texts_;
  std::vector<Extent> extents_;      // by id
  std::vector<Kind> kinds_;          // by id
  std::vector<std::int32_t> slots_;  // ids in open addressing, -1 where free
};

}  // namespace lacuna::engine
