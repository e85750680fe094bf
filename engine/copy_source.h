// Where in a file a masked position's neighbours stand together once more, and what stands between
// them there.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/blank_pairs.h"
#include "engine/sampler/copy_mix.h"

namespace lacuna::engine {

// Immutable once built; find() may be called from many threads at once, and allocates nothing.
class CopySource {
 public:
  // Tokens that are compared on each side.
  static constexpr int kMaxMatch = 8;
  // A place needs this many tokens in common with the position's neighbourhood.
  static constexpr int kLeastMatch = 2;
  // Behind more masks than this nothing is compared.
  static constexpr int kMaxGap = 8;
  // Stands in `beyond` where the text is interrupted.
  static constexpr std::int32_t kBreak = -1;

  // `beyond` is the text of the file that the canvas has no room for. `text` has one byte for each
  // vocabulary row, 1 for tokens of text; `delete_token` (or -1) is an empty place of a hole.
  // `blanks` must outlive this; without it (null) tokens are compared as they are.
  CopySource(const CopyMixing& mixing, std::vector<std::int32_t> beyond,
             std::vector<std::uint8_t> text, std::int32_t mask_token, std::int32_t delete_token,
             const BlankPairs* blanks = nullptr);

  const CopyMixing& mixing() const { return mixing_; }

  // The neighbourhood of a position of the canvas are the visible tokens before and after it,
  // beyond the masks that it touches, up to the next mask. A place is a token of text whose
  // neighbourhood, at the same distances, begins with some of the same tokens. Masks are never
  // evidence. What stands at the position itself does not matter.
  //
  // A hole may begin behind a blank that belongs to the word in it (blank_pairs.h): then places
  // where blank and word are one token count as well, and what is found is that word's token
  // without its blank.
  void find(std::span<const std::int32_t> canvas, int position, CopyEvidence& evidence) const;

 private:
  struct Neighbours;

  Neighbours neighbours_of(std::span<const std::int32_t> canvas, int position) const;
  bool join_blank(Neighbours& wanted) const;
  void search(std::span<const std::int32_t> canvas, int position, const Neighbours& wanted,
              CopyEvidence& evidence) const;
  void consider(std::span<const std::int32_t> tokens, int place, const Neighbours& wanted,
                CopyEvidence& evidence) const;
  void look_beyond(const Neighbours& wanted, CopyEvidence& evidence) const;
  bool is_text(std::int32_t token) const {
    return token >= 0 && static_cast<std::size_t>(token) < text_.size() &&
           text_[static_cast<std::size_t>(token)] != 0;
  }

  CopyMixing mixing_;
  std::vector<std::int32_t> beyond_;
  std::vector<std::uint8_t> text_;
  std::int32_t mask_token_;
  std::int32_t delete_token_;
  const BlankPairs* blanks_;
  // For each token its last place in beyond_, and for each place the one before it with the same
  // token; -1: none.
  std::vector<std::int32_t> last_;
  std::vector<std::int32_t> previous_;
};

}  // namespace lacuna::engine
