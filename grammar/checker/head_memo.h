// The rules that wait for a set of nonterminals, kept: the same sets come again and again.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grammar/checker/item_masks.h"

namespace lacuna::grammar {

class HeadMemo {
 public:
  explicit HeadMemo(const ItemMasks& masks) : masks_(masks) {}

  // Rules with the dot before one of the nonterminals. Valid until the next call.
  const Word* before(const std::vector<Word>& heads) {
    const auto known = memo_.find(heads);
    if (known != memo_.end()) return known->second.data();
    if (memo_.size() >= kMost) memo_.clear();
    std::vector<Word> found(masks_.set_words(), 0);
    masks_.before_heads(heads.data(), found.data());
    return memo_.emplace(heads, std::move(found)).first->second.data();
  }

 private:
  static constexpr std::size_t kMost = 4096;

  struct Hash {
    std::size_t operator()(const std::vector<Word>& heads) const {
      Word hash = 0;
      for (const Word word : heads) hash = ((hash ^ word) * 0x9E3779B97F4A7C15U) ^ (hash >> 29U);
      return static_cast<std::size_t>(hash ^ (hash >> 32U));
    }
  };

  const ItemMasks& masks_;
  std::unordered_map<std::vector<Word>, std::vector<Word>, Hash> memo_;
};

}  // namespace lacuna::grammar
