// Byte-pair encoding of single words: which of their bytes end up in one token.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "engine/tokenizer/bpe_spec.h"
#include "engine/tokenizer/piece_table.h"
#include "support/result.h"

namespace lacuna::engine {

// Repeatedly joins the pair of neighbours whose merge comes first in the list, the leftmost of
// several, until no pair has a merge. Safe to use from any number of threads.
class BpeModel {
 public:
  // Corrupt when ids or texts repeat, a byte has no token, a merge names an unknown piece, or an
  // added token contradicts the vocabulary. Ids were checked to be in [0, kMaxTokenId].
  //
  // Merges that would make an added token are left out: text must not become one.
  static Result<BpeModel> build(const BpeSpec& spec);

  // Appends the tokens of a word. O(n log n) in its bytes; most words of source code are one
  // token and cost one table look-up.
  void encode_word(std::string_view word, std::vector<std::int32_t>& ids) const;

  // The token of a single byte; every byte has one.
  std::int32_t byte_token(char byte) const { return byte_tokens_[static_cast<std::uint8_t>(byte)]; }

  const PieceTable& pieces() const { return pieces_; }

 private:
  // What joining two neighbours gives; a pair without a merge has kNoRank.
  struct Merge {
    std::uint32_t rank;
    std::int32_t id;
  };
  struct PairSlot {
    std::uint64_t pair;  // both ids, or kFreePair
    Merge merge;
  };
  static constexpr std::uint32_t kNoRank = 0xFFFFFFFFU;
  static constexpr std::uint64_t kFreePair = ~std::uint64_t{0};

  BpeModel() = default;
  Result<void> add_vocabulary(const BpeSpec& spec);
  Result<void> add_added_tokens(const BpeSpec& spec);
  Result<void> find_byte_tokens();
  Result<void> add_merges(const BpeSpec& spec);
  Result<void> add_merge(std::string_view line, std::uint32_t rank);
  Result<void> insert_pair(std::uint64_t pair, Merge merge);

  Merge find_merge(std::int32_t left, std::int32_t right) const;
  void merge_short(std::string_view word, std::vector<std::int32_t>& ids) const;
  void merge_long(std::string_view word, std::vector<std::int32_t>& ids) const;

  PieceTable pieces_;
  std::array<std::int32_t, 256> byte_tokens_{};
  std::vector<PairSlot> pairs_;  // open addressing
  bool ignore_merges_ = false;

  // For each id whether the merges make exactly this token of its text, found out when the text
  // first comes by. Threads may find out at the same time; they find the same.
  enum class Whole : std::uint8_t { Unknown, Yes, No };
  std::unique_ptr<std::atomic<Whole>[]> whole_;
};

}  // namespace lacuna::engine
