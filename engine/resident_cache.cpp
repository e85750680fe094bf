#include "engine/resident_cache.h"

#include <algorithm>
#include <iterator>
#include <new>
#include <numeric>

#include "engine/token_diff.h"

namespace lacuna::engine {
namespace {

using Tokens = std::span<const std::int32_t>;

std::vector<std::int32_t> all_rows(std::size_t size) {
  std::vector<std::int32_t> rows(size);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

// Tokens that go or come. The search takes memory for the square of them.
constexpr int kMostEdits = 2048;

bool same_but_for_masks(Tokens a, Tokens b, std::int32_t mask_token) {
  const auto text_of = [mask_token](Tokens tokens) {
    std::vector<std::int32_t> text;
    std::ranges::copy_if(tokens, std::back_inserter(text),
                         [mask_token](std::int32_t token) { return token != mask_token; });
    return text;
  };
  return text_of(a) == text_of(b);
}

// Stores have some room, so that a document that grows does not need another one at each key.
int capacity_for(std::size_t tokens) {
  constexpr std::size_t kStep = 128;
  return static_cast<int>((tokens / kStep + 1) * kStep);
}

}  // namespace

ReusePlan plan_reuse(Tokens before, Tokens canvas, std::int32_t mask_token, int near) {
  const int size = static_cast<int>(canvas.size());
  ReusePlan nothing{.runs = {}, .rows = all_rows(canvas.size()), .edited = true};
  auto runs = common_runs(before, canvas, mask_token, std::min(size, kMostEdits));
  if (!runs) return nothing;
  ReusePlan plan;
  std::vector<std::uint8_t> computed(canvas.size(), 0);
  // What stands between two runs, before the first and behind the last.
  runs->push_back({static_cast<int>(before.size()), size, 0});
  int before_end = 0;
  int end = 0;
  for (const CommonRun& run : *runs) {
    const Tokens gone = before.subspan(static_cast<std::size_t>(before_end),
                                       static_cast<std::size_t>(run.before - before_end));
    const Tokens come =
        canvas.subspan(static_cast<std::size_t>(end), static_cast<std::size_t>(run.after - end));
    const bool same = std::ranges::equal(gone, come);
    if (!same && !same_but_for_masks(gone, come, mask_token)) plan.edited = true;
    const int around = same ? 0 : near;
    std::fill(computed.begin() + std::max(0, end - around),
              computed.begin() + std::min(size, run.after + around), std::uint8_t{1});
    before_end = run.before + run.length;
    end = run.after + run.length;
    if (run.length > 0) plan.runs.push_back({run.before, before_end, run.after - run.before});
  }
  for (int row = 0; row < size; ++row) {
    if (computed[static_cast<std::size_t>(row)] != 0) plan.rows.push_back(row);
  }
  // A run moves by less than a pass has angles for, unless the canvas was a much longer one.
  const bool far =
      std::ranges::any_of(plan.runs, [&](const KvRun& run) { return -run.by >= size; });
  return far || plan.rows.size() * 2 > canvas.size() ? nothing : plan;
}

ResidentCache::Document* ResidentCache::find(std::string_view name) {
  const auto found = std::ranges::find(documents_, name, &Document::name);
  if (found == documents_.end()) return nullptr;
  documents_.splice(documents_.begin(), documents_, found);
  return &documents_.front();
}

std::size_t ResidentCache::bytes() const {
  std::size_t bytes = 0;
  for (const Document& document : documents_) bytes += document.kv.bytes();
  return bytes;
}

ResidentCache::Warmth ResidentCache::load(ForwardPass& pass, int slot, std::string_view name,
                                          Tokens canvas, std::int32_t mask_token, int most_edits) {
  Warmth cold{.rows = all_rows(canvas.size()), .edits = 0};
  const Document* document = most_edits > 0 ? find(name) : nullptr;
  if (document == nullptr) return cold;
  ReusePlan plan = plan_reuse(document->canvas, canvas, mask_token, options_.near);
  const int edits = document->edits + (plan.edited ? 1 : 0);
  if (plan.runs.empty() || edits > most_edits) return cold;
  pass.load(slot, document->kv, plan.runs);
  return {.rows = std::move(plan.rows), .edits = edits};
}

// Whether there is room for a document of so many bytes, once the oldest ones are gone.
bool ResidentCache::make_room(std::size_t bytes) {
  while (!documents_.empty() &&
         (documents_.size() >= options_.documents || this->bytes() + bytes > options_.bytes)) {
    documents_.pop_back();
  }
  return options_.documents > 0 && bytes <= options_.bytes;
}

void ResidentCache::save(ForwardPass& pass, int slot, std::string_view name, Tokens canvas,
                         int edits) {
  Document* document = find(name);
  const int size = static_cast<int>(canvas.size());
  if (document != nullptr && document->kv.capacity < size) {
    documents_.pop_front();
    document = nullptr;
  }
  if (document == nullptr) {
    const int capacity = capacity_for(canvas.size());
    if (!make_room(pass.store_bytes(capacity))) return;
    try {
      documents_.push_front(
          {.name = std::string(name), .canvas = {}, .kv = pass.make_store(capacity)});
    } catch (const std::bad_alloc&) {
      return clear();  // the request that is running has its memory and goes on
    } catch (const kernels::DeviceError& error) {
      if (!error.out_of_memory) throw;
      return clear();
    }
    document = &documents_.front();
  }
  document->canvas.assign(canvas.begin(), canvas.end());
  document->edits = edits;
  pass.save(slot, size, document->kv);
}

}  // namespace lacuna::engine
