#include "engine/cache_policy.h"

#include <cassert>
#include <numeric>

namespace lacuna::engine {
namespace {

std::vector<std::int32_t> all_rows(int canvas_size) {
  std::vector<std::int32_t> rows(static_cast<std::size_t>(canvas_size));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

class ExactCache : public CachePolicy {
 public:
  explicit ExactCache(int canvas_size) : all_(all_rows(canvas_size)) {}

  std::span<const std::int32_t> rows(int, std::span<const std::int32_t>) override { return all_; }

 private:
  std::vector<std::int32_t> all_;
};

class BlockCache : public CachePolicy {
 public:
  BlockCache(int canvas_size, std::span<const std::int32_t> initially_masked, int refresh)
      : all_(all_rows(canvas_size)), refresh_(refresh) {
    holes_.reserve(all_.size());
    for (const std::int32_t position : initially_masked) {
      const std::int32_t last = holes_.empty() ? -1 : holes_.back();
      if (position > 0 && last < position - 1) holes_.push_back(position - 1);
      holes_.push_back(position);
    }
  }

  // Rows of holes that are filled already stay in: their keys and values depend on every token
  // that was committed since.
  std::span<const std::int32_t> rows(int step, std::span<const std::int32_t>) override {
    if (step % refresh_ == 0) return all_;
    return holes_;
  }

 private:
  std::vector<std::int32_t> all_;
  std::vector<std::int32_t> holes_;
  int refresh_;
};

}  // namespace

std::unique_ptr<CachePolicy> exact_cache(int canvas_size) {
  return std::make_unique<ExactCache>(canvas_size);
}

std::unique_ptr<CachePolicy> block_cache(int canvas_size,
                                         std::span<const std::int32_t> initially_masked,
                                         int refresh) {
  assert(refresh >= 1);
  return std::make_unique<BlockCache>(canvas_size, initially_masked, refresh);
}

}  // namespace lacuna::engine
