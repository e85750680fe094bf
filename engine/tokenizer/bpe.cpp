#include "engine/tokenizer/bpe.h"

#include <bit>
#include <optional>
#include <queue>

#include "engine/tokenizer/byte_level.h"
#include "engine/tokenizer/hash.h"

namespace lacuna::engine {
namespace {

// Up to here a scan over all pairs beats a heap.
constexpr std::size_t kShortWord = 48;

Error corrupt(std::string message) { return fail(ErrorCode::Corrupt, std::move(message)); }

std::uint64_t pair_of(std::int32_t left, std::int32_t right) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
         static_cast<std::uint32_t>(right);
}

}  // namespace

Result<BpeModel> BpeModel::build(const BpeSpec& spec) {
  BpeModel model;
  model.ignore_merges_ = spec.ignore_merges;
  model.pieces_.reserve(spec.vocab.size() + spec.added.size());
  if (Result<void> done = model.add_vocabulary(spec); !done) return done.error();
  if (Result<void> done = model.add_added_tokens(spec); !done) return done.error();
  if (Result<void> done = model.find_byte_tokens(); !done) return done.error();
  if (Result<void> done = model.add_merges(spec); !done) return done.error();
  const auto size = static_cast<std::size_t>(model.pieces_.size());
  model.whole_ = std::make_unique<std::atomic<Whole>[]>(size);  // all Whole::Unknown
  return model;
}

Result<void> BpeModel::add_vocabulary(const BpeSpec& spec) {
  for (const auto& [piece, id] : spec.vocab) {
    const std::optional<std::string> bytes = bytes_of_piece(piece);
    // A piece outside the byte alphabet cannot come of text. It is an added token or a leftover.
    const auto kind = bytes ? PieceTable::Kind::Text : PieceTable::Kind::Control;
    if (bytes && pieces_.find(*bytes) >= 0) {
      return corrupt("vocabulary: piece '" + piece + "' occurs twice");
    }
    if (Result<void> done = pieces_.add(id, bytes ? *bytes : piece, kind); !done) return done;
  }
  return {};
}

// Some files list added tokens in the vocabulary as well, with the same id.
Result<void> BpeModel::add_added_tokens(const BpeSpec& spec) {
  for (const AddedToken& token : spec.added) {
    const auto describe = [&] {
      return "added token '" + token.content + "' with id " + std::to_string(token.id);
    };
    const std::int32_t same_text = pieces_.find(token.content);
    if (same_text >= 0 && same_text != token.id) {
      return corrupt(describe() + " is in the vocabulary with id " + std::to_string(same_text));
    }
    if (pieces_.kind(token.id) == PieceTable::Kind::None) {
      if (auto done = pieces_.add(token.id, token.content, PieceTable::Kind::Control); !done) {
        return done;
      }
    } else if (pieces_.text(token.id) == token.content) {
      pieces_.make_control(token.id);
    } else {
      return corrupt(describe() + " has the id of another token");
    }
  }
  return {};
}

Result<void> BpeModel::find_byte_tokens() {
  for (int byte = 0; byte < 256; ++byte) {
    const char text = static_cast<char>(byte);
    const std::int32_t id = pieces_.find({&text, 1});
    if (id < 0) {
      return corrupt("vocabulary: no token for the byte " + std::to_string(byte) +
                     ", so it is not a byte-level vocabulary");
    }
    byte_tokens_[static_cast<std::size_t>(byte)] = id;
  }
  return {};
}

Result<void> BpeModel::add_merges(const BpeSpec& spec) {
  pairs_.assign(std::bit_ceil(2 * spec.merges.size() + 2), PairSlot{kFreePair, {kNoRank, -1}});
  for (std::size_t i = 0; i < spec.merges.size(); ++i) {
    if (Result<void> done = add_merge(spec.merges[i], static_cast<std::uint32_t>(i)); !done) {
      return done;
    }
  }
  return {};
}

Result<void> BpeModel::add_merge(std::string_view line, std::uint32_t rank) {
  const auto bad = [&](std::string_view why) {
    return corrupt("merge " + std::to_string(rank) + " '" + std::string(line) + "' " +
                   std::string(why));
  };
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
    return bad("is not two pieces with a space between");
  }
  const std::optional<std::string> left = bytes_of_piece(line.substr(0, space));
  const std::optional<std::string> right = bytes_of_piece(line.substr(space + 1));
  if (!left || !right || left->empty() || right->empty()) return bad("has a piece that is no text");
  const std::string joined = *left + *right;
  const std::int32_t left_id = pieces_.find(*left);
  const std::int32_t right_id = pieces_.find(*right);
  const std::int32_t id = pieces_.find(joined);
  if (left_id >= 0 && right_id >= 0 && id >= 0) {
    return insert_pair(pair_of(left_id, right_id), {rank, id});
  }
  for (const std::string* piece : {&*left, &*right, &joined}) {
    if (!pieces_.contains(*piece)) {
      return bad("needs the piece '" + piece_of_bytes(*piece) + "', which has no id");
    }
  }
  return {};  // with an added token: left out
}

// A pair that is there already gets the later rank, as in Hugging Face's loader.
Result<void> BpeModel::insert_pair(std::uint64_t pair, Merge merge) {
  const std::size_t mask = pairs_.size() - 1;
  std::size_t slot = mix_hash(pair) & mask;
  for (int probe = 0; pairs_[slot].pair != kFreePair && pairs_[slot].pair != pair; ++probe) {
    if (probe == kMaxProbe) return corrupt("merges: too many collisions");
    slot = (slot + 1) & mask;
  }
  pairs_[slot] = {pair, merge};
  return {};
}

BpeModel::Merge BpeModel::find_merge(std::int32_t left, std::int32_t right) const {
  const std::uint64_t pair = pair_of(left, right);
  const std::size_t mask = pairs_.size() - 1;
  std::size_t slot = mix_hash(pair) & mask;
  while (pairs_[slot].pair != pair && pairs_[slot].pair != kFreePair) slot = (slot + 1) & mask;
  return pairs_[slot].merge;
}

void BpeModel::encode_word(std::string_view word, std::vector<std::int32_t>& ids) const {
  if (word.size() == 1) {
    ids.push_back(byte_token(word[0]));
    return;
  }
  const std::int32_t id = pieces_.find(word);
  if (id >= 0 && (ignore_merges_ || whole_[static_cast<std::size_t>(id)].load(
                                        std::memory_order_relaxed) == Whole::Yes)) {
    ids.push_back(id);
    return;
  }
  const std::size_t before = ids.size();
  if (word.size() <= kShortWord) {
    merge_short(word, ids);
  } else {
    merge_long(word, ids);
  }
  if (id >= 0) {
    const bool one = ids.size() == before + 1;
    whole_[static_cast<std::size_t>(id)].store(one ? Whole::Yes : Whole::No,
                                               std::memory_order_relaxed);
  }
}

void BpeModel::merge_short(std::string_view word, std::vector<std::int32_t>& ids) const {
  // merges[i] is that of symbols[i] and symbols[i + 1].
  std::array<std::int32_t, kShortWord> symbols;
  std::array<Merge, kShortWord> merges;
  std::size_t n = word.size();
  for (std::size_t i = 0; i < n; ++i) symbols[i] = byte_token(word[i]);
  for (std::size_t i = 0; i + 1 < n; ++i) merges[i] = find_merge(symbols[i], symbols[i + 1]);
  while (n > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < n; ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].rank == kNoRank) break;
    symbols[best] = merges[best].id;
    --n;
    for (std::size_t i = best + 1; i < n; ++i) symbols[i] = symbols[i + 1];
    for (std::size_t i = best + 1; i + 1 < n; ++i) merges[i] = merges[i + 1];
    if (best > 0) merges[best - 1] = find_merge(symbols[best - 1], symbols[best]);
    if (best + 1 < n) merges[best] = find_merge(symbols[best], symbols[best + 1]);
  }
  ids.insert(ids.end(), symbols.begin(), symbols.begin() + static_cast<std::ptrdiff_t>(n));
}

// The same with a heap of pairs and a linked list of symbols. An entry of the heap is stale when
// its pair no longer starts at its place.
void BpeModel::merge_long(std::string_view word, std::vector<std::int32_t>& ids) const {
  struct Symbol {
    std::int32_t id;
    std::int64_t previous;
    std::int64_t next;  // word.size() at the end
  };
  struct Entry {
    Merge merge;
    std::int64_t at;
    std::uint64_t pair;
    bool operator<(const Entry& other) const {  // the top of the heap is the largest
      return merge.rank != other.merge.rank ? merge.rank > other.merge.rank : at > other.at;
    }
  };
  const auto end = static_cast<std::int64_t>(word.size());
  std::vector<Symbol> symbols(word.size());
  for (std::int64_t i = 0; i < end; ++i) {
    symbols[static_cast<std::size_t>(i)] = {byte_token(word[static_cast<std::size_t>(i)]), i - 1,
                                            i + 1};
  }
  const auto symbol = [&](std::int64_t at) -> Symbol& {
    return symbols[static_cast<std::size_t>(at)];
  };
  std::priority_queue<Entry> heap;
  const auto push = [&](std::int64_t at) {
    if (at < 0 || symbol(at).next == end) return;
    const std::int32_t right = symbol(symbol(at).next).id;
    const Merge merge = find_merge(symbol(at).id, right);
    if (merge.rank != kNoRank) heap.push({merge, at, pair_of(symbol(at).id, right)});
  };
  for (std::int64_t i = 0; i < end; ++i) push(i);
  while (!heap.empty()) {
    const Entry top = heap.top();
    heap.pop();
    Symbol& left = symbol(top.at);
    if (left.id < 0 || left.next == end || pair_of(left.id, symbol(left.next).id) != top.pair) {
      continue;
    }
    Symbol& right = symbol(left.next);
    left.id = top.merge.id;
    right.id = -1;  // gone
    left.next = right.next;
    if (left.next != end) symbol(left.next).previous = top.at;
    push(left.previous);
    push(top.at);
  }
  for (std::int64_t i = 0; i < end; i = symbol(i).next) ids.push_back(symbol(i).id);
}

}  // namespace lacuna::engine
