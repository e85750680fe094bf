#include "engine/copy_source.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace lacuna::engine {
namespace {

// Places of a frequent token (a line end, a bracket) beyond the canvas that are looked at.
constexpr int kMaxPlaces = 2048;
constexpr std::int32_t kNoToken = -2;

using Side = std::array<std::int32_t, CopySource::kMaxMatch>;

// What a blank between the text before a hole and the hole's first token means.
enum class Blank : std::uint8_t {
  None,    // there is none
  Apart,   // it is the token that it is
  Joined,  // it begins the hole's first token
};

}  // namespace

struct CopySource::Neighbours {
  Side left{};  // the nearest first
  Side right{};
  Blank blank = Blank::None;
  int n_left = 0;
  int n_right = 0;
  int left_gap = 0;
  int right_gap = 0;

  std::int32_t first_left() const { return n_left > 0 ? left[0] : kNoToken; }
  std::int32_t first_right() const { return n_right > 0 ? right[0] : kNoToken; }
};

CopySource::CopySource(const CopyMixing& mixing, std::vector<std::int32_t> beyond,
                       std::vector<std::uint8_t> text, std::int32_t mask_token,
                       std::int32_t delete_token, const BlankPairs* blanks)
    : mixing_(mixing),
      beyond_(std::move(beyond)),
      text_(std::move(text)),
      mask_token_(mask_token),
      delete_token_(delete_token),
      blanks_(blanks),
      last_(text_.size(), -1),
      previous_(beyond_.size(), -1) {
  for (std::size_t i = 0; i < beyond_.size(); ++i) {
    if (!is_text(beyond_[i])) continue;
    std::int32_t& last = last_[static_cast<std::size_t>(beyond_[i])];
    previous_[i] = last;
    last = static_cast<std::int32_t>(i);
  }
}

CopySource::Neighbours CopySource::neighbours_of(std::span<const std::int32_t> canvas,
                                                 int position) const {
  Neighbours found;
  const int size = static_cast<int>(canvas.size());
  const auto walk = [&](int step, Side& side, int& n, int& gap) {
    int i = position + step;
    while (i >= 0 && i < size && canvas[i] == mask_token_) i += step;
    gap = (i - position) * step - 1;
    if (gap > kMaxGap) return;
    for (; i >= 0 && i < size && n < kMaxMatch && canvas[i] != mask_token_; i += step) {
      // Empty places vanish from the text.
      if (canvas[i] != delete_token_) side[n++] = canvas[i];
    }
  };
  walk(-1, found.left, found.n_left, found.left_gap);
  walk(1, found.right, found.n_right, found.right_gap);
  return found;
}

// Changes the neighbours to those that the whole text would have, if a blank at the hole's left end
// and the token behind it are one token there. False if there is nothing to change.
bool CopySource::join_blank(Neighbours& wanted) const {
  if (blanks_ == nullptr) return false;
  // Blanks less the last one, and what stood before them.
  const auto shorten_run = [&](int at) {
    const std::int32_t rest = blanks_->without_blank(wanted.left[at]);
    if (rest >= 0) {
      wanted.left[at] = rest;
    } else {
      std::copy(wanted.left.begin() + at + 1, wanted.left.begin() + wanted.n_left,
                wanted.left.begin() + at);
      --wanted.n_left;
    }
  };
  if (wanted.n_left > 0 && blanks_->is_joined(wanted.left[0])) {
    wanted.blank = Blank::Joined;
    shorten_run(0);
    return true;
  }
  // The hole's first token is there already.
  for (int i = 0; i + 1 < wanted.n_left; ++i) {
    const std::int32_t joined = blanks_->with_blank(wanted.left[i]);
    if (joined < 0 || !blanks_->is_joined(wanted.left[i + 1])) continue;
    wanted.left[i] = joined;
    shorten_run(i + 1);
    return true;
  }
  return false;
}

void CopySource::consider(std::span<const std::int32_t> tokens, int place, const Neighbours& wanted,
                          CopyEvidence& evidence) const {
  const int size = static_cast<int>(tokens.size());
  if (!is_text(tokens[place])) return;
  // Tokens in common at one side; what lies between must be there, or the distance means nothing.
  const auto common = [&](int step, const Side& side, int n, int gap) {
    int same = 0;
    for (int i = place + step * (1 + gap); same < n && i >= 0 && i < size; i += step) {
      if (tokens[i] != side[same]) break;
      ++same;
    }
    if (same == 0) return 0;
    for (int i = 1; i <= gap; ++i) {
      if (!is_text(tokens[place + step * i])) return 0;
    }
    return same;
  };
  const int left = common(-1, wanted.left, wanted.n_left, wanted.left_gap);
  const int right = common(1, wanted.right, wanted.n_right, wanted.right_gap);
  if (left + right < kLeastMatch) return;
  std::int32_t copied = tokens[place];
  if (wanted.blank != Blank::None) {
    // Where the hole's first token would be.
    const int first = place - wanted.left_gap;
    const std::int32_t bare = first < 0 ? BlankPairs::kNone : blanks_->without_blank(tokens[first]);
    // A word with its blank stands behind no other blank, unless that was seen.
    if (wanted.blank == Blank::Apart && left == 0 && bare >= 0) return;
    if (wanted.blank == Blank::Joined) {
      if (bare < 0) return;
      if (wanted.left_gap == 0) copied = bare;
    }
  }
  const auto quality = [](int l, int r) { return l + r + (l > 0 && r > 0 ? 1 : 0); };
  const int mine = quality(left, right);
  const int best = quality(evidence.left, evidence.right);
  if (mine > best || evidence.empty()) {
    evidence.left = left;
    evidence.right = right;
    evidence.n_places = 0;
  }
  if (mine >= best) ++evidence.n_places;
  evidence.add(copied, std::ldexp(1.0, mixing_.sharpness * mine));
}

void CopySource::look_beyond(const Neighbours& wanted, CopyEvidence& evidence) const {
  const int size = static_cast<int>(beyond_.size());
  const auto last = [&](std::int32_t token) {
    return is_text(token) ? last_[static_cast<std::size_t>(token)] : -1;
  };
  int looked = 0;
  for (int i = last(wanted.first_left()); i >= 0 && looked < kMaxPlaces; i = previous_[i]) {
    const int place = i + 1 + wanted.left_gap;
    ++looked;
    if (place < size) consider(beyond_, place, wanted, evidence);
  }
  looked = 0;
  for (int i = last(wanted.first_right()); i >= 0 && looked < kMaxPlaces; i = previous_[i]) {
    const int place = i - 1 - wanted.right_gap;
    ++looked;
    if (place < 0) continue;
    const int before = place - 1 - wanted.left_gap;
    const bool seen = before >= 0 && beyond_[before] == wanted.first_left();
    if (!seen) consider(beyond_, place, wanted, evidence);
  }
}

void CopySource::search(std::span<const std::int32_t> canvas, int position,
                        const Neighbours& wanted, CopyEvidence& evidence) const {
  if (wanted.n_left + wanted.n_right < kLeastMatch) return;
  const int size = static_cast<int>(canvas.size());
  const std::int32_t left = wanted.first_left();
  const std::int32_t right = wanted.first_right();
  for (int place = 0; place < size; ++place) {
    const int before = place - 1 - wanted.left_gap;
    const int after = place + 1 + wanted.right_gap;
    const bool near =
        (before >= 0 && canvas[before] == left) || (after < size && canvas[after] == right);
    if (near && place != position) consider(canvas, place, wanted, evidence);
  }
  look_beyond(wanted, evidence);
}

void CopySource::find(std::span<const std::int32_t> canvas, int position,
                      CopyEvidence& evidence) const {
  evidence.clear();
  Neighbours wanted = neighbours_of(canvas, position);
  evidence.left_gap = wanted.left_gap;
  evidence.right_gap = wanted.right_gap;
  Neighbours joined = wanted;
  const bool has_blank = join_blank(joined);
  if (joined.blank == Blank::Joined) wanted.blank = Blank::Apart;
  search(canvas, position, wanted, evidence);
  if (has_blank) search(canvas, position, joined, evidence);
}

}  // namespace lacuna::engine
