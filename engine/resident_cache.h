// Keys and values of documents that outlive their requests: between two keystrokes most of a canvas
// stays as it is.
//
// What a request finds here was computed when the text around it was another one, by the edits since.
// It is used as it is, turned to its new position; what is new and what is near it is computed.
// docs/decoding.md says what that costs, docs/decisions/0007 why it is done so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/forward_pass.h"

namespace lacuna::engine {

// What a canvas takes from the last one of its document.
struct ReusePlan {
  std::vector<KvRun> runs;         // what is taken, and where it goes
  std::vector<std::int32_t> rows;  // increasing: what must be computed; all where nothing is taken
  bool edited = false;  // the text is another one: more than lengths of holes has changed
};

// Rows on each side of what has changed are computed again.
inline constexpr int kRowsNearEdits = 16;

// Everything is computed where more than half of the canvas must be. Masks are never taken.
ReusePlan plan_reuse(std::span<const std::int32_t> before, std::span<const std::int32_t> canvas,
                     std::int32_t mask_token, int near = kRowsNearEdits);

// Belongs to one transformer, and must be gone before it. One thread at a time.
class ResidentCache {
 public:
  struct Options {
    std::size_t documents = 4;
    std::size_t bytes = std::size_t{256} << 20;
    int near = kRowsNearEdits;
  };

  // What a slot has after load().
  struct Warmth {
    std::vector<std::int32_t> rows;  // to be computed, increasing
    int edits = 0;                   // since everything was
  };

  ResidentCache() = default;
  explicit ResidentCache(const Options& options) : options_(options) {}

  // Gives the slot what the document's last canvas has of this one; nothing once `most_edits` edits
  // have gone by since a full pass.
  Warmth load(ForwardPass& pass, int slot, std::string_view document,
              std::span<const std::int32_t> canvas, std::int32_t mask_token, int most_edits);

  // Keeps what the slot has after a pass over the rows that load() has named, in place of what the
  // document had. The documents that were used longest ago go first; one that is larger than all
  // may be is not kept, nor is anything where memory runs out.
  void save(ForwardPass& pass, int slot, std::string_view document,
            std::span<const std::int32_t> canvas, int edits);

  void clear() { documents_.clear(); }
  std::size_t documents() const { return documents_.size(); }
  std::size_t bytes() const;

 private:
  struct Document {
    std::string name;
    std::vector<std::int32_t> canvas;
    KvStore kv;
    int edits = 0;
  };

  Document* find(std::string_view name);
  bool make_room(std::size_t bytes);

  Options options_;
  std::list<Document> documents_;  // the last used first
};

// A document of a cache, as a request knows it.
struct ResidentDocument {
  ResidentCache* cache;
  std::string_view name;
  int most_edits;  // 0: everything is computed, and kept

  ResidentCache::Warmth load(ForwardPass& pass, int slot, std::span<const std::int32_t> canvas,
                             std::int32_t mask_token) const {
    return cache->load(pass, slot, name, canvas, mask_token, most_edits);
  }
  void save(ForwardPass& pass, int slot, std::span<const std::int32_t> canvas, int edits) const {
    cache->save(pass, slot, name, canvas, edits);
  }
};

}  // namespace lacuna::engine
