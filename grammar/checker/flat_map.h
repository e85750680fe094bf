// A hash map from 64-bit keys to 32-bit values, for the memo tables of the checker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lacuna::grammar {

class FlatMap {
 public:
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};  // not a key

  // The slot of `key`, which holds -2 when the key is new. Valid until the next call.
  std::int32_t& operator[](std::uint64_t key) {
    if ((size_ + 1) * 2 > slots_.size()) grow();
    Slot& slot = find(key);
    if (slot.key == kEmpty) {
      slot = {key, -2};
      ++size_;
    }
    return slot.value;
  }
  void clear() {
    slots_.clear();
    size_ = 0;
  }

 private:
  struct Slot {
    std::uint64_t key;
    std::int32_t value;
  };

  Slot& find(std::uint64_t key) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = static_cast<std::size_t>((key * 0x9E3779B97F4A7C15U) >> 20U) & mask;
    while (slots_[at].key != kEmpty && slots_[at].key != key) at = (at + 1) & mask;
    return slots_[at];
  }
  void grow() {
    std::vector<Slot> old(slots_.empty() ? 1024 : slots_.size() * 2, Slot{kEmpty, 0});
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.key != kEmpty) find(slot.key) = slot;
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace lacuna::grammar
