#include "engine/cache_policy.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <numeric>

namespace lacuna::engine {
namespace {

class Cache : public CachePolicy {
 public:
  Cache(const CacheOptions& options, int capacity) : options_(options) {
    all_.reserve(static_cast<std::size_t>(capacity));
    between_.reserve(static_cast<std::size_t>(capacity));
    rows_.reserve(static_cast<std::size_t>(capacity));
  }

  std::span<const std::int32_t> rows(const CacheStep& step) override {
    const bool begins_warm = step.step == 0 && step.first_rows.has_value();
    if (!begins_warm && needs_full_pass(step)) return refresh(step);
    if (begins_warm) masks_at_refresh_ = step.masks;
    rows_between(step);
    rows_.clear();
    std::ranges::set_union(between_, begins_warm ? *step.first_rows : step.watched,
                           std::back_inserter(rows_));
    return rows_;
  }

  std::span<const std::int32_t> refresh(const CacheStep& step) override {
    masks_at_refresh_ = step.masks;
    all_.resize(step.hole_of.size());
    std::iota(all_.begin(), all_.end(), 0);
    return all_;
  }

  std::span<const std::int32_t> rows_between(const CacheStep& step) override {
    between_.clear();
    const int size = static_cast<int>(step.hole_of.size());
    if (options_.scope == CacheScope::None || options_.refresh == 1) {
      append(0, size);
    } else if (options_.scope == CacheScope::Holes) {
      append_holes(step);
    } else {
      const int end = options_.scope == CacheScope::Prefix ? size : step.block_end;
      append_around(step, step.block_begin, end);
    }
    return between_;
  }

 private:
  bool needs_full_pass(const CacheStep& step) const {
    if (options_.scope == CacheScope::None || step.step == 0 || step.block_step == 0) return true;
    if (options_.refresh > 0 && step.block_step % options_.refresh == 0) return true;
    if (options_.refresh_share <= 0) return false;
    const auto committed = static_cast<float>(masks_at_refresh_ - step.masks);
    return committed >= options_.refresh_share * static_cast<float>(masks_at_refresh_);
  }

  void append_holes(const CacheStep& step) {
    const int size = static_cast<int>(step.hole_of.size());
    for (int begin = 0; begin < size; ++begin) {
      if (step.hole_of[begin] < 0) continue;
      int end = begin;
      while (end < size && step.hole_of[end] >= 0) ++end;
      append_around(step, begin, end);
      begin = end;
    }
  }

  // The rows of [begin, end) with those around; what is in already stays in once.
  void append_around(const CacheStep& step, int begin, int end) {
    const int size = static_cast<int>(step.hole_of.size());
    const int before = std::max(options_.look_before, step.row_before ? 1 : 0);
    append(begin - before, end + std::min(options_.look_after, size - end));
  }

  void append(int begin, int end) {
    const int next = between_.empty() ? 0 : between_.back() + 1;
    for (int row = std::max(begin, next); row < end; ++row) between_.push_back(row);
  }

  CacheOptions options_;
  int masks_at_refresh_ = 0;
  std::vector<std::int32_t> all_;      // of a full pass
  std::vector<std::int32_t> between_;  // of one between
  std::vector<std::int32_t> rows_;     // with those watched
};

}  // namespace

std::string_view name_of(CacheScope scope) {
  switch (scope) {
    case CacheScope::None:
      return "exact";
    case CacheScope::Holes:
      return "holes";
    case CacheScope::Block:
      return "dual";
    case CacheScope::Prefix:
      return "prefix";
  }
  return "unknown";
}

bool watches(const CacheOptions& options) {
  return options.refresh_drift > 0 && options.scope != CacheScope::None && options.refresh != 1;
}

std::unique_ptr<CachePolicy> make_cache(const CacheOptions& options, int capacity) {
  return std::make_unique<Cache>(options, capacity);
}

}  // namespace lacuna::engine
